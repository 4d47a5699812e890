"""A decomposition whose parts answer apart: the gate first, then only the experts that it chooses, all at once, or the
experts of a cascade one after the other.

What the whole's one graph does (`batch_jobs.decompose.graph`) is done here in NumPy.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from aimass_core.domain.endpoint_settings import FanOut
from aimass_core.domain.expert_graphs import GATE, Cascaded, Decoded, ExpertGraph, PlacedExpert, Routed, Summed
from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import UnavailableError
from aimass_core.inference.serving import fanning
from aimass_core.inference.serving.fanning import Asked
from aimass_core.inference.serving.model import AnyModel, Array, Tensors

_LABEL, _PROBABILITIES = "label", "probabilities"
_APPLIES_FROM = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedDecomposition:
    """Answers as a `LoadedModel` does, for one request.

    Attributes:
        parts: gate and experts by their names, but for the experts with one answer.
        missing: once it has run, which experts did not answer, and why.
    """

    signature: Signature
    graph: ExpertGraph
    parts: Mapping[str, AnyModel]
    fan_out: FanOut
    missing: dict[str, str] = field(default_factory=dict)

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel. Raises UnavailableError where fewer experts answer than have to, or the gate does not."""
        deadline = time.monotonic() + seconds
        columns = {spec.column or spec.name: inputs[spec.name] for spec in self.signature.inputs}
        match self.graph.combination:
            case Routed() as routed:
                scores = self._route(routed, columns, deadline)
            case Summed() as summed:
                scores = self._sum(summed, self._ask_all(columns, deadline, can_miss=summed.is_mean))
            case Decoded() as decoded:
                scores = self._decode(decoded, self._ask_all(columns, deadline, can_miss=True))
            case Cascaded() as cascaded:
                scores = self._cascade(cascaded, columns, deadline)
        answers = _to_outputs(self.signature, scores.astype(np.float32))
        return {name: answers[name] for name in outputs}

    def _route(self, routed: Routed, columns: Tensors, deadline: float) -> Array:
        shares = self._ask_gate(columns, deadline)
        chosen = shares >= _limits(routed, shares)
        rows = {
            expert.part: np.flatnonzero(chosen[:, position])
            for position, expert in enumerate(self.graph.experts)
            if expert.constant is None and chosen[:, position].any()
        }
        asked = [
            Asked(name=part, model=self.parts[part], columns={name: values[own] for name, values in columns.items()})
            for part, own in rows.items()
        ]
        answers = self._ask_experts(asked, deadline, can_miss=True)
        has_answered = np.array([each.constant is not None or each.part in answers for each in self.graph.experts])
        weights = shares
        if routed.priors is None:
            kept = np.where(chosen & has_answered, shares, 0)
            heard = kept.sum(axis=1, keepdims=True)
            _require_heard(heard[:, 0], self.missing)
            weights = kept / heard
        instead = self._instead(routed)
        scores = weights @ instead
        for position, expert in enumerate(self.graph.experts):
            if expert.part in answers:
                own = rows[expert.part]
                placed = _place(expert, answers[expert.part], instead.shape[1])
                scores[own] += weights[own, position, None] * (placed - instead[position])
        return np.asarray(scores)

    def _cascade(self, cascaded: Cascaded, columns: Tensors, deadline: float) -> Array:
        """Where an expert is missing that fewer than `quorum` come before, nobody answers; else rows that it was to
        have keep what was said before it."""
        num_rows = len(next(iter(columns.values())))
        scores, rows = np.zeros((num_rows, self._num_outputs()), np.float32), np.arange(num_rows)
        for position, expert in enumerate(self.graph.experts):
            own = {name: values[rows] for name, values in columns.items()}
            answers = self._ask([Asked(name=expert.part, model=self.parts[expert.part], columns=own)], deadline)
            if not answers:
                quorum = self.fan_out.quorum
                wanted = position + 1 if quorum is None else quorum
                fanning.require_quorum(position, position + 1, wanted=wanted, what="experts", missing=self.missing)
                break
            scores[rows] = _place(expert, answers[expert.part], self._num_outputs())
            if position < len(cascaded.limits):
                rows = rows[scores[rows].max(axis=1) < np.float32(cascaded.limits[position])]
            if not len(rows):
                break
        return scores

    def _ask_gate(self, columns: Tensors, deadline: float) -> Array:
        answers = self._ask([Asked(name=GATE, model=self.parts[GATE], columns=columns)], deadline)
        if GATE not in answers:
            raise UnavailableError(f"The gate, which chooses the experts, did not answer: {self.missing[GATE]}")
        return answers[GATE]

    def _ask_all(self, columns: Tensors, deadline: float, *, can_miss: bool) -> list[Array | None]:
        """Of each expert; None where it is missing."""
        asked = [
            Asked(name=each.part, model=self.parts[each.part], columns=columns)
            for each in self.graph.experts
            if each.constant is None
        ]
        answers = self._ask_experts(asked, deadline, can_miss=can_miss)
        num_rows = len(next(iter(columns.values())))
        return [
            answers.get(each.part)
            if each.constant is None
            else np.tile(np.array(each.constant, np.float32), (num_rows, 1))
            for each in self.graph.experts
        ]

    def _ask_experts(self, asked: Sequence[Asked], deadline: float, *, can_miss: bool) -> dict[str, Array]:
        if not asked:
            return {}
        answers = self._ask(asked, deadline)
        quorum = self.fan_out.quorum
        wanted = len(asked) if quorum is None or not can_miss else quorum
        fanning.require_quorum(len(answers), len(asked), wanted=wanted, what="experts", missing=self.missing)
        return {name: answer if answer.ndim > 1 else answer[:, None] for name, answer in answers.items()}

    def _ask(self, asked: Sequence[Asked], deadline: float) -> dict[str, Array]:
        """All at once, within what is left of the time. Those that do not answer are noted in `missing`."""
        seconds = fanning.limit(deadline - time.monotonic(), self.fan_out)
        return fanning.ask_at_once(asked, seconds=seconds, missing=self.missing)

    def _instead(self, routed: Routed) -> Array:
        """What is answered for an expert that is not run [experts, outputs]."""
        num_experts = len(self.graph.experts)
        table = np.zeros((num_experts, self._num_outputs()), np.float32)
        if routed.priors is not None:
            table[:] = routed.priors
        for position, expert in enumerate(self.graph.experts):
            if expert.constant is not None:
                table[position] = expert.constant
        return table

    def _num_outputs(self) -> int:
        if self.signature.labels is not None:
            return len(self.signature.labels)
        shape = self.signature.outputs[0].shape
        return shape[1] if len(shape) > 1 else 1

    def _sum(self, summed: Summed, answers: Sequence[Array | None]) -> Array:
        heard = [
            (weight, _place(expert, answer, self._num_outputs()))
            for weight, expert, answer in zip(summed.weights, self.graph.experts, answers, strict=True)
            if answer is not None
        ]
        total = np.sum([weight * answer.astype(np.float64) for weight, answer in heard], axis=0)
        weight = sum(each for each, _ in heard)
        if len(heard) < len(answers) and not weight > 0:
            raise UnavailableError("No expert that counts anything has answered. Try again.")
        return np.asarray(total if len(heard) == len(answers) else total * sum(summed.weights) / weight)

    def _decode(self, decoded: Decoded, answers: Sequence[Array | None]) -> Array:
        code = np.array(decoded.code)
        terms = [
            np.log(np.clip(answer[:, side], decoded.smallest, 1.0))[:, None] * (row == sign)
            for row, answer in zip(code, answers, strict=True)
            if answer is not None
            for side, sign in ((0, -1), (1, 1))
        ]
        logits = np.sum(terms, axis=0)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def _limits(routed: Routed, shares: Array) -> Array:
    """What the share of an expert has to be at least [rows, 1]."""
    ordered = np.sort(shares, axis=1)
    last = ordered[:, [-min(routed.num_active, shares.shape[1])]]
    return np.asarray(np.maximum(last, np.minimum(ordered[:, [-1]], np.float32(routed.min_share))))


def _place(expert: PlacedExpert, scores: Array, num_outputs: int) -> Array:
    """As the whole has its outputs, 0 where the expert has none of them."""
    if expert.places is None or expert.constant is not None:
        return scores
    placed = np.zeros((len(scores), num_outputs), np.float32)
    placed[:, expert.places] = scores
    return placed


def _require_heard(shares: Array, missing: Mapping[str, str]) -> None:
    num_left = int(np.count_nonzero(shares <= 0))
    if num_left:
        faults = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise UnavailableError(f"No expert is left for {num_left} of {len(shares)} rows. {faults}")


def _to_outputs(signature: Signature, scores: Array) -> dict[str, Array]:
    if signature.labels is None:
        is_single = signature.task is not Task.FORECASTING
        return {"value": scores[:, 0] if is_single else scores}
    if signature.task is Task.MULTILABEL:
        return {_LABEL: scores >= _APPLIES_FROM, _PROBABILITIES: scores}
    return {_LABEL: np.array(signature.labels, object)[scores.argmax(axis=1)], _PROBABILITIES: scores}
