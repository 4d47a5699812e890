"""Answered rows as lines of JSON: the columns as training has them, and beside them what was answered."""

import json
import math
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.captures import SERVED_ANSWER, SERVED_AT, SERVED_BY, SERVED_CLIENT_ID, SERVED_ID, SERVED_SCORES
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Signature, Task, TensorSpec
from aimass_core.inference.capturing.observed import Observed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_lines(observed: Observed, *, request_id: str, at: datetime, hidden: Collection[str]) -> Iterator[bytes]:
    """One for each answered row. Images are not kept, nor columns that are `hidden`."""
    specs = [
        spec
        for spec in observed.signature.inputs
        if spec.column_type is not ColumnType.IMAGE and (spec.column or spec.name) not in hidden
    ]
    inputs = {spec.column or spec.name for spec in observed.signature.inputs}
    extra = [key for key in observed.endpoint.settings.capture.keys if key not in inputs and key not in hidden]
    for row, output in zip(observed.rows, observed.outputs, strict=True):
        columns = {spec.column or spec.name: _to_cell(spec, observed.inputs[spec.name][row]) for spec in specs}
        kept = {key: observed.records[row].get(key) for key in extra} if observed.records else {}
        line = {
            **columns,
            **{key: value for key, value in kept.items() if isinstance(value, str | int | float | bool)},
            SERVED_AT: at.isoformat(timespec="milliseconds"),
            SERVED_ID: f"{request_id}-{row}",
            SERVED_BY: observed.version.ref,
            SERVED_ANSWER: _to_answer(observed.signature, output),
        }
        if observed.client_id is not None:
            line[SERVED_CLIENT_ID] = observed.client_id
        if "probabilities" in output:
            line[SERVED_SCORES] = _to_list(output["probabilities"])
        yield json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()


def _to_cell(spec: TensorSpec, cell: NDArray[Any]) -> Any:
    """As ingest reads it: null where it is missing."""
    if spec.column_type is ColumnType.SERIES:
        return _to_list(cell)
    if cell.size != 1:
        return np.array(cell).tolist()
    value = cell.reshape(-1)[0]
    if isinstance(value, str):
        return (value == "true" if spec.column_type is ColumnType.BOOLEAN else value) if value else None
    number = _to_number(value)
    if number is None:
        return None
    if spec.column_type is ColumnType.DATETIME:
        return (_EPOCH + timedelta(seconds=number)).isoformat()
    is_whole = spec.column_type is ColumnType.INTEGER and float(number).is_integer()
    return int(number) if is_whole else number


def _to_answer(signature: Signature, output: dict[str, Any] | Any) -> Any:
    """A label, the labels that apply as a JSON list, a number, the steps of a forecast; null where the request did not
    ask for it."""
    if signature.task is Task.MULTILABEL and "label" in output:
        applying = [name for name, applies in zip(signature.labels or [], output["label"], strict=True) if applies]
        return json.dumps(applying, ensure_ascii=False)
    if "label" in output:
        return str(output["label"])
    if "value" in output:
        value = np.asarray(output["value"])
        return _to_number(value[()]) if value.ndim == 0 else _to_list(value)
    return None


def _to_list(values: Any) -> list[float | None]:
    return [_to_number(value) for value in np.asarray(values).reshape(-1)]


def _to_number(value: Any) -> float | None:
    """NOTE: of a float32 the digits that it has, not those of the double that is nearest to it."""
    return float(str(value)) if math.isfinite(value) else None
