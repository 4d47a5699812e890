"""A model version as a zip that answers anywhere with onnxruntime and numpy alone."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimass_core.domain.models import ArtifactName
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Golden, Signature
from aimass_core.errors import InvalidDataError

if TYPE_CHECKING:
    from aimass.resources.models import ModelVersion

_FILES = (ArtifactName.MODEL, ArtifactName.SIGNATURE, ArtifactName.CARD, ArtifactName.GOLDEN)
_PROGRAMS = ("predict.py", "serve.py", "lambda_function.py", "Dockerfile", "template.yaml", "README.md")
_TIME = (1980, 1, 1, 0, 0, 0)


def export(version: ModelVersion, path: Path) -> Path:
    """Writes the zip; the same version gives the same bytes. Raises InvalidDataError where a file is not as it was
    registered."""
    known = {artifact.name: artifact.sha256 for artifact in version.artifacts}
    links = version.links or version._client.models.get_version(version.model_id, version.number).links
    files: dict[str, bytes] = {}
    for name in _FILES:
        body = version._client.http.fetch(links[name.value], name=f"{name.value} of {version.ref}")
        if hashlib.sha256(body).hexdigest() != known[name]:
            raise InvalidDataError(
                f"{name.value} of {version.ref} is not the one that was registered. It is not exported."
            )
        files[name.value] = body
    signature = Signature.model_validate_json(files[ArtifactName.SIGNATURE])
    golden = Golden.model_validate_json(files[ArtifactName.GOLDEN])
    versions = json.loads(files[ArtifactName.CARD]).get("versions", {})
    files["requirements.txt"] = f"onnxruntime>={versions.get('onnxruntime', '1.20')}\nnumpy>=1.26\n".encode()
    if (rows := to_rows(signature, golden)) is not None:
        files["sample.csv"] = rows
    for program in _PROGRAMS:
        text = (resources.files("aimass.exported") / program).read_bytes()
        files[program] = text.replace(b"@MODEL@", version.ref.encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, version.model_name, files)
    return path


def to_rows(signature: Signature, golden: Golden) -> bytes | None:
    """The golden rows as CSV; None of models that take images or tensors."""
    specs = signature.inputs
    if any(spec.column_type in (None, ColumnType.IMAGE) for spec in specs):
        return None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([spec.column for spec in specs])
    columns = [golden.inputs[spec.name] for spec in specs]
    for row in zip(*columns, strict=True):
        writer.writerow([_to_cell(spec.column_type, value) for spec, value in zip(specs, row, strict=True)])
    return text.getvalue().encode()


def _to_cell(kind: ColumnType | None, value: Any) -> Any:
    """Tensors of columns have one value a row; those of series several."""
    if kind is ColumnType.SERIES:
        return json.dumps(value)
    cell = value[0] if isinstance(value, list) else value
    return "" if cell is None else cell


def _write(path: Path, folder: str, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}", _TIME), files[name], zipfile.ZIP_DEFLATED)
