"""The platform as a caller sees it."""

from aimass_core.domain.common import Contract


class DropFolder(Contract):
    """Where files can be dropped: an S3 put to `s3://<bucket>/<prefix><dataset>/<any name>`."""

    bucket: str
    prefix: str
    endpoint_url: str | None = None


class SystemInfo(Contract):
    """Answer of GET /v1/system."""

    version: str
    workspace_id: str
    workspace_name: str
    drop_folder: DropFolder
    limits: dict[str, int] = {}
