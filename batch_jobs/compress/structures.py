"""Which of the structures that were cut out of a network is worth to be trained next.

Bytes and latency do not depend on weights: they are known before anything is trained, and what a structure is able to
learn goes up with its bytes. So the smallest that learns enough is found as in a dictionary: each training says whether
to look among the larger ones or the smaller ones. Where bytes or latency are limited, the largest that keeps to the
limits comes first, or the nearest to them, by what its bytes and its latency become in a quantization that was tried.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from aimass_core.domain.compression import CompressionCandidate, CompressionMethod, CompressionStep, CompressSpec

CUTTING = frozenset({CompressionMethod.SPARSIFICATION, CompressionMethod.FACTORIZATION})
"""What finetuning may follow on."""


def is_structure(candidate: CompressionCandidate) -> bool:
    """Whether it was cut, and not yet trained on."""
    return bool(candidate.steps) and candidate.steps[-1].method in CUTTING


def choose_structure(made: Sequence[CompressionCandidate], waiting: Iterable[str], spec: CompressSpec) -> str | None:
    """The name of the structure to train next; None where no other is worth it.

    Args:
        made: All candidates, the original first.
        waiting: Names of those that could be trained.
        spec: Its limits.
    """
    unknown = find_unknown(made, waiting, spec)
    if not unknown:
        return None
    if not _is_limited(spec):
        return unknown[len(unknown) // 2].name
    excess = {each.name: _find_excess(each, made, spec) for each in unknown}
    within = [each for each in unknown if excess[each.name] <= 1]
    return (within[-1] if within else min(unknown, key=lambda each: excess[each.name])).name


def count_trainings(made: Sequence[CompressionCandidate], waiting: Iterable[str], spec: CompressSpec) -> int:
    """About how many it takes to know the smallest that learns enough. Within limits the first is the best."""
    if _is_limited(spec):
        return 1
    return math.ceil(math.log2(len(find_unknown(made, waiting, spec)) + 1))


def find_unknown(
    made: Sequence[CompressionCandidate], waiting: Iterable[str], spec: CompressSpec
) -> list[CompressionCandidate]:
    """Structures of which trained ones do not say whether they learn enough, the smallest first."""
    names, by_name = set(waiting), {each.name: each for each in made}
    least, most = 0.0, math.inf
    for each in made:
        if each.steps and each.steps[-1].method is CompressionMethod.FINETUNING:
            structure = next((one for one in made if one.steps == each.steps[:-1]), each)
            if _is_larger_wanted([one for one in made if one.steps[: len(each.steps)] == each.steps], spec):
                least = max(least, structure.cost.model_bytes)
            else:
                most = min(most, structure.cost.model_bytes)
    found = [by_name[name] for name in names if least < by_name[name].cost.model_bytes < most]
    return sorted(found, key=lambda each: each.cost.model_bytes)


def _is_larger_wanted(trained: Sequence[CompressionCandidate], spec: CompressSpec) -> bool:
    """By a structure that was trained, and all that was made of it. Of those that lose little enough the smallest file
    is best, or within limits the best score."""
    good = [each for each in trained if each.metric_drop <= spec.max_metric_drop]
    return not good or (_is_limited(spec) and any(not each.missed for each in good))


def _is_limited(spec: CompressSpec) -> bool:
    return spec.max_model_bytes is not None or spec.max_latency_ms is not None


def _find_excess(structure: CompressionCandidate, made: Sequence[CompressionCandidate], spec: CompressSpec) -> float:
    """How many times the limit that it misses most it is likely to have when it is stored; at most 1 within them."""
    cost = structure.cost
    return min(
        max(
            cost.model_bytes * part_of_bytes / (spec.max_model_bytes or math.inf),
            cost.latency_p50_ms * part_of_latency / (spec.max_latency_ms or math.inf),
        )
        for part_of_bytes, part_of_latency in [(1.0, 1.0), *_find_parts(made, spec)]
    )


def _find_parts(made: Sequence[CompressionCandidate], spec: CompressSpec) -> Iterator[tuple[float, float]]:
    """What each quantization has left of the bytes and of the latency of a candidate. Those that lose half of what may
    be lost leave too little for the structure."""
    by_steps = {_key(each.steps): each for each in made}
    for each in made:
        before = by_steps.get(_key(each.steps[:-1])) if each.steps else None
        if before is None or each.steps[-1].method is not CompressionMethod.QUANTIZATION:
            continue
        is_known = before.metric_drop <= spec.max_metric_drop
        if is_known and each.metric_drop - before.metric_drop > spec.max_metric_drop / 2:
            continue
        yield (
            each.cost.model_bytes / before.cost.model_bytes,
            each.cost.latency_p50_ms / before.cost.latency_p50_ms,
        )


def _key(steps: Sequence[CompressionStep]) -> tuple[str, ...]:
    return tuple(step.model_dump_json() for step in steps)
