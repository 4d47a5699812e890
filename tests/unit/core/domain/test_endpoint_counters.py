"""Counts add up, and percentiles lie within their buckets."""

import pytest

from aimass_core.domain.endpoint_counters import BOUNDS_MS, Counts, bucket_of, total


def counts_of(*milliseconds: float) -> Counts:
    latencies = [0] * (len(BOUNDS_MS) + 1)
    for each in milliseconds:
        latencies[bucket_of(each)] += 1
    return Counts(requests=len(milliseconds), latencies=latencies)


@pytest.mark.parametrize(("milliseconds", "low", "high"), [(0.05, 0, 0.1), (1.0, 0.8, 1), (1.2, 1, 1.25), (42, 40, 50)])
def test_a_percentile_lies_in_the_bucket_of_its_requests(milliseconds: float, low: float, high: float) -> None:
    for share in (0.01, 0.5, 0.95, 1.0):
        found = counts_of(*[milliseconds] * 7).percentile_ms(share)
        assert found is not None
        assert low < found <= high


def test_percentiles_tell_the_slow_from_the_fast() -> None:
    counts = counts_of(*[2.5] * 90, *[400.0] * 10)
    assert counts.percentile_ms(0.5) == pytest.approx(2 + 0.5 * 50 / 90)
    assert counts.percentile_ms(0.95) == pytest.approx(315 + 85 * 5 / 10)
    assert counts_of(1e9).percentile_ms(0.95) == BOUNDS_MS[-1], "beyond the last bound"
    assert Counts().percentile_ms(0.95) is None


def test_counts_add_up_and_come_back_from_what_is_stored() -> None:
    left = counts_of(1, 2, 3).model_copy(update={"errors": 1, "refused": 1, "compared": 4, "disagreed": 1})
    both = total([left, counts_of(2), Counts()])
    assert both == left + counts_of(2)
    assert (both.requests, both.errors, sum(both.latencies)) == (4, 1, 4)
    assert both.error_rate == pytest.approx(1 / 3), "of the requests that were right"
    assert both.disagreement == pytest.approx(1 / 4)
    assert Counts.from_amounts(both.to_amounts()) == both
    assert Counts().to_amounts() == {}
    assert (Counts().error_rate, Counts().disagreement) == (None, None)
