"""Which tool made a file, by its content first; and which of them run code where they are opened."""

import zipfile
from pathlib import Path

from aimass_core.domain.model_imports import ImportFormat
from aimass_core.errors import InvalidRequestError

RUN_CODE = frozenset({ImportFormat.SKLEARN, ImportFormat.KERAS, ImportFormat.SAFETENSORS})
"""Formats that can hold a program. Of MLflow it depends on the flavour, of `.pt` on what is in it."""
_PICKLES = (".pkl", ".pickle", ".joblib")
_HDF5 = b"\x89HDF\r\n\x1a\n"


def find_format(folder: Path) -> tuple[ImportFormat, Path]:
    """The format and the file, or the folder where a model has several. Raises InvalidRequestError."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    root = _root_of(folder, files)
    if (root / "MLmodel").is_file():
        return ImportFormat.MLFLOW, root
    if (root / "saved_model.pb").is_file():
        return ImportFormat.SAVED_MODEL, root
    for format_, suffix in ((ImportFormat.ONNX, ".onnx"), (ImportFormat.SAFETENSORS, ".safetensors")):
        found = [path for path in files if path.suffix == suffix]
        if len(found) == 1:
            return format_, found[0]
    if len(files) != 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in files[:10])
        raise InvalidRequestError(
            f"It is not plain which of the {len(files)} files is the model: {names}. Give its file, or the folder of a "
            "SavedModel, of an MLflow model or of an ONNX model with external data; or say --format."
        )
    return _of_file(files[0]), files[0]


def resolve(asked: ImportFormat, folder: Path) -> tuple[ImportFormat, Path]:
    """The same where somebody has said which format it is."""
    found, path = find_format(folder) if asked is ImportFormat.AUTO else (asked, _only_file(asked, folder))
    return found, path


def _only_file(asked: ImportFormat, folder: Path) -> Path:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if asked in (ImportFormat.MLFLOW, ImportFormat.SAVED_MODEL):
        return _root_of(folder, files)
    suffixes = {ImportFormat.ONNX: ".onnx", ImportFormat.SAFETENSORS: ".safetensors"}
    named = [path for path in files if path.suffix == suffixes.get(asked, path.suffix)]
    if len(named) != 1:
        raise InvalidRequestError(f"A {asked} model is one file, and {len(named)} are given. Give the file itself.")
    return named[0]


def is_torchscript(path: Path) -> bool:
    """A zip with compiled code; torch's pickles are zips without."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in f"/{name}" for name in archive.namelist())


def _root_of(folder: Path, files: list[Path]) -> Path:
    """Below folders that hold but one folder."""
    root = folder
    while len(inner := list(root.iterdir())) == 1 and inner[0].is_dir() and files:
        root = inner[0]
    return root


def _of_file(path: Path) -> ImportFormat:
    with path.open("rb") as stream:
        head = stream.read(4_096)
    suffix = path.suffix.lower()
    if is_torchscript(path):
        return ImportFormat.TORCHSCRIPT
    if suffix in _PICKLES:
        return ImportFormat.SKLEARN
    if suffix == ".keras" or head.startswith(_HDF5):
        return ImportFormat.KERAS
    if suffix == ".ubj" or b'"learner"' in head or b"learner" in head[:64]:
        return ImportFormat.XGBOOST
    if head.startswith(b"tree\n") or b"\nnum_class=" in head:
        return ImportFormat.LIGHTGBM
    if suffix in (".pt", ".pth", ".bin"):
        raise InvalidRequestError(
            f"{path.name} is a pickle of torch, which holds weights without a network, or classes of a program that is "
            "not here. Save it with torch.jit.save, or as safetensors with a module.py whose build() makes the network."
        )
    raise InvalidRequestError(
        f"{path.name} is of no format that is known here. Formats: {', '.join(list(ImportFormat)[1:])}; say --format."
    )
