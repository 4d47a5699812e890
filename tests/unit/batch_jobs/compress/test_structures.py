"""Which structure is trained next: halving, by what trained ones are worth, and within limits the largest."""

import pytest

from aimass_core.domain.compression import CompressionCandidate, CompressionMethod, CompressionStep, CompressSpec
from aimass_core.domain.model_jobs import Cost, Score
from batch_jobs.compress.judging import find_missed
from batch_jobs.compress.searching import name_of
from batch_jobs.compress.structures import (
    choose_structure,
    count_trainings,
    find_storage,
    find_unknown,
    is_structure,
)

METHODS = CompressionMethod
_ORIGINAL_BYTES = 100_000


def _spec(**limits: object) -> CompressSpec:
    return CompressSpec.model_validate({"kind": "compress", "parent": "a@1", "max_metric_drop": 0.01} | limits)


def _candidate(
    *steps: CompressionStep, num_bytes: int, drop: float = 0.8, latency_ms: float = 1.0, spec: CompressSpec
) -> CompressionCandidate:
    score = Score(metric="accuracy", value=0.9 - drop, metrics={"accuracy": 0.9 - drop}, num_rows=100)
    cost = Cost(latency_p50_ms=latency_ms, latency_p95_ms=latency_ms, model_bytes=num_bytes)
    found = CompressionCandidate(
        name=name_of(steps), steps=list(steps), score=score, metric_drop=drop, cost=cost, seconds=1.0
    )
    return found.model_copy(update={"missed": find_missed(found, spec)})


def _cut(percent: int) -> CompressionStep:
    return CompressionStep(method=METHODS.SPARSIFICATION, settings={"ratio": percent / 100})


_TUNED = CompressionStep(method=METHODS.FINETUNING)
_STORED = CompressionStep(method=METHODS.QUANTIZATION, settings={"bits": 8})


class Bench:
    """Seven structures of 10,000 to 70,000 bytes; those below `needed` learn too little."""

    def __init__(self, spec: CompressSpec, *, needed: int) -> None:
        self.spec, self.needed = spec, needed
        self.made = [_candidate(num_bytes=_ORIGINAL_BYTES, drop=0.0, spec=spec)]
        self.made += [_candidate(_cut(100 - size), num_bytes=size * 1000, spec=spec) for size in range(10, 80, 10)]
        self.waiting = [each.name for each in self.made if is_structure(each)]

    def train(self) -> list[int]:
        """As the search does; the bytes of what was trained, in order."""
        order: list[int] = []
        while (name := choose_structure(self.made, self.waiting, self.spec)) is not None:
            self.waiting.remove(name)
            structure = next(each for each in self.made if each.name == name)
            num_bytes = structure.cost.model_bytes
            drop = 0.005 if num_bytes >= self.needed else 0.03
            steps = [*structure.steps, _TUNED]
            self.made.append(_candidate(*steps, num_bytes=num_bytes, drop=drop, spec=self.spec))
            self.made.append(_candidate(*steps, _STORED, num_bytes=num_bytes // 4, drop=drop, spec=self.spec))
            order.append(num_bytes)
        return order


@pytest.mark.parametrize("needed", [0, 10_000, 30_000, 55_000, 70_000, 90_000])
def test_the_smallest_that_learns_enough_is_found_by_halving(needed: int) -> None:
    bench = Bench(_spec(), needed=needed)
    expected = count_trainings(bench.made, bench.waiting, bench.spec)
    order = bench.train()
    assert order[0] == 40_000
    assert len(order) <= expected == 3
    good = [num_bytes for num_bytes in order if num_bytes >= needed]
    assert min(good, default=None) == min(
        (size for size in range(10_000, 80_000, 10_000) if size >= needed), default=None
    )


def test_within_limits_the_largest_that_keeps_them_comes_first() -> None:
    spec = _spec(max_model_bytes=13_000)
    bench = Bench(spec, needed=20_000)
    # Of the original a quarter is left when it is stored so: of 50,000 bytes as well.
    bench.made.append(_candidate(_STORED, num_bytes=_ORIGINAL_BYTES // 4, drop=0.0, spec=spec))
    order = bench.train()
    assert order[0] == 50_000
    # It keeps to the limits, and smaller ones would be no better.
    assert all(num_bytes > 50_000 for num_bytes in order[1:])


def test_what_is_too_slow_is_not_the_first_however_small() -> None:
    spec = _spec(max_latency_ms=0.5)
    made = [
        _candidate(num_bytes=_ORIGINAL_BYTES, drop=0.0, spec=spec),
        _candidate(_cut(30), num_bytes=50_000, latency_ms=0.9, spec=spec),
        _candidate(_cut(50), num_bytes=40_000, latency_ms=0.4, spec=spec),
        _candidate(_cut(70), num_bytes=30_000, latency_ms=0.6, spec=spec),
    ]
    waiting = [each.name for each in made[1:]]
    assert choose_structure(made, waiting, spec) == made[2].name


def test_bytes_and_latency_are_those_of_one_quantization() -> None:
    """One leaves few bytes and another is quick, and a third would lose what the structure may lose."""
    spec = _spec(max_model_bytes=12_000, max_latency_ms=0.5)
    small, quick, bad = (
        CompressionStep(method=METHODS.QUANTIZATION, settings={"mode": mode}) for mode in ("weights", "static", "bad")
    )
    made = [
        _candidate(num_bytes=_ORIGINAL_BYTES, drop=0.0, spec=spec),
        _candidate(small, num_bytes=12_000, drop=0.001, spec=spec),
        _candidate(quick, num_bytes=50_000, latency_ms=0.5, drop=0.0, spec=spec),
        _candidate(bad, num_bytes=1_000, latency_ms=0.1, drop=0.006, spec=spec),
        _candidate(_cut(20), num_bytes=80_000, latency_ms=0.9, spec=spec),
        _candidate(_cut(60), num_bytes=40_000, latency_ms=0.5, spec=spec),
    ]
    assert choose_structure(made, [each.name for each in made[-2:]], spec) == made[-1].name


def test_no_limit_that_can_be_kept_begins_with_the_smallest() -> None:
    bench = Bench(_spec(max_model_bytes=10), needed=0)
    chosen = choose_structure(bench.made, bench.waiting, bench.spec)
    assert chosen == find_unknown(bench.made, bench.waiting, bench.spec)[0].name == name_of([_cut(90)])


def test_where_all_just_miss_a_limit_the_nearest_to_it_comes_first() -> None:
    spec = _spec(max_model_bytes=60_000, max_latency_ms=0.5)
    made = [
        _candidate(num_bytes=_ORIGINAL_BYTES, drop=0.0, spec=spec),
        _candidate(_cut(30), num_bytes=50_000, latency_ms=0.51, spec=spec),
        _candidate(_cut(90), num_bytes=10_000, latency_ms=0.53, spec=spec),
    ]
    assert choose_structure(made, [each.name for each in made[1:]], spec) == made[1].name


def test_what_a_structure_becomes_is_known_before_it_is_trained() -> None:
    """Small ones are left more of when they are stored: what says nothing of weights stays as it is."""
    spec = _spec(max_model_bytes=13_000)
    bench = Bench(spec, needed=20_000)
    bench.made.append(_candidate(_STORED, num_bytes=_ORIGINAL_BYTES // 4, drop=0.0, spec=spec))
    largest = choose_structure(bench.made, bench.waiting, spec)
    assert largest == name_of([_cut(50)])
    structure = next(each for each in bench.made if each.name == largest)
    assert find_storage(structure, bench.made, spec) == _STORED
    bench.made.append(_candidate(_cut(50), _STORED, num_bytes=13_500, spec=spec))
    assert find_storage(structure, bench.made, spec) is None
    assert choose_structure(bench.made, bench.waiting, spec) == name_of([_cut(60)])


def test_without_limits_nothing_has_to_be_known_before() -> None:
    spec = _spec()
    bench = Bench(spec, needed=0)
    bench.made.append(_candidate(_STORED, num_bytes=_ORIGINAL_BYTES // 4, drop=0.0, spec=spec))
    assert find_storage(bench.made[1], bench.made, spec) is None
