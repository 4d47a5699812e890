"""Which work a job does."""

from enum import StrEnum


class JobKind(StrEnum):
    """Which work a job does; the container is started as `python -m batch_jobs <kind>`."""

    TRAIN = "train"
    SEARCH = "search"
    AUTOTRAIN = "autotrain"
    COMPRESS = "compress"
    FUSE = "fuse"
    DECOMPOSE = "decompose"
    SCRIPT = "script"
    IMPORT = "import"
    PREPARE = "prepare"
    PREDICT = "predict"
    COLLECT = "collect"
    INGEST = "ingest"
    REPORT = "report"
    EXPORT = "export"
    IMPORT_WORKSPACE = "import_workspace"
