"""A fusion whose members are models that are loaded for themselves: run here as serving runs it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aimass_core.domain.fusion import FusionMethod, PlacedMember, ServingGraph
from aimass_core.domain.signatures import Datatype, Signature
from batch_jobs.algorithms.export.assembly import LABEL, PROBABILITIES, VALUE
from batch_jobs.data.frames import Array
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.fuse.graphs import WEIGHTS, input_name
from batch_jobs.fuse.methods import Combination
from batch_jobs.registered.models import RegisteredModel


def to_serving_graph(
    members: Sequence[RegisteredModel], combination: Combination, method: FusionMethod
) -> ServingGraph:
    """`fusion.json`."""
    weights = combination.weights
    return ServingGraph(
        method=method,
        members=[
            PlacedMember(
                name=member.name,
                input=input_name(number),
                digest=hashlib.sha256(member.model).hexdigest(),
                weight=None if weights is None else round(float(weights[number]), 9),
            )
            for number, member in enumerate(members)
        ],
        weights_input=None if weights is None else WEIGHTS,
    )


class ApartScorer(Scorer):
    """Members one after the other, and then what combines their answers."""

    def __init__(
        self,
        model: bytes,
        signature: Signature,
        members: Sequence[RegisteredModel],
        combination: Combination,
        *,
        num_threads: int = 1,
    ) -> None:
        super().__init__(model, signature, num_threads=num_threads)
        self._weights = combination.weights
        self._members = [
            member.scorer if num_threads == 1 else Scorer(member.model, member.signature, num_threads=num_threads)
            for member in members
        ]

    def run(self, inputs: Mapping[str, Array]) -> list[Any]:
        """See Scorer."""
        columns = {spec.column or spec.name: inputs[spec.name] for spec in self.signature.inputs}
        feed: dict[str, Array] = {
            input_name(number): member.run(_to_own(member.signature, columns))[-1]
            for number, member in enumerate(self._members)
        }
        if self._weights is not None:
            feed[WEIGHTS] = self._weights
        wanted = [VALUE] if self.signature.labels is None else [LABEL, PROBABILITIES]
        return list(self._session.run(wanted, feed))


def _to_own(signature: Signature, columns: Mapping[str, Array]) -> dict[str, Array]:
    """A number may be float32 to one member and float64 to another."""
    types = {Datatype.FP32: np.float32, Datatype.FP64: np.float64}
    found = {}
    for spec in signature.inputs:
        values = columns[spec.column or spec.name]
        found[spec.name] = values.astype(types[spec.datatype], copy=False) if spec.datatype in types else values
    return found
