"""The golden answer of a model, and one that was given."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aimass_core.domain.signatures import Golden


def find_difference(golden: Golden, outputs: Mapping[str, Any]) -> str | None:
    """The first difference of outputs as nested lists (a null is NaN); None where they agree."""
    for name, wanted in golden.outputs.items():
        if name not in outputs:
            return f"it has an output {name!r}, the model's has not"
        fault = _compare(wanted, outputs[name], tolerance=golden.tolerance, path=name)
        if fault is not None:
            return fault
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
