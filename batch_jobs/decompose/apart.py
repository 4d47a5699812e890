"""What whoever serves the parts of a whole apart needs to know: `experts.json` beside its graph."""

import hashlib
import math

from aimass_core.domain.expert_graphs import Cascaded, Decoded, ExpertGraph, PlacedExpert, Routed, Summed
from batch_jobs.data.frames import Array
from batch_jobs.decompose.combining import Cascading, Decoding, Routing, Summing
from batch_jobs.decompose.parts import Expert, PartModel, expert_name
from batch_jobs.decompose.wholes import Whole


def to_expert_graph(whole: Whole) -> ExpertGraph:
    """How `Whole.answer` comes about, with the parts pinned by digest."""
    constants = whole.combination.constants if isinstance(whole.combination, Routing) else {}
    experts = [
        _to_placed(number, expert, constants.get(number, expert.constant))
        for number, expert in enumerate(whole.experts)
    ]
    match whole.combination:
        case Routing() as routing:
            assert whole.gate is not None  # noqa: S101  a routing has a gate
            combination: Routed | Summed | Decoded | Cascaded = Routed(
                gate_digest=_digest_of(whole.gate),
                num_active=routing.num_active,
                min_share=routing.min_share,
                priors=None if routing.priors is None else routing.priors.tolist(),
            )
        case Summing(weights=weights):
            combination = Summed(weights=list(weights), is_mean=math.isclose(sum(weights), 1, abs_tol=1e-6))
        case Decoding() as decoding:
            combination = Decoded(code=decoding.code.tolist(), smallest=decoding.smallest)
        case Cascading(limits=limits):
            combination = Cascaded(limits=list(limits))
    return ExpertGraph(experts=experts, combination=combination)


def _to_placed(number: int, expert: Expert, constant: Array | None) -> PlacedExpert:
    return PlacedExpert(
        part=expert_name(number),
        digest=None if constant is not None else _digest_of(expert.part),
        places=None if expert.places is None else list(expert.places),
        constant=None if constant is None else constant.reshape(-1).tolist(),
    )


def _digest_of(part: PartModel) -> str:
    return hashlib.sha256(part.exported.model).hexdigest()
