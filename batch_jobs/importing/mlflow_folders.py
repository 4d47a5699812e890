"""MLflow's folders: which file of which format they hold. No code of MLflow is run."""

from pathlib import Path
from typing import Any

import yaml

from aimass_core.domain.model_imports import ImportFormat
from aimass_core.errors import InvalidRequestError

_MLMODEL = "MLmodel"
_EXAMPLES = ("input_example.json", "serving_input_example.json")


def resolve(root: Path) -> tuple[ImportFormat, Path]:
    """The format and the file of the flavour that says most. Raises InvalidRequestError where there is none."""
    flavors = _read(root).get("flavors") or {}
    for name, find in _FLAVORS.items():
        if isinstance(flavor := flavors.get(name), dict):
            format_, inner = find(flavor)
            path = (root / inner).resolve()
            if not path.is_relative_to(root.resolve()) or not path.exists():
                raise InvalidRequestError(
                    f"{_MLMODEL} names {inner!r}, which is not in its folder. Save the model again."
                )
            return format_, _single(path) if path.is_dir() and format_ is not ImportFormat.SAVED_MODEL else path
    known = ", ".join(_FLAVORS)
    raise InvalidRequestError(f"{_MLMODEL} has the flavours {sorted(flavors)}; one of these is taken: {known}.")


def columns_of(root: Path) -> list[str] | None:
    """The names that its signature gives to the inputs."""
    import json

    signature = _read(root).get("signature") or {}
    try:
        inputs = json.loads(signature.get("inputs") or "[]")
    except (TypeError, ValueError):
        return None
    names = [str(each.get("name")) for each in inputs if isinstance(each, dict) and each.get("name")]
    return names if names and len(names) == len(inputs) else None


def example_of(root: Path) -> Path | None:
    """The sample rows that were saved with it."""
    return next((root / name for name in _EXAMPLES if (root / name).is_file()), None)


def _read(root: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load((root / _MLMODEL).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidRequestError(f"{_MLMODEL} cannot be read: {str(error)[:300]}. Save the model again.") from error
    if not isinstance(found, dict):
        raise InvalidRequestError(f"{_MLMODEL} says nothing. Save the model again.")
    return found


def _single(folder: Path) -> Path:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in _MODEL_SUFFIXES]
    return files[0] if len(files) == 1 else folder


def _of_sklearn(flavor: dict[str, Any]) -> tuple[ImportFormat, str]:
    return ImportFormat.SKLEARN, str(flavor.get("pickled_model", "model.pkl"))


def _of_keras(flavor: dict[str, Any]) -> tuple[ImportFormat, str]:
    data = str(flavor.get("data", "data"))
    return ImportFormat.KERAS, f"{data}/model.{flavor.get('save_format', 'keras')}".replace("/model.tf", "/model")


_MODEL_SUFFIXES = (".keras", ".h5", ".onnx", ".json", ".ubj", ".txt", ".pkl", ".xgb")
_FLAVORS = {
    "onnx": lambda flavor: (ImportFormat.ONNX, str(flavor.get("data", "model.onnx"))),
    "xgboost": lambda flavor: (ImportFormat.XGBOOST, str(flavor.get("data", "model.ubj"))),
    "lightgbm": lambda flavor: (ImportFormat.LIGHTGBM, str(flavor.get("data", "model.lgb"))),
    "keras": _of_keras,
    "tensorflow": _of_keras,
    "sklearn": _of_sklearn,
}
