"""What a candidate is worth beside the original: its score, which limits it misses, and which candidate is chosen.

The winner meets every limit and is smaller or faster than the original. Where `max_model_bytes` or `max_latency_ms` is
given it is the one with the best score: a budget says that what lies below it costs nothing. Scores that differ by no
more than a tenth of `max_metric_drop`, and than .002, are taken for the same, and the smallest file decides. Without
such a limit it is the smallest file that is no slower than the original; where every smaller one is slower, the fastest
that is no larger.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from aimass_core.domain.compression import CompressionCandidate, CompressSpec
from aimass_core.domain.model_jobs import Score
from aimass_core.domain.signatures import Signature
from aimass_core.errors import ErrorDetail, InvalidDataError, InvalidRequestError
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER, PRIMARY_METRICS, evaluate, fallback_metric
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.train.material import VALIDATION, Material

_MAX_ROWS = 10_000
_LATENCY_NOISE = 1.05
"""What differs by less in latency is as fast: the same file measured twice does."""
_SMALLER = 0.98
"""Of the original's bytes: what is left out of the last fiftieth is no compression."""
_SAME, _MAX_SAME = 0.1, 0.002
_TINY = 1e-12


class Judge:
    """Scores models on the rows that validate; of very many, on 10,000 that the seed chooses."""

    def __init__(self, material: Material, signature: Signature, spec: CompressSpec, *, num_threads: int) -> None:
        self.signature = signature
        self._spec, self._target, self._num_threads = spec, material.target, num_threads
        part = material.parts[VALIDATION]
        if part.num_rows > _MAX_ROWS:
            chosen = np.random.default_rng(spec.seed).choice(part.num_rows, size=_MAX_ROWS, replace=False)
            part = part.take(np.sort(chosen), name=VALIDATION)
        self.frame, self._truth = part.sample(seed=spec.seed).frame, part.truth
        self.metric = ""

    def score(self, model: bytes) -> Score:
        """Of a whole model.

        Raises:
            InvalidDataError: Some of its answers are no numbers.
            InvalidRequestError: The data does not have the metric that is asked for.
        """
        scorer = Scorer(model, self.signature, num_threads=self._num_threads)
        scores = scorer.answer(self.frame).scores
        num_bad = int((~np.isfinite(scores.reshape(len(scores), -1))).any(axis=1).sum())
        if num_bad:
            raise InvalidDataError(
                f"it answers {num_bad:,} of {len(scores):,} rows with what is no number: have the graph fill what is "
                "missing, or leave these rows out"
            )
        metrics = evaluate(VALIDATION, self._target, self._truth, scores).metrics
        self.metric = self.metric or self._resolve_metric(metrics)
        return Score(metric=self.metric, value=metrics[self.metric], metrics=metrics, num_rows=len(self._truth))

    def rank(self, model: onnx.ModelProto) -> float:
        """The metric of a whole model, the higher the better."""
        return self.sign * self.score(model.SerializeToString()).value

    @property
    def sign(self) -> float:
        """What makes the better of two values the larger one."""
        return -1.0 if self.metric in LOWER_IS_BETTER else 1.0

    def drop(self, original: Score, score: Score) -> float:
        """As `max_metric_drop` counts it."""
        if self.metric not in LOWER_IS_BETTER:
            return original.value - score.value
        return (score.value - original.value) / max(abs(original.value), _TINY)

    def _resolve_metric(self, metrics: dict[str, float]) -> str:
        name = self._spec.metric or PRIMARY_METRICS[self._target.task]
        if name not in metrics and self._spec.metric is None:
            name = fallback_metric(self._target)
        if name not in metrics:
            message = f"The metric {name!r} is none of this data. It has: {', '.join(metrics)}. Choose one of them."
            raise InvalidRequestError(message, details=[ErrorDetail(location="body.spec.metric", message=message)])
        return name


def find_missed(candidate: CompressionCandidate, spec: CompressSpec) -> list[str]:
    """The limits that it misses, with figures."""
    cost, found = candidate.cost, []
    if spec.max_model_bytes is not None and cost.model_bytes > spec.max_model_bytes:
        found.append(f"model_bytes {cost.model_bytes:,} > {spec.max_model_bytes:,}")
    if spec.max_latency_ms is not None and cost.latency_p50_ms > spec.max_latency_ms:
        found.append(f"latency_ms {cost.latency_p50_ms:.4g} > {spec.max_latency_ms:.4g}")
    if candidate.metric_drop > spec.max_metric_drop + _TINY:
        found.append(f"drop of {candidate.score.metric} {candidate.metric_drop:.4g} > {spec.max_metric_drop:.4g}")
    return found


def beats(one: CompressionCandidate, other: CompressionCandidate) -> bool:
    """As good in score, latency and bytes, and better in one of them."""
    mine, its = _figures(one), _figures(other)
    return mine != its and all(own <= theirs for own, theirs in zip(mine, its, strict=True))


def mark_front(candidates: Sequence[CompressionCandidate]) -> list[CompressionCandidate]:
    """With `is_pareto` filled in."""
    return [
        each.model_copy(update={"is_pareto": not any(beats(other, each) for other in candidates)})
        for each in candidates
    ]


def is_gain(candidate: CompressionCandidate, original: CompressionCandidate, spec: CompressSpec) -> bool:
    """Whether it is smaller or faster. Where a limit is given, nothing more is asked for than what the limit says."""
    if not candidate.steps:
        return False
    is_smaller = candidate.cost.model_bytes < original.cost.model_bytes * _SMALLER
    is_faster = candidate.cost.latency_p50_ms * _LATENCY_NOISE < original.cost.latency_p50_ms
    if spec.max_model_bytes is not None or spec.max_latency_ms is not None:
        return is_smaller or is_faster
    is_slower = candidate.cost.latency_p50_ms > original.cost.latency_p50_ms * _LATENCY_NOISE
    is_larger = candidate.cost.model_bytes > original.cost.model_bytes
    return (is_smaller and not is_slower) or (is_faster and not is_larger)


def choose(candidates: Sequence[CompressionCandidate], spec: CompressSpec) -> CompressionCandidate | None:
    """The winner, of candidates whose first is the original. See the module."""
    original = candidates[0]
    fit = [each for each in candidates if not each.missed and is_gain(each, original, spec)]
    if not fit:
        return None
    if spec.max_model_bytes is not None or spec.max_latency_ms is not None:
        best = min(each.metric_drop for each in fit)
        fit = [each for each in fit if each.metric_drop <= best + min(_SAME * spec.max_metric_drop, _MAX_SAME)]
    return min(fit, key=lambda each: (each.cost.model_bytes, each.cost.latency_p50_ms, each.metric_drop))


def would_be_chosen(
    candidate: CompressionCandidate,
    before: CompressionCandidate,
    candidates: Sequence[CompressionCandidate],
    spec: CompressSpec,
) -> bool:
    """Whether one would win that has the candidate's cost and loses no more than the one `before` its last step."""
    # NOTE: by a byte larger, so that the candidate itself comes first where it is as good.
    cost = candidate.cost.model_copy(update={"model_bytes": candidate.cost.model_bytes + 1})
    better = candidate.model_copy(update={"cost": cost, "metric_drop": before.metric_drop})
    better = better.model_copy(update={"missed": find_missed(better, spec)})
    return choose([*candidates, better], spec) is better


def _figures(candidate: CompressionCandidate) -> tuple[float, ...]:
    return candidate.metric_drop, candidate.cost.latency_p50_ms, float(candidate.cost.model_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """One of the limits, by how it is given; `figure` is what a candidate has of it."""

    name: str
    value: float | None

    def figure(self, candidate: CompressionCandidate) -> float:
        cost = candidate.cost
        figures = {
            "max_model_bytes": float(cost.model_bytes),
            "max_latency_ms": cost.latency_p50_ms,
            "max_metric_drop": candidate.metric_drop,
        }
        return figures[self.name]

    def is_met(self, candidate: CompressionCandidate) -> bool:
        return self.value is None or self.figure(candidate) <= self.value + _TINY

    def relaxed(self, candidate: CompressionCandidate) -> str:
        figure = self.figure(candidate)
        return f"{int(figure):,}" if self.name == "max_model_bytes" else f"{_round_up(figure):.3g}"


def advise(candidates: Iterable[CompressionCandidate], spec: CompressSpec) -> list[str]:
    """What came nearest, and to what each limit alone would have to be relaxed; of candidates that are not the
    original, none of which meets all limits."""
    made = [each for each in candidates if each.steps]
    if not made:
        return []
    limits = [
        _Limit(name="max_model_bytes", value=spec.max_model_bytes),
        _Limit(name="max_latency_ms", value=spec.max_latency_ms),
        _Limit(name="max_metric_drop", value=spec.max_metric_drop),
    ]
    nearest = min(made, key=lambda each: _distance(each, limits))
    words = [f"{nearest.name} comes nearest: {describe(nearest)}; it misses {' and '.join(nearest.missed)}"]
    for limit in limits:
        others = [each for each in made if all(other.is_met(each) for other in limits if other is not limit)]
        if limit.value is not None and others:
            best = min(others, key=limit.figure)
            words.append(f"{limit.name} = {limit.relaxed(best)} would be met by {best.name}, which meets all the rest")
    if len(words) == 1:
        missed = [limit for limit in limits if not limit.is_met(nearest)]
        words.append(
            " and ".join(f"{limit.name} = {limit.relaxed(nearest)}" for limit in missed) + " would be met by it"
        )
    return words


def describe(candidate: CompressionCandidate) -> str:
    """Its figures in a line."""
    return (
        f"{candidate.score.metric} {candidate.score.value:.5g}, {candidate.cost.model_bytes:,} bytes, "
        f"{candidate.cost.latency_p50_ms:.3g} ms"
    )


def _distance(candidate: CompressionCandidate, limits: Sequence[_Limit]) -> float:
    """How many times the limit that it misses most has to be multiplied, on a logarithmic scale summed over all."""
    least = 1e-4
    return sum(
        max(float(np.log(max(limit.figure(candidate), least) / max(limit.value, least))), 0.0)
        for limit in limits
        if limit.value is not None
    )


def _round_up(value: float) -> float:
    """To three digits that matter, so that the candidate meets it."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (np.floor(np.log10(value)) - 2)
    return float(np.ceil(value / unit) * unit)
