"""Which of the structures that were cut out of a network is worth to be trained next.

Bytes and latency do not depend on weights: they are known before anything is trained, and what a structure is able to
learn goes up with its bytes. So the smallest that learns enough is found as in a dictionary: each training says whether
to look among the larger ones or the smaller ones. Where bytes or latency are limited, the largest that keeps to the
limits comes first, or the nearest to them, by what its bytes and its latency become when it is quantized: as that was
for others, and before it is trained as that is for itself, since a training takes minutes where this takes a second.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aimass_core.domain.compression import CompressionCandidate, CompressionMethod, CompressionStep, CompressSpec

CUTTING = frozenset({CompressionMethod.SPARSIFICATION, CompressionMethod.FACTORIZATION})
"""What finetuning may follow on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Storing:
    """What a quantization has left of a candidate."""

    name: str
    """Of the candidate."""
    step: CompressionStep | None = None
    bytes_share: float = 1.0
    latency_share: float = 1.0

    def excess(self, structure: CompressionCandidate, spec: CompressSpec) -> float:
        """What the structure has of the limit that it misses most when it is stored so; at most 1 within them."""
        return max(
            structure.cost.model_bytes * self.bytes_share / (spec.max_model_bytes or math.inf),
            structure.cost.latency_p50_ms * self.latency_share / (spec.max_latency_ms or math.inf),
        )


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
    excess = {each.name: _choose_storing(each, made, spec).excess(each, spec) for each in unknown}
    within = [each for each in unknown if excess[each.name] <= 1]
    return (within[-1] if within else min(unknown, key=lambda each: excess[each.name])).name


def find_storage(
    structure: CompressionCandidate, made: Sequence[CompressionCandidate], spec: CompressSpec
) -> CompressionStep | None:
    """The quantization by which the structure comes nearest to the limits, as far as others tell; None where it is
    known itself, or no quantization helps."""
    if not _is_limited(spec):
        return None
    storing = _choose_storing(structure, made, spec)
    return storing.step if storing.name != structure.name else None


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


def _choose_storing(
    structure: CompressionCandidate, made: Sequence[CompressionCandidate], spec: CompressSpec
) -> _Storing:
    """By which it comes nearest to the limits: as it is, or by one that was tried on it, or else on others."""
    found = [*_find_storings(made, spec)]
    own = [each for each in found if each.name == structure.name]
    return min([_Storing(name=structure.name), *(own or found)], key=lambda each: each.excess(structure, spec))


def _find_storings(made: Sequence[CompressionCandidate], spec: CompressSpec) -> Iterator[_Storing]:
    """Those that lose half of what may be lost leave too little for the structure."""
    by_steps = {_key(each.steps): each for each in made}
    for each in made:
        before = by_steps.get(_key(each.steps[:-1])) if each.steps else None
        if before is None or each.steps[-1].method is not CompressionMethod.QUANTIZATION:
            continue
        is_known = before.metric_drop <= spec.max_metric_drop
        if is_known and each.metric_drop - before.metric_drop > spec.max_metric_drop / 2:
            continue
        yield _Storing(
            name=before.name,
            step=each.steps[-1],
            bytes_share=each.cost.model_bytes / before.cost.model_bytes,
            latency_share=each.cost.latency_p50_ms / before.cost.latency_p50_ms,
        )


def _key(steps: Sequence[CompressionStep]) -> tuple[str, ...]:
    return tuple(step.model_dump_json() for step in steps)
