"""Brings a family of hostile files to the front door that it is for, in a process with limits of time and memory.

`python -m tests.corpus.front_doors FAMILY` prints a line of JSON for each file: what became of it, and what it took.
"""

import json
import logging
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from aimass_core.domain.datasets import DatasetVersionStatus
from aimass_core.errors import AimassError
from tests.corpus import models, tables
from tests.corpus.samples import Family, Sample
from tests.functional.gateway import Gateway, open_api
from tests.unit.core.services.ingest.files import to_image, to_zip
from tests.unit.core.services.ingest.scene import Scene

MAX_SECONDS = 20
MAX_ADDRESS_BYTES = 12 * 1024**3
MAX_RESIDENT_BYTES = 1024**3

Door = Callable[[Sample], str | None]
"""The reason for which a file is refused, None where it was taken."""


class TooSlowError(BaseException):
    """A file was not done with in time: no handler of exceptions keeps it."""


def upload(sample: Sample) -> str | None:
    """To a dataset, as ingest takes it."""
    scene = Scene()
    try:
        version = scene.upload(scene.dataset("data"), sample.body, name="file")
    except ValidationError as error:
        # The API answers so where the request itself cannot be.
        return str(error)
    if version.status is DatasetVersionStatus.READY:
        return None
    assert version.status is DatasetVersionStatus.REJECTED, version.status
    return version.status_reason or ""


def upload_picture(sample: Sample) -> str | None:
    """To a dataset, among others: what is refused of it is kept apart."""
    members = {"cats/1.png": _PICTURE, "cats/2.png": sample.body, "dogs/1.png": _PICTURE}
    scene = Scene()
    version = scene.upload(scene.dataset("data", max_bad_fraction=1.0), to_zip(members), name="pictures.zip")
    if version.status is DatasetVersionStatus.READY:
        return None if version.num_rows == len(members) else f"{version.num_rows} of {len(members)} pictures are taken"
    assert version.status is DatasetVersionStatus.REJECTED, version.status
    return version.status_reason or ""


def bring_model(suffix: str) -> Door:
    """To an import of a model, as its job takes it."""

    def bring_one(sample: Sample) -> str | None:
        from tests.unit.batch_jobs.importing.desk import bring

        with tempfile.TemporaryDirectory() as folder:
            try:
                files = {f"m.{suffix}": sample.body, **_BESIDE.get(suffix, {})}
                bring(Path(folder), files, trust_pickle=True, **_OPTIONS.get(suffix, {}))
            except AimassError as error:
                return error.message
        return None

    return bring_one


_PICTURE = to_image(0)
_BESIDE: Mapping[str, Mapping[str, bytes]] = {
    "safetensors": {
        "module.py": b"import torch\n\n\ndef build():\n    return torch.nn.Linear(2, 2, bias=False)\n",
    }
}


def post(sample: Sample) -> str | None:
    """As the body of a request to the API, which answers a problem where it does not take it."""
    api = open_api(Gateway())
    answer = api.request("POST", "/v1/datasets", body=sample.body, headers={"Content-Type": "application/json"})
    assert answer.status < 500, answer.text
    return None if answer.status < 400 else answer.json["detail"]


_OPTIONS: Mapping[str, Mapping[str, Any]] = {"safetensors": {"input_shape": [2]}}


DOORS: Mapping[str, tuple[Family, Door]] = {
    "archives": (tables.archives, upload),
    "csv": (tables.csvs, upload),
    "parquet": (tables.parquets, upload),
    "json": (tables.jsons, upload),
    "json bodies": (tables.bodies, post),
    "images": (models.images, upload_picture),
    "onnx": (models.graphs, bring_model("onnx")),
    "safetensors": (models.safetensors, bring_model("safetensors")),
}


def main(name: str) -> None:
    """All files of a family."""
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_BYTES, MAX_ADDRESS_BYTES))
    # NOTE: of the processor's time: a busy machine is no fault of a file.
    signal.signal(signal.SIGPROF, _give_up)
    family, door = DOORS[name]
    for sample in family():
        print(json.dumps({"begins": sample.name}), flush=True)
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)
        reason = door(sample)
        signal.setitimer(signal.ITIMER_PROF, 0)
        told = {
            "name": sample.name,
            "reason": reason,
            "is_refused": sample.is_refused,
            "num_bytes": len(sample.body),
            "seconds": round(time.process_time() - started, 3),
            "peak_bytes": _peak_bytes(),
        }
        print(json.dumps(told), flush=True)


def _peak_bytes() -> int:
    """NOTE: `ru_maxrss` would begin with what the process that started this one holds."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _give_up(number: int, frame: FrameType | None) -> None:
    raise TooSlowError(f"{MAX_SECONDS} s")


if __name__ == "__main__":
    main(sys.argv[1])
