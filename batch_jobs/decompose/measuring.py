"""What wholes cost and how good they are beside the single model, and which of them is handed over."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aimass_core.domain.decomposition import DecomposeSpec, DecompositionMethod
from aimass_core.domain.model_jobs import Cost, Score
from aimass_core.domain.signatures import Signature
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.decompose.wholes import Whole
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER, evaluate, fallback_metric, measure, primary_metric
from batch_jobs.evaluate.scoring import to_inputs
from batch_jobs.registered import costs, operations

_LATENCY_ROWS = 16
_OPERATION_ROWS = 100
_NUM_RESAMPLES = 50
_LATENCY_SECONDS = 0.5


@dataclass(kw_only=True)
class Tried:
    """A whole as one graph, or the single model (`whole` is None), and its answers to the rows of validation."""

    name: str
    whole: Whole | None
    model: bytes
    signature: Signature
    scores: Array
    score: Score
    cost: Cost | None = None
    counted: int | None = None
    """Operations of a row, once they have been counted."""
    missed: list[str] = field(default_factory=list)

    @property
    def method(self) -> DecompositionMethod | None:
        """None of the single model."""
        return None if self.whole is None else self.whole.method

    @property
    def num_operations(self) -> int:
        """Of a row."""
        assert self.cost is not None  # noqa: S101  it is measured before it is asked for
        return self.cost.num_operations or 0


def judge(scores: Array, truth: Array, target: Target, *, metric: str | None) -> Score:
    """By the metric that is asked for, else the primary one."""
    found = evaluate("validation", target, truth, scores).metrics
    name = metric if metric in found else primary_metric(target, found)
    return Score(metric=name, value=found[name], metrics=found, num_rows=len(truth))


def measure_alone(single: Tried, rows: Frame, spec: DecomposeSpec, *, num_cpus: int) -> float:
    """Fills in the cost of the single model, and tells how many seconds measuring takes on this machine."""
    began = time.monotonic()
    measure_all([single], rows, spec, num_cpus=num_cpus)
    return time.monotonic() - began


def measure_all(tried: Sequence[Tried], rows: Frame, spec: DecomposeSpec, *, num_cpus: int) -> None:
    """Fills in costs and the limits that are missed. The first is the single model.

    Latency and operations are means over rows, which go different ways. Of what was measured before, only the latency
    is measured again: in turns with the others.
    """
    num_threads = costs.resolve_threads(spec.device, num_cpus=num_cpus)
    chosen = np.random.default_rng(spec.seed).permutation(rows.num_rows)
    frame = rows.take(chosen[:_LATENCY_ROWS])
    by_inputs: dict[tuple[str, ...], list[Tried]] = {}
    for each in tried:
        key = tuple(sorted(f"{given.name} {given.datatype}" for given in each.signature.inputs))
        by_inputs.setdefault(key, []).append(each)
    for alike in by_inputs.values():
        found = costs.measure_all(
            [each.model for each in alike],
            alike[0].signature,
            frame,
            num_threads=num_threads,
            seconds=_LATENCY_SECONDS,
            known=[each.cost for each in alike],
        )
        for each, cost in zip(alike, found, strict=True):
            each.cost = cost.model_copy(update={"num_operations": count_operations(each, rows, seed=spec.seed)})
            each.missed = find_missed(each.cost, spec)


def count_operations(tried: Tried, rows: Frame, *, seed: int) -> int:
    """Of a row, the mean over some of them; it is known then."""
    if tried.counted is not None:
        return tried.counted
    chosen = rows.take(np.random.default_rng(seed).permutation(rows.num_rows)[:_OPERATION_ROWS])
    singles = [to_inputs(chosen.take(np.asarray([row])), tried.signature) for row in range(chosen.num_rows)]
    tried.counted = operations.count(tried.model, singles)
    return tried.counted


def find_missed(cost: Cost, spec: DecomposeSpec) -> list[str]:
    """The limits that a whole does not keep, with figures."""
    limits = [
        ("model_bytes", cost.model_bytes, spec.max_model_bytes),
        ("latency_ms", cost.latency_p50_ms, spec.max_latency_ms),
    ]
    return [f"{name} {value:,} > {limit:,}" for name, value, limit in limits if limit is not None and value > limit]


def choose(tried: Sequence[Tried], truth: Array, target: Target, *, seed: int) -> Tried | None:
    """Which whole is handed over; None where each misses a limit.

    Of those that need no more operations than the single model, or of all where there are none: the one with the
    fewest operations among those that are not worse than the best of them by more than the standard error of that
    difference on the rows that judge.
    """
    single, *wholes = tried
    kept = [each for each in wholes if not each.missed]
    affordable = [each for each in kept if each.num_operations <= single.num_operations] or kept
    if not affordable:
        return None
    sign = -1 if affordable[0].score.metric in LOWER_IS_BETTER else 1
    best = max(affordable, key=lambda each: (sign * each.score.value, -each.num_operations))
    equal = [
        each
        for each in affordable
        if each is best
        or sign * (best.score.value - each.score.value) <= find_noise(best, each, truth, target, seed=seed)
    ]
    return min(equal, key=lambda each: (each.num_operations, -sign * each.score.value))


def find_noise(one: Tried, other: Tried, truth: Array, target: Target, *, seed: int) -> float:
    """The standard error of the difference of two scores, by the bootstrap over the same rows."""
    generator, metric = np.random.default_rng(seed), one.score.metric
    differences = []
    for _ in range(_NUM_RESAMPLES):
        rows = generator.integers(len(truth), size=len(truth))
        first, second = (measure(metric, target, truth[rows], each.scores[rows]) for each in (one, other))
        if first is not None and second is not None:
            differences.append(first - second)
    return float(np.std(differences)) if differences else 0.0


def measure_on(metric: str, target: Target, truth: Array, scores: Array) -> Score | None:
    """On some rows, by another metric where these do not have it; None where there are none."""
    if not len(truth):
        return None
    name, value = metric, measure(metric, target, truth, scores)
    if value is None:
        name = fallback_metric(target) if target.labels is not None else "rmse"
        value = measure(name, target, truth, scores)
    return None if value is None else Score(metric=name, value=value, num_rows=len(truth))
