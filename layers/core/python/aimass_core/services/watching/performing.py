"""Live metrics: what an endpoint answered, held against what became true."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from aimass_core.domain.captures import SERVED_ANSWER, SERVED_AT, SERVED_SCORES
from aimass_core.domain.endpoint_watching import EndpointPerformance, PerformancePoint, TruthSource
from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import ConflictError
from aimass_core.ports import Ports
from aimass_core.services.watching import slicing, truths
from aimass_core.services.watching.captured import Captured, CapturedRow
from aimass_core.services.watching.figures import Answers, ClassAnswers, NumberAnswers
from aimass_core.services.watching.spans import Span

_TASKS = (Task.BINARY, Task.MULTICLASS, Task.REGRESSION)


def measure(ports: Ports, captured: Captured, source: TruthSource) -> EndpointPerformance:
    """Raises ConflictError where the answers are of a kind that is not judged."""
    signature, span = captured.signature, captured.span
    if signature.task not in _TASKS:
        raise ConflictError(
            f"Answers of a model for {signature.task} are not judged yet. Make a dataset of them (aimass endpoints "
            f"capture {captured.endpoint.name} --to <dataset>) and join them there."
        )
    judged = truths.join(ports, captured, source)
    rows, answers, num_strange = _read(signature, judged.rows, judged.truths)
    notes = [*captured.notes, *judged.notes]
    if num_strange:
        notes.append(f"{num_strange:,} rows became something that the model does not know; they are left out.")
    metrics = dict(answers.metrics()) if rows else {}
    trained = captured.version.metrics
    classes = answers if rows and isinstance(answers, ClassAnswers) else None
    return EndpointPerformance(
        endpoint=captured.endpoint.name,
        model=captured.model.ref,
        since=span.since,
        until=span.until,
        num_captured=len(captured.rows),
        num_rows=len(rows),
        metrics=metrics,
        in_training={name: trained[name] for name in metrics if name in trained},
        step_seconds=span.step_seconds,
        points=_by_step(span, rows, answers),
        confusion_matrix=classes.confusion() if classes else None,
        calibration=classes.calibration() if classes else None,
        residuals=answers.residuals() if rows and isinstance(answers, NumberAnswers) else None,
        slices=slicing.measure(signature, rows, answers) if rows else None,
        notes=notes,
    )


def _read(
    signature: Signature, rows: Sequence[CapturedRow], became: Sequence[Any]
) -> tuple[list[CapturedRow], Answers, int]:
    """Those that can be judged, and how many cannot."""
    read = _read_number if signature.labels is None else _read_label
    places = {label: index for index, label in enumerate(signature.labels or [])}
    kept = [
        (row, pair) for row, truth in zip(rows, became, strict=True) if (pair := read(row, truth, places)) is not None
    ]
    found = [row for row, _ in kept]
    truth, predicted = (np.array([pair[side] for _, pair in kept]) for side in (0, 1))
    if signature.labels is None:
        answers: Answers = NumberAnswers(truth=truth.astype(np.float64), predicted=predicted.astype(np.float64))
    else:
        scores = [row.get(SERVED_SCORES) for row in found]
        has_scores = bool(scores) and all(each is not None and None not in each for each in scores)
        answers = ClassAnswers(
            labels=signature.labels,
            truth=truth.astype(np.int64),
            predicted=predicted.astype(np.int64),
            scores=np.array(scores, dtype=np.float64) if has_scores else None,
        )
    return found, answers, len(rows) - len(found)


def _read_label(row: CapturedRow, truth: Any, places: dict[str, int]) -> tuple[float, float] | None:
    true, answered = places.get(truths.to_text(truth) or ""), places.get(str(row.get(SERVED_ANSWER)))
    return None if true is None or answered is None else (true, answered)


def _read_number(row: CapturedRow, truth: Any, places: dict[str, int]) -> tuple[float, float] | None:  # noqa: ARG001
    answered = row.get(SERVED_ANSWER)
    if not isinstance(truth, int | float) or isinstance(truth, bool) or not isinstance(answered, int | float):
        return None
    return float(truth), float(answered)


def _by_step(span: Span, rows: Sequence[CapturedRow], answers: Answers) -> list[PerformancePoint]:
    starts = [span.start_of(datetime.fromisoformat(row[SERVED_AT])) for row in rows]
    points = []
    for start in sorted(set(starts)):
        index = np.flatnonzero([each == start for each in starts])
        points.append(PerformancePoint(at=start, num_rows=len(index), metrics=dict(answers.take(index).metrics())))
    return points
