"""Import jobs on a disk: models are really made by their tools, and opened in processes of their own."""

import io
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from aimass_core.domain.model_imports import ImportSpec
from aimass_core.domain.signatures import Card, Golden, Signature
from batch_jobs.importing import converting
from batch_jobs.importing.contract import Order
from batch_jobs.importing.workflow import Opener, import_model
from batch_jobs.runtime.environment import Environment
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment
from tests.unit.batch_jobs.script.scripts import OWN


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import left."""

    folder: Path
    metrics: Mapping[str, float]
    messages: list[str]

    @property
    def signature(self) -> Signature:
        return Signature.model_validate_json((self.folder / "signature.json").read_bytes())

    @property
    def card(self) -> Card:
        return Card.model_validate_json((self.folder / "card.json").read_bytes())

    @property
    def golden(self) -> Golden:
        return Golden.model_validate_json((self.folder / "golden.json").read_bytes())

    def answer(self, rows: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Columns of raw values to outputs, as serving asks."""
        session = onnxruntime.InferenceSession(str(self.folder / "model.onnx"))
        inputs = {}
        for spec in self.signature.inputs:
            values = np.asarray(rows[spec.column or spec.name])
            kind = {"FP32": np.float32, "FP64": np.float64, "BYTES": np.object_, "UINT8": np.uint8}[spec.datatype]
            inputs[spec.name] = values.astype(kind).reshape(-1, *spec.shape[1:])
        names = [spec.name for spec in self.signature.outputs]
        return dict(zip(names, session.run(names, inputs), strict=True))


def bring(
    folder: Path,
    files: Path | Mapping[str, bytes],
    *,
    beside: Mapping[str, bytes] | None = None,
    in_process_of_its_own: bool = False,
    **fields: Any,
) -> Imported:
    """Runs an import job to its end. `files`: of the model; `beside`: samples and signature."""
    named: dict[str, bytes] = {}
    if isinstance(files, Path):
        paths = [files] if files.is_file() else sorted(path for path in files.rglob("*") if path.is_file())
        root = files.parent if files.is_file() else files
        named = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    else:
        named = dict(files)
    packed = folder / "source.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        for name, body in {f"model/{name}": body for name, body in named.items()}.items() | (beside or {}).items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    spec = ImportSpec.model_validate({"kind": "import", "source": "0" * 64, "model": "brought", **fields})
    base = Path(tempfile.mkdtemp(prefix="ml-", dir=folder))
    environment: Environment = build_environment(base, {}, spec)
    reporter = RecordingReporter()
    opener = Opener(environment=environment, own=OWN) if in_process_of_its_own else convert_here
    metrics = import_model(environment, spec, packed, reporter, open_model=opener)
    return Imported(environment.model_path, metrics, reporter.messages)


def convert_here(order: Order, work: Path) -> None:
    """As the process does it, without the seconds that the libraries take to be imported."""
    del order
    converting.main(work)


def csv(**columns: Any) -> bytes:
    """Rows with these columns."""
    lines = [",".join(columns)] + [",".join(str(cell) for cell in row) for row in zip(*columns.values(), strict=True)]
    return "\n".join(lines).encode()


def npy(values: np.ndarray) -> bytes:
    """As numpy saves it."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()
