"""Drift of what an endpoint is asked, and of what it answers, from what it was trained on.

The distributions of the training data were kept when they were ingested (`sketches.json`), so no row of them is read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from aimass_core.domain import keys
from aimass_core.domain.captures import SERVED_ANSWER
from aimass_core.domain.column_sketches import ColumnSketch, Sketches
from aimass_core.domain.endpoint_watching import ColumnDrift, EndpointDrift
from aimass_core.domain.jobs import PinnedDataset
from aimass_core.domain.models import ArtifactName, ModelVersion
from aimass_core.domain.quality import DriftExpected
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema, ValueCount
from aimass_core.domain.signatures import Card, Signature, Task
from aimass_core.ports import BlobNotFoundError, Ports
from aimass_core.services.ingest.profiling import Profiler
from aimass_core.services.quality import drift
from aimass_core.services.watching.captured import Captured, CapturedRow

LIMITS = DriftExpected(check="drift", max_psi=0.25, max_ks=0.15)
_ARROW = {
    ColumnType.NUMBER: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.STRING: pa.string(),
    ColumnType.SERIES: pa.list_(pa.float64()),
}
# To a model a whole number is a number.
_AS = {ColumnType.INTEGER: ColumnType.NUMBER}


def measure(ports: Ports, captured: Captured) -> EndpointDrift:
    """Every column of which both sides know the distribution."""
    version, notes = captured.version, captured.notes
    pinned = version.datasets.get("train")
    training = None if pinned is None else _load_sketches(ports, pinned.workspace_id or version.workspace_id, pinned)
    if training is None:
        notes.append("The distributions of the training data are not known: it was deleted, or not made here.")
    now = sketch(captured.signature, captured.rows)
    columns = [
        _to_drift(before, each)
        for each in now.columns
        if training is not None and (before := training.column(each.name)) is not None
        if before.num_seen and each.num_seen and bool(before.points) == bool(each.points)
    ]
    known = {column.name for column in columns}
    silent = [spec.column or spec.name for spec in captured.signature.inputs if (spec.column or spec.name) not in known]
    if silent and captured.rows and training is not None:
        words = ", ".join(silent[:10]) + (f" and {len(silent) - 10} more" if len(silent) > 10 else "")
        notes.append(f"Not compared, as one side has no distribution of them or they are not captured: {words}.")
    return EndpointDrift(
        endpoint=captured.endpoint.name,
        model=captured.model.ref,
        since=captured.span.since,
        until=captured.span.until,
        num_rows=len(captured.rows),
        training=None if pinned is None else f"{pinned.dataset_name}@{pinned.number}",
        columns=sorted(columns, key=lambda column: -column.psi),
        answers=_of_answers(ports, captured, training),
        notes=notes,
    )


def sketch(signature: Signature, rows: Sequence[CapturedRow]) -> Sketches:
    """Distributions of the columns that the model takes."""
    columns = [
        Column(name=spec.column or spec.name, type=column_type)
        for spec in signature.inputs
        if spec.column_type is not None and (column_type := _AS.get(spec.column_type, spec.column_type)) in _ARROW
    ]
    present = [column for column in columns if any(column.name in row for row in rows)]
    return _profile(present, rows)


def _profile(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> Sketches:
    if not columns:
        return Sketches(columns=[])
    profiler = Profiler(Schema(kind=DatasetKind.TABLE, columns=list(columns)))
    arrays = [pa.array([row.get(column.name) for row in rows], type=_ARROW[column.type]) for column in columns]
    profiler.add(pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns]))
    return profiler.sketches()


def _of_answers(ports: Ports, captured: Captured, training: Sketches | None) -> ColumnDrift | None:
    answered = [{SERVED_ANSWER: row[SERVED_ANSWER]} for row in captured.rows if row.get(SERVED_ANSWER) is not None]
    task = captured.signature.task
    if not answered or task in (Task.MULTILABEL, Task.FORECASTING, Task.CUSTOM):
        return None
    if task is Task.REGRESSION:
        before = None if training is None else training.column(captured.signature.target)
        column_type = ColumnType.NUMBER
    else:
        before = _tested_labels(ports, captured.version)
        column_type = ColumnType.STRING
    now = _profile([Column(name=SERVED_ANSWER, type=column_type)], answered).column(SERVED_ANSWER)
    if before is None or now is None or not before.num_seen or bool(before.points) != bool(now.points):
        return None
    return _to_drift(before, now.model_copy(update={"name": "answer"}))


def _tested_labels(ports: Ports, version: ModelVersion) -> ColumnSketch | None:
    """Labels that the model gave in its last evaluation: it need not answer as often with each as is true."""
    key = keys.model_object(version.workspace_id, version.model_id, version.number, ArtifactName.CARD)
    try:
        card = Card.model_validate_json(ports.lake.get(key))
    except BlobNotFoundError:
        return None
    matrix = next((each.confusion_matrix for each in reversed(card.evaluations) if each.confusion_matrix), None)
    if matrix is None:
        return None
    counts = [sum(row[index] for row in matrix.counts) for index in range(len(matrix.labels))]
    order = sorted(zip(matrix.labels, counts, strict=True), key=lambda pair: -pair[1])
    return ColumnSketch(
        name="answer",
        type=ColumnType.STRING,
        num_values=sum(counts),
        num_missing=0,
        num_seen=sum(counts),
        counts=[ValueCount(value=label, count=count) for label, count in order],
    )


def _load_sketches(ports: Ports, workspace_id: str, pinned: PinnedDataset) -> Sketches | None:
    key = keys.dataset_version_object(workspace_id, pinned.dataset_id, pinned.number, "sketches.json")
    try:
        return Sketches.model_validate_json(ports.lake.get(key))
    except BlobNotFoundError:
        return None


def _to_drift(before: ColumnSketch, now: ColumnSketch) -> ColumnDrift:
    moved = drift.compare(before, now, LIMITS)
    return ColumnDrift(
        name=moved.name,
        psi=moved.psi,
        psi_limit=moved.psi_limit,
        ks=moved.ks,
        ks_limit=moved.ks_limit if moved.ks is not None else None,
        is_drift=moved.is_drift,
        chart=moved.chart,
    )
