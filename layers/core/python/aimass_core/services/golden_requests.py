"""The golden request: what a model version must answer through the predictions function before it may serve."""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from aimass_core.domain import keys
from aimass_core.domain.endpoints import ServedModel
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.signatures import Golden
from aimass_core.errors import InternalError
from aimass_core.ports import BlobNotFoundError, Ports


def verify(ports: Ports, workspace_id: str, model: ServedModel) -> str | None:
    """Why a version may not serve; None where it gave the golden answer.

    Raises UnavailableError while the predictions function cannot be asked.
    """
    key = keys.model_object(workspace_id, model.model_id, model.number, ArtifactName.GOLDEN)
    try:
        golden = Golden.model_validate_json(ports.lake.get(key))
    except (BlobNotFoundError, ValidationError):
        return f"The golden request of {model.model_name}@{model.number} is missing or damaged. Train it again."
    payload = {
        "workspace_id": workspace_id,
        "model_id": model.model_id,
        "number": model.number,
        "digest": model.digest,
        "inputs": golden.inputs,
    }
    try:
        answer = ports.predictor.predict(payload)
    except InternalError as error:
        return f"The golden request failed: {error.message}"
    if "error" in answer:
        told = answer["error"]
        return f"The golden request failed: {told.get('message', 'no message')} ({told.get('code', 'no code')})."
    outputs = answer.get("outputs", {})
    for name, wanted in golden.outputs.items():
        if name not in outputs:
            return f"The golden answer has an output {name!r}, the model's has not."
        fault = _compare(wanted, outputs[name], tolerance=golden.tolerance, path=name)
        if fault is not None:
            return f"The golden request gave another answer than in training: {fault}."
    return None


def _compare(wanted: Any, given: Any, *, tolerance: float, path: str) -> str | None:
    """The first difference between two tensors as nested lists (a null is NaN), None where they agree."""
    if _is_list(wanted) and _is_list(given):
        if len(wanted) != len(given):
            return f"{path} has {len(given)} values instead of {len(wanted)}"
        faults = (
            _compare(mine, theirs, tolerance=tolerance, path=f"{path}[{index}]")
            for index, (mine, theirs) in enumerate(zip(wanted, given, strict=True))
        )
        return next((fault for fault in faults if fault is not None), None)
    if _is_number(wanted) and _is_number(given):
        agrees = math.isclose(wanted, given, rel_tol=0.0, abs_tol=tolerance) or (
            math.isnan(wanted) and math.isnan(given)
        )
    else:
        agrees = wanted == given or (_is_nan(wanted) and _is_nan(given))
    return None if agrees else f"{path} is {given!r} instead of {wanted!r} (tolerance {tolerance:g})"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_nan(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
