"""By how hard a row is: a small model answers where it is sure, and the next, a larger one, where it is not.

The last is as large as the single model and, like all, trained on all rows. How many rows go on is a matter of the
limit alone, so that several are tried of the same experts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from aimass_core.domain.decomposition import DecompositionMethod
from aimass_core.domain.signatures import Task
from batch_jobs.data.frames import Frame
from batch_jobs.decompose.combining import Cascading
from batch_jobs.decompose.contract import Ground, UnfitError
from batch_jobs.decompose.parts import Expert, PartModel, expert_name
from batch_jobs.decompose.sizes import quicken
from batch_jobs.decompose.training import to_train_spec
from batch_jobs.decompose.wholes import Whole

_LIMIT = 0.9
_TIMES = 6.0
"""So many times more operations has the next expert."""
_SHARES = (0.1, 0.15, 0.2, 0.3)
"""Of the rows that an expert is asked, those that go on to the next."""


class Cascade:
    """Satisfies Method."""

    method = DecompositionMethod.CASCADE

    def propose(self, ground: Ground) -> Sequence[int]:
        """A small one and the large one; with one between them where that is asked for."""
        _check(ground)
        return [2]

    def build(self, num_experts: int, ground: Ground) -> Whole:
        """See Method."""
        _check(ground)
        trainer, target = ground.trainer, ground.target
        trainer.num_fits_left = num_experts
        last = trainer.train(expert_name(num_experts - 1), target, ground.train, ground.validation)
        full = trainer.expert
        resolved = to_train_spec(ground.spec, full).resolve_hyperparameters().model_dump(mode="json")
        parts: list[PartModel] = []
        for position in range(num_experts - 1):
            times = _TIMES ** (num_experts - 1 - position)
            quick = quicken(full, resolved, num_steps=last.predictor.fitted.num_steps, times=times)
            if quick is None:
                raise UnfitError(f"{self.method}: {full.algorithm} has no size that could be smaller")
            parts.append(trainer.train(expert_name(position), target, ground.train, ground.validation, instead=quick))
        experts = [Expert(purpose="all rows", part=part) for part in (*parts, last)]
        return Whole(
            name=f"{self.method} of {num_experts}",
            method=self.method,
            target=target,
            experts=tuple(experts),
            combination=Cascading(limits=(_LIMIT,) * (num_experts - 1)),
        )


def vary_limits(whole: Whole, frame: Frame) -> Iterator[Whole]:
    """With other limits: those that send so many of these rows on, whatever their truth is."""
    for share in _SHARES:
        limits: list[float] = []
        rows = frame
        purposes = ["all rows"]
        for number, expert in enumerate(whole.experts[:-1], start=1):
            sure = expert.part.answer(rows).max(axis=1)
            limits.append(float(np.quantile(sure, share).astype(np.float32)))
            rows = rows.take(np.flatnonzero(sure < np.float32(limits[-1])))
            purposes.append(f"rows of which {expert_name(number - 1)} is less sure than {limits[-1]:.3g}")
            if not rows.num_rows:
                break
        if len(limits) == len(whole.experts) - 1 and rows.num_rows:
            yield replace(
                whole,
                name=f"{whole.name}, {share:.0%} go on",
                combination=Cascading(limits=tuple(limits)),
                experts=tuple(
                    replace(expert, purpose=purpose) for expert, purpose in zip(whole.experts, purposes, strict=True)
                ),
            )


def _check(ground: Ground) -> None:
    task = ground.target.task
    if task not in (Task.BINARY, Task.MULTICLASS):
        raise UnfitError(f"cascade goes by how sure a model is of a class, and this task is {task}")
