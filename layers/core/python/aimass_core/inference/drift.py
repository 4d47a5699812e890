"""Input that is unlike the training data: it is answered, with a warning."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Datatype, Signature, TensorSpec

Array = NDArray[Any]
Warnings = Mapping[int, Sequence[str]]
_Categories = Sequence[frozenset[str] | None]
"""For each input; None where any value is fine, or numbers are expected."""

ALL_MISSING = "every value is missing: the answer is what the model says without knowing anything"
_FLOATS = (Datatype.FP16, Datatype.FP32, Datatype.FP64)
_MAX_KNOWN = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def find_warnings(signature: Signature, inputs: Mapping[str, Array]) -> Warnings:
    """Warnings by row: values that training has not seen, or none at all. Rows without one are absent."""
    known = _KNOWN.of(signature)
    if known is None:
        return {}
    if all(array.size == 1 for array in inputs.values()) and _is_usual(signature, known, inputs):
        return {}
    found: defaultdict[int, list[str]] = defaultdict(list)
    present: Array | None = None
    for spec in signature.inputs:
        values = inputs[spec.name]
        has_value = values != "" if spec.datatype is Datatype.BYTES else ~np.isnan(values)
        is_present: Array = np.asarray(has_value.any(axis=1))
        present = is_present if present is None else present | is_present
        check = _check_category if spec.datatype is Datatype.BYTES else _check_range
        for row, text in check(spec, values, has_value):
            found[row].append(text)
    if present is not None:
        for empty in np.flatnonzero(~present):
            found[int(empty)] = [ALL_MISSING]
    return found


def _is_usual(signature: Signature, categories: _Categories, inputs: Mapping[str, Array]) -> bool:
    """Whether nothing is strange about one row of single values: to ask NumPy takes longer than many a model."""
    is_empty = True
    for spec, known in zip(signature.inputs, categories, strict=True):
        value = inputs[spec.name].item()
        if value != value or value == "":  # noqa: PLR0124 - NaN
            continue
        is_empty = False
        if known is not None:
            if value not in known:
                return False
        elif (spec.minimum is not None and value < spec.minimum) or (spec.maximum is not None and value > spec.maximum):
            return False
    return not is_empty


class _KnownCategories:
    """Of the signatures that were asked for last, as sets."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Signature, _Categories | None]] = {}

    def of(self, signature: Signature) -> _Categories | None:
        """None where an input is neither a text nor a number with a fraction: nothing is said of such."""
        # NOTE: what is kept keeps its signature, hence no other object can have the same id meanwhile.
        known = self._known.get(id(signature))
        if known is None:
            while len(self._known) >= _MAX_KNOWN:
                self._known.pop(next(iter(self._known)), None)
            known = self._known[id(signature)] = (signature, _to_categories(signature))
        return known[1]


def _to_categories(signature: Signature) -> _Categories | None:
    if any(spec.datatype not in (*_FLOATS, Datatype.BYTES) for spec in signature.inputs):
        return None
    return [None if spec.categories is None else frozenset(spec.categories) for spec in signature.inputs]


_KNOWN = _KnownCategories()


def _check_category(spec: TensorSpec, values: Array, has_value: Array) -> list[tuple[int, str]]:
    if spec.categories is None:
        return []
    known = set(spec.categories)
    return [
        (int(row), f"{spec.column or spec.name}: {str(values[row, 0])[:100]!r} did not occur in training")
        for row in np.flatnonzero(has_value)
        if values[row, 0] not in known
    ]


def _check_range(spec: TensorSpec, values: Array, has_value: Array) -> list[tuple[int, str]]:
    low = -np.inf if spec.minimum is None else values.dtype.type(spec.minimum)
    high = np.inf if spec.maximum is None else values.dtype.type(spec.maximum)
    outside = has_value & ((values < low) | (values > high))
    first = outside.argmax(axis=1)
    return [
        (
            int(row),
            f"{spec.column or spec.name}: {_write(spec, float(values[row, first[row]]))} is outside of the training "
            f"data ({_write(spec, spec.minimum)} to {_write(spec, spec.maximum)})",
        )
        for row in np.flatnonzero(outside.any(axis=1))
    ]


def _write(spec: TensorSpec, value: float | None) -> str:
    if value is None:
        return "any"
    if spec.column_type is not ColumnType.DATETIME:
        return f"{value:.6g}"
    try:
        return (_EPOCH + timedelta(seconds=value)).isoformat()
    except OverflowError:
        return f"{value:.6g} s since 1970"
