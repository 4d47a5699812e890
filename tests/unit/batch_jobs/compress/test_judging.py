"""Which candidate is chosen, and what is said where none is."""

from typing import Any

from aimass_core.domain.compression import CompressionCandidate, CompressionMethod, CompressionStep, CompressSpec
from aimass_core.domain.model_jobs import Cost, Score
from batch_jobs.compress.judging import advise, choose, find_missed, mark_front, would_be_chosen


def _candidate(name: str, *, drop: float, size: int, ms: float) -> CompressionCandidate:
    steps = [] if name == "original" else [CompressionStep(method=CompressionMethod.OPTIMIZATION)]
    return CompressionCandidate(
        name=name,
        steps=steps,
        score=Score(metric="roc_auc", value=0.9 - drop, num_rows=100),
        metric_drop=drop,
        cost=Cost(latency_p50_ms=ms, latency_p95_ms=ms, model_bytes=size),
        seconds=1.0,
    )


ORIGINAL = _candidate("original", drop=0.0, size=1000, ms=1.0)
SAFE = _candidate("safe", drop=0.0001, size=900, ms=0.5)
MIDDLE = _candidate("middle", drop=0.004, size=300, ms=0.6)
SLOW = _candidate("slow", drop=0.005, size=100, ms=3.0)
POOR = _candidate("poor", drop=0.05, size=50, ms=0.1)
ALL = (ORIGINAL, SAFE, MIDDLE, SLOW, POOR)


def _spec(**limits: Any) -> CompressSpec:
    return CompressSpec.model_validate({"kind": "compress", "parent": "tiny@1"} | limits)


def _judged(spec: CompressSpec, *candidates: CompressionCandidate) -> list[CompressionCandidate]:
    return [each.model_copy(update={"missed": find_missed(each, spec)}) for each in candidates]


def _name(spec: CompressSpec, *candidates: CompressionCandidate) -> str | None:
    chosen = choose(_judged(spec, *candidates), spec)
    return None if chosen is None else chosen.name


def test_without_a_budget_the_smallest_that_is_no_slower_wins() -> None:
    assert _name(_spec(), *ALL) == "middle"


def test_with_a_budget_the_best_score_within_it_wins() -> None:
    assert _name(_spec(max_model_bytes=950), *ALL) == "safe"
    assert _name(_spec(max_model_bytes=200), *ALL) == "slow"
    assert _name(_spec(max_latency_ms=0.2, max_metric_drop=0.1), *ALL) == "poor"


def test_scores_that_hardly_differ_leave_it_to_the_size() -> None:
    near = _candidate("near", drop=0.0009, size=400, ms=0.5)
    assert _name(_spec(max_model_bytes=950), *ALL, near) == "near"


def test_a_faster_model_of_the_same_size_is_a_gain_and_a_slower_smaller_one_is_none() -> None:
    faster = _candidate("faster", drop=0.0, size=1000, ms=0.5)
    assert _name(_spec(), ORIGINAL, faster) == "faster"
    assert _name(_spec(), ORIGINAL, SLOW) is None
    assert _name(_spec(), ORIGINAL, _candidate("hardly", drop=0.0, size=990, ms=1.0)) is None


def test_a_step_is_worth_bettering_where_one_of_its_cost_that_loses_nothing_would_be_chosen() -> None:
    def is_worth(spec: CompressSpec, candidate: CompressionCandidate, *others: CompressionCandidate) -> bool:
        known = _judged(spec, ORIGINAL, candidate, *others)
        return would_be_chosen(known[1], ORIGINAL, known, spec)

    lossy = _candidate("lossy", drop=0.005, size=300, ms=0.5)
    assert is_worth(_spec(max_metric_drop=0.002), lossy)
    # It is chosen already: without a limit of bytes what it loses within the limit costs nothing.
    assert not is_worth(_spec(max_metric_drop=0.01), lossy)
    # Within one the best score wins; what differs by a tenth of what may be lost does not count.
    assert is_worth(_spec(max_metric_drop=0.01, max_model_bytes=400), lossy)
    assert not is_worth(
        _spec(max_metric_drop=0.06, max_model_bytes=400), SAFE.model_copy(update={"metric_drop": 0.001})
    )
    # It misses a limit that no score makes good, or another is smaller and good enough.
    assert not is_worth(_spec(max_metric_drop=0.002, max_model_bytes=200), lossy)
    assert not is_worth(_spec(max_metric_drop=0.002), lossy, _candidate("small", drop=0.001, size=200, ms=0.5))


def test_limits_that_are_missed_are_told_with_figures() -> None:
    spec = _spec(max_model_bytes=70, max_latency_ms=0.05, max_metric_drop=0.01)
    (poor, slow) = _judged(spec, POOR, SLOW)
    assert poor.missed == ["latency_ms 0.1 > 0.05", "drop of roc_auc 0.05 > 0.01"]
    assert slow.missed[0] == "model_bytes 100 > 70"


def test_the_front_is_what_no_other_beats() -> None:
    beaten = _candidate("beaten", drop=0.006, size=301, ms=0.6)
    assert [each.name for each in mark_front([*ALL, beaten]) if each.is_pareto] == [each.name for each in ALL]


def test_f5_advice_says_which_limit_alone_to_relax_and_to_what() -> None:
    spec = _spec(max_model_bytes=80, max_metric_drop=0.01)
    words = advise(_judged(spec, *ALL), spec)
    assert words[0].startswith("slow comes nearest")
    assert "model_bytes 100 > 80" in words[0]
    assert any(text.startswith("max_model_bytes = 100 ") for text in words)
    assert any(text.startswith("max_metric_drop = 0.05 ") for text in words)
    relaxed = _spec(max_model_bytes=100, max_metric_drop=0.01)
    assert _name(relaxed, *ALL) == "slow"


def test_advice_relaxes_several_limits_where_one_alone_does_not_help() -> None:
    spec = _spec(max_model_bytes=10, max_metric_drop=0.0)
    (_, last) = advise(_judged(spec, ORIGINAL, MIDDLE), spec)
    assert last == "max_model_bytes = 300 and max_metric_drop = 0.004 would be met by it"
