"""What became true of captured rows, found by their key in a dataset that somebody fills later."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset, DatasetVersion
from aimass_core.domain.endpoint_watching import TruthSource
from aimass_core.errors import ConflictError, ErrorDetail, InvalidRequestError, NotFoundError
from aimass_core.ports import Ports
from aimass_core.services import datasets, records
from aimass_core.services.quality import leakage
from aimass_core.services.watching.captured import Captured, CapturedRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Captured rows of which it is known what became true, each with that."""

    rows: Sequence[CapturedRow]
    truths: Sequence[Any]
    notes: Sequence[str]


def check(ports: Ports, principal: Principal, source: TruthSource, target: str) -> DatasetVersion:
    """The version that is read. Raises InvalidRequestError where it has not the columns, ConflictError where there is
    none yet."""
    dataset = datasets.get(ports, principal, source.dataset)
    version = _latest(ports, dataset)
    detail = datasets.get_version(ports, principal, dataset.id, version.number)
    schema = detail.data_schema
    for field, name in (("key", source.key), ("column", source.column or target)):
        if schema is None or schema.column(name) is None:
            names = ", ".join(column.name for column in schema.columns[:20]) if schema else "none"
            message = f"{dataset.name}@{version.number} has no column {name!r}. Its columns are: {names}."
            raise InvalidRequestError(message, details=[ErrorDetail(location=f"body.{field}", message=message)])
    return version


def join(ports: Ports, captured: Captured, source: TruthSource) -> Judged:
    """By the text of the key: 7, 7.0 and "7" are one. Raises ConflictError where the dataset cannot be read."""
    wanted = {text for row in captured.rows if (text := to_text(row.get(source.key))) is not None}
    if captured.rows and not wanted:
        return Judged(rows=[], truths=[], notes=[_no_keys(captured, source)])
    dataset = records.find(ports, Dataset, captured.endpoint.workspace_id, source.dataset)
    version = _latest(ports, dataset)
    column = source.column or captured.signature.target
    found: dict[str, Any] = {}
    try:
        for batch in leakage.read_rows(ports, version, list(dict.fromkeys([source.key, column]))):
            _collect(batch, source.key, column, wanted, found)
    except (KeyError, pa.ArrowInvalid) as error:
        raise ConflictError(
            f"{dataset.name}@{version.number} has no columns {source.key!r} and {column!r} any more. Say where it is "
            f"written what became true: aimass endpoints truth {captured.endpoint.name} <file> --key <column>"
        ) from error
    pairs = [(row, found[text]) for row in captured.rows if (text := to_text(row.get(source.key))) in found]
    notes = [] if pairs or not captured.rows else [f"No key of {dataset.name}@{version.number} is among the captured."]
    return Judged(rows=[row for row, _ in pairs], truths=[truth for _, truth in pairs], notes=notes)


def to_text(value: Any) -> str | None:
    """Of a key, or of a label. None where there is none."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    return text or None


def _collect(batch: pa.RecordBatch, key: str, column: str, wanted: set[str], found: dict[str, Any]) -> None:
    keys, truths = batch.column(key).to_pylist(), batch.column(column).to_pylist()
    for each, truth in zip(keys, truths, strict=True):
        text = to_text(each)
        if text in wanted and truth is not None:
            found[text] = truth


def _latest(ports: Ports, dataset: Dataset) -> DatasetVersion:
    if dataset.latest_version is None:
        raise ConflictError(f"The dataset {dataset.name!r} has no version that is READY. Wait, or upload a file.")
    try:
        return records.get(ports, DatasetVersion, dataset.workspace_id, dataset.id, dataset.latest_version)
    except NotFoundError as error:
        raise ConflictError(f"The dataset {dataset.name!r} changed in this moment. Try again.") from error


def _no_keys(captured: Captured, source: TruthSource) -> str:
    return (
        f"The captured rows have no {source.key!r}, so nothing can be joined. Keep it: "
        f"aimass endpoints set {captured.endpoint.name} capture.keys={source.key}"
    )
