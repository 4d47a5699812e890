"""By classes: a gate tells groups of classes apart, and an expert for each group the classes in it.

Groups are of classes that the single model confuses, so that the gate has the easy part.
"""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np

from aimass_core.domain.decomposition import DecompositionMethod
from aimass_core.domain.signatures import Task
from batch_jobs.data.frames import Array
from batch_jobs.decompose.combining import Routing
from batch_jobs.decompose.contract import Ground, UnfitError, take
from batch_jobs.decompose.experts import gate_target, train_expert
from batch_jobs.decompose.parts import Expert, Question, describe_labels
from batch_jobs.decompose.wholes import Whole

_MAX_IMBALANCE = 1.5
_TIE = 1e-12
MIN_CLASSES = 3


class Hierarchy:
    """Satisfies Method."""

    method = DecompositionMethod.HIERARCHY

    def propose(self, ground: Ground) -> Sequence[int]:
        """Around the square root of the number of classes gate and experts have about as many classes each."""
        num_classes = check_classes(ground, self.method)
        root = round(sqrt(num_classes))
        wanted = (root, ceil(num_classes / 4), ceil(num_classes / 2.5))
        return [count for count in dict.fromkeys(wanted) if 2 <= count < num_classes] or [2]

    def build(self, num_experts: int, ground: Ground) -> Whole:
        """See Method."""
        num_classes = check_classes(ground, self.method)
        if num_experts >= num_classes:
            raise UnfitError(
                f"{num_experts} groups of {num_classes} classes leave nothing to tell within a group: choose at most "
                f"{num_classes - 1} experts"
            )
        target, train, validation = ground.target, ground.train, ground.validation
        assert target.labels is not None  # noqa: S101  there are classes
        groups = group_classes(find_likeness(ground), num_experts)
        group_of = np.empty(num_classes, dtype=np.int64)
        for number, group in enumerate(groups):
            group_of[group] = number
        ground.trainer.num_fits_left = 1 + sum(len(group) > 1 for group in groups)
        gate = ground.trainer.train(
            "gate",
            gate_target(target, len(groups)),
            take(train, np.arange(train.num_rows), group_of[train.truth]),
            take(validation, np.arange(validation.num_rows), group_of[validation.truth]),
            is_gate=True,
        )
        counts = np.bincount(train.truth, minlength=num_classes).astype(np.float64)
        priors = np.zeros((len(groups), num_classes), dtype=np.float32)
        experts: list[Expert] = []
        for number, group in enumerate(groups):
            priors[number, group] = counts[group] / max(counts[group].sum(), 1)
            experts.append(
                train_expert(
                    ground,
                    number,
                    rows=np.flatnonzero(group_of[train.truth] == number),
                    validation_rows=np.flatnonzero(group_of[validation.truth] == number),
                    purpose=describe_labels([target.labels[index] for index in group]),
                )
            )
        constants = {number: priors[number] for number, expert in enumerate(experts) if expert.is_constant}
        return Whole(
            name=f"{self.method} of {len(groups)}",
            method=self.method,
            target=target,
            gate=gate,
            gate_question=Question(groups=tuple(map(tuple, groups)), truth=group_of[validation.truth]),
            gate_purpose=f"which of {len(groups)} groups of classes",
            experts=tuple(experts),
            combination=Routing(priors=priors, constants=constants),
        )


def check_classes(ground: Ground, method: DecompositionMethod) -> int:
    """How many there are. Raises UnfitError where there are too few to be split."""
    target = ground.target
    if target.task not in (Task.BINARY, Task.MULTICLASS):
        raise UnfitError(f"{method} splits a task by its classes, and this task is {target.task}: it has none")
    if target.num_outputs < MIN_CLASSES:
        raise UnfitError(f"{method} splits a task by its classes, and there are only {target.num_outputs}")
    return target.num_outputs


def find_likeness(ground: Ground) -> Array:
    """How often the single model takes one class for another, by its probabilities [classes, classes]."""
    target, truth = ground.target, ground.validation.truth
    found = np.zeros((target.num_outputs, target.num_outputs))
    np.add.at(found, truth, ground.single_scores.astype(np.float64))
    found /= np.maximum(np.bincount(truth, minlength=target.num_outputs), 1)[:, None]
    return np.asarray((found + found.T) / 2)


def group_classes(likeness: Array, num_groups: int) -> list[list[int]]:
    """What is most alike together: agglomeration by average likeness, in groups of not too many."""
    groups = [[index] for index in range(len(likeness))]
    sums, sizes = likeness.astype(np.float64), np.ones(len(likeness))
    most = max(2, int(_MAX_IMBALANCE * ceil(len(likeness) / num_groups)))
    while len(groups) > num_groups:
        together = sizes[:, None] + sizes
        # Of pairs that are as much alike as others the smallest.
        worth = sums / np.outer(sizes, sizes) - _TIE * together
        worth[(together > most) | np.tri(len(groups), dtype=bool)] = -np.inf
        first, second = np.unravel_index(int(worth.argmax()), worth.shape)
        if worth[first, second] == -np.inf:
            most += 1
            continue
        sums[first] += sums[second]
        sums[:, first] += sums[:, second]
        sums = np.delete(np.delete(sums, second, axis=0), second, axis=1)
        sizes[first] += sizes[second]
        sizes = np.delete(sizes, second)
        groups[first] += groups.pop(int(second))
    return sorted(sorted(group) for group in groups)
