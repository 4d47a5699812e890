"""Whether the distribution of columns has moved since the last version.

PSI over the deciles of the last version (or its commonest values, and what is missing), and the Kolmogorov-Smirnov
distance of numbers. Both also move by chance, the more the fewer rows there are, so each must pass its limit and what
chance reaches one time in a thousand (of PSI: Yurdakul 2018; of KS: Smirnov's asymptotic).
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aimass_core.domain.column_sketches import ColumnSketch
from aimass_core.domain.quality import Chart, DriftExpected
from aimass_core.services.quality.findings import Facts, Finding, missed, skipped

_NUM_BINS = 10
_MAX_VALUES = 20
_MAX_CHARTS = 12
_MAX_NAMED = 5
_Z = 3.09  # of one in a thousand, one-sided
_KOLMOGOROV = 1.95

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How far one column has moved. The limits are already raised to what chance reaches."""

    name: str
    psi: float
    psi_limit: float
    ks: float | None
    ks_limit: float
    chart: Chart

    @property
    def is_drift(self) -> bool:
        """Whether it is over a limit."""
        return self.psi > self.psi_limit or (self.ks is not None and self.ks > self.ks_limit)


class Drift:
    """Needs no rows: the sketches say it all."""

    def __init__(self, expected: DriftExpected) -> None:
        self._expected = expected

    def add(self, batch: pa.RecordBatch) -> None:
        """See Check."""

    def finish(self, facts: Facts, /) -> Finding:
        """See Check."""
        expected = self._expected
        absent = [name for name in expected.columns or [] if facts.schema.column(name) is None]
        if absent:
            return missed(f"There is no column {absent[0]!r}.")
        if facts.former is None:
            return skipped("There is no version before this one to compare with.")
        moved = []
        for now in facts.fresh.columns:
            before = facts.former.column(now.name)
            if before is None or (expected.columns is not None and now.name not in expected.columns):
                continue
            if before.num_seen and now.num_seen and before.type is now.type:
                moved.append(compare(before, now, expected))
        if not moved:
            return skipped("No column has a distribution that both versions know.")
        return _to_finding(moved, expected)


def compare(before: ColumnSketch, now: ColumnSketch, expected: DriftExpected) -> Moved:
    """One column of two versions."""
    labels, shares_before, shares_now = _numbers(before, now) if before.points else _values(before, now)
    noise = 1 / before.num_seen + 1 / now.num_seen
    ks = _distance(before, now) if before.points and expected.max_ks is not None else None
    return Moved(
        name=now.name,
        psi=_psi(shares_before, shares_now, before, now),
        psi_limit=max(expected.max_psi, _chi_squared(max(len(labels) - 1, 1)) * noise),
        ks=ks,
        ks_limit=max(expected.max_ks or 1.0, _KOLMOGOROV * math.sqrt(noise)),
        chart=Chart(title=now.name, labels=labels, before=shares_before.tolist(), now=shares_now.tolist()),
    )


def _to_finding(moved: Sequence[Moved], expected: DriftExpected) -> Finding:
    moved = sorted(moved, key=lambda column: -column.psi)
    drifted = [column for column in moved if column.is_drift]
    named = ", ".join(
        f"{column.name} (PSI {column.psi:.3f}" + (f", KS {column.ks:.3f})" if column.ks is not None else ")")
        for column in drifted[:_MAX_NAMED]
    )
    more = f" and {len(drifted) - _MAX_NAMED} more" if len(drifted) > _MAX_NAMED else ""
    message = (
        f"{len(drifted)} of {len(moved)} columns have moved: {named}{more}."
        if drifted
        else f"None of {len(moved)} columns has moved; the most is {moved[0].name} (PSI {moved[0].psi:.3f})."
    )
    shown = drifted or moved[:1]
    return Finding(
        is_met=not drifted,
        message=message,
        observed=moved[0].psi,
        limit=expected.max_psi,
        examples=[column.name for column in drifted[:_MAX_NAMED]],
        charts=[column.chart for column in shown[:_MAX_CHARTS]],
    )


def _numbers(before: ColumnSketch, now: ColumnSketch) -> tuple[list[str], Floats, Floats]:
    """Shares between the deciles of before; where it has few values, of each, and of what lies outside of them."""
    points = np.asarray(before.points)
    if len(points) <= _NUM_BINS:
        edges = np.concatenate([[np.nextafter(points[0], -np.inf)], points])
        named = [f"{point:.4g}" for point in points]
        labels = [f"< {named[0]}", *named, f"> {named[-1]}"]
    else:
        places = np.searchsorted(np.asarray(before.upto), np.arange(1, _NUM_BINS) / _NUM_BINS)
        edges = np.unique(points[np.minimum(places, len(points) - 2)])
        named = [f"{edge:.4g}" for edge in edges]
        between = [f"{low} to {high}" for low, high in itertools.pairwise(named)]
        labels = [f"≤ {named[0]}", *between, f"> {named[-1]}"]
    shares = [np.diff(np.concatenate([[0.0], _upto(sketch, edges), [1.0]])) for sketch in (before, now)]
    return _with_missing(labels, shares, before, now)


def _values(before: ColumnSketch, now: ColumnSketch) -> tuple[list[str], Floats, Floats]:
    """Shares of the commonest values of before, and of all others."""
    labels = [count.value for count in before.counts[:_MAX_VALUES]]
    shares = []
    for sketch in (before, now):
        counted = {count.value: count.count for count in sketch.counts}
        found = [counted.get(label, 0) for label in labels]
        shares.append(np.asarray([*found, sketch.num_values - sum(found)]) / max(sketch.num_values, 1))
    return _with_missing([*labels, "others"], shares, before, now)


def _with_missing(
    labels: list[str], shares: Sequence[Floats], before: ColumnSketch, now: ColumnSketch
) -> tuple[list[str], Floats, Floats]:
    if not before.num_missing and not now.num_missing:
        return labels, shares[0], shares[1]
    completed = []
    for sketch, present in zip((before, now), shares, strict=True):
        missing = sketch.num_missing / (sketch.num_missing + sketch.num_values)
        completed.append(np.concatenate([present * (1 - missing), [missing]]))
    return [*labels, "missing"], completed[0], completed[1]


def _psi(before: Floats, now: Floats, first: ColumnSketch, second: ColumnSketch) -> float:
    """With half a row in each bin, so that an empty one is no infinity."""
    smooth = [
        (shares * sketch.num_seen + 0.5) / (sketch.num_seen + 0.5 * len(shares))
        for shares, sketch in ((before, first), (now, second))
    ]
    return float(np.sum((smooth[1] - smooth[0]) * np.log(smooth[1] / smooth[0])))


def _distance(before: ColumnSketch, now: ColumnSketch) -> float:
    points = np.union1d(before.points, now.points)
    upto = np.abs(_upto(before, points) - _upto(now, points)).max()
    below = np.abs(_below(before, points) - _below(now, points)).max()
    return float(max(upto, below))


def _upto(sketch: ColumnSketch, at: Floats) -> Floats:
    """The share of values up to each of some numbers: exact at the points, a straight line between them."""
    points, below, upto = np.asarray(sketch.points), np.asarray(sketch.below), np.asarray(sketch.upto)
    left = np.searchsorted(points, at, side="right") - 1
    right = np.minimum(left + 1, len(points) - 1)
    start = np.maximum(left, 0)
    width = points[right] / 2 - points[start] / 2
    part = np.divide(at / 2 - points[start] / 2, width, out=np.zeros(len(at)), where=width > 0)
    found = upto[start] + np.clip(part, 0, 1) * np.maximum(below[right] - upto[start], 0)
    return np.asarray(np.where(left < 0, 0.0, found))


def _below(sketch: ColumnSketch, at: Floats) -> Floats:
    points, below = np.asarray(sketch.points), np.asarray(sketch.below)
    places = np.minimum(np.searchsorted(points, at), len(points) - 1)
    return np.asarray(np.where(points[places] == at, below[places], _upto(sketch, at)))


def _chi_squared(freedom: int) -> float:
    """What one in a thousand exceeds, by Wilson and Hilferty's approximation."""
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + _Z * math.sqrt(part)) ** 3)
