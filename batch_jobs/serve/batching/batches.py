"""Requests that one run of a model can answer together, and the run."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aimass_core.errors import AimassError, InvalidDataError
from aimass_core.inference.serving.model import AnyModel, Array, Tensors

Outputs = dict[str, Array]


@dataclass(slots=True, kw_only=True, eq=False)
class Waiting:
    """One request."""

    inputs: Tensors
    outputs: Sequence[str]
    seconds: float
    answer: asyncio.Future[Outputs]
    num_rows: int

    def is_like(self, other: "Waiting") -> bool:
        """Whether their rows go into one tensor: series of other lengths do not."""
        return all(array.shape[1:] == other.inputs[name].shape[1:] for name, array in self.inputs.items())

    @property
    def num_values(self) -> int:
        """Of all inputs."""
        return sum(array.size for array in self.inputs.values())


def compute(model: AnyModel, batch: Sequence[Waiting]) -> list[Outputs | Exception]:
    """What each request is answered. Where the model refuses them together, each is asked for itself."""
    if len(batch) == 1:
        return [_compute_one(model, batch[0])]
    names = list(dict.fromkeys(name for each in batch for name in each.outputs))
    inputs = {name: np.concatenate([each.inputs[name] for each in batch]) for name in batch[0].inputs}
    try:
        outputs = model.run(inputs, outputs=names, seconds=max(each.seconds for each in batch))
    except InvalidDataError:
        return [_compute_one(model, each) for each in batch]
    except AimassError as error:
        return [error] * len(batch)
    answers: list[Outputs | Exception] = []
    start = 0
    for each in batch:
        end = start + each.num_rows
        answers.append({name: outputs[name][start:end] for name in each.outputs})
        start = end
    return answers


def _compute_one(model: AnyModel, waiting: Waiting) -> Outputs | Exception:
    try:
        return model.run(waiting.inputs, outputs=waiting.outputs, seconds=waiting.seconds)
    except AimassError as error:
        return error
