"""A model whose labels apply from another probability on than it was trained with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aimass_core.domain.signatures import Signature, Task
from aimass_core.inference.serving.model import AnyModel, Array, Tensors

_LABEL, _PROBABILITIES = "label", "probabilities"


@dataclass(frozen=True, slots=True)
class ThresholdModel:
    """Answers as `model` does, but for the labels of a binary or a multi-label one."""

    model: AnyModel
    threshold: float

    @property
    def signature(self) -> Signature:
        """The model's."""
        return self.model.signature

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel."""
        if _LABEL not in outputs:
            return self.model.run(inputs, outputs=outputs, seconds=seconds)
        asked = [*(name for name in outputs if name != _PROBABILITIES), _PROBABILITIES]
        answered = self.model.run(inputs, outputs=asked, seconds=seconds)
        applies = answered[_PROBABILITIES] >= self.threshold
        if self.signature.task is Task.BINARY:
            no, yes = self.signature.labels or ("", "")
            answered[_LABEL] = np.where(applies[:, 1], np.array(yes, object), np.array(no, object))
        else:
            answered[_LABEL] = applies
        return {name: answered[name] for name in outputs}


def with_threshold(model: AnyModel, threshold: float | None) -> AnyModel:
    """The model itself where nothing is to be changed. (A rollout or a rollback may bring one without labels.)"""
    if threshold is None or model.signature.task not in (Task.BINARY, Task.MULTILABEL):
        return model
    return ThresholdModel(model, threshold)
