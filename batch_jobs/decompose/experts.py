"""Experts for some of the rows, with the classes that occur among these; and those that have but one answer."""

import numpy as np
from onnx import TensorProto

from aimass_core.domain.signatures import Task
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target
from batch_jobs.decompose.contract import MIN_ROWS, Ground, take
from batch_jobs.decompose.gates import Constant
from batch_jobs.decompose.parts import Expert, expert_name

CONSTANT = "constant"
_ELEMENTS = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "u": TensorProto.UINT8}


def gate_target(target: Target, num_experts: int) -> Target:
    """A gate answers which expert a row is for."""
    return _target(target, tuple(expert_name(number) for number in range(num_experts)))


def train_expert(ground: Ground, number: int, *, rows: Array, validation_rows: Array, purpose: str) -> Expert:
    """On rows of these positions. Of classes it knows those that occur among them.

    Where there is one class alone, or rows are too few, it is a constant: shares of classes, or the mean.
    """
    name, target, truth = expert_name(number), ground.target, ground.train.truth[rows]
    judged = ground.validation.truth[validation_rows]
    if len(rows) < MIN_ROWS:
        ground.notes(f"{ground.trainer.label}: {name} has {len(rows)} rows to learn from and is a constant")
        return _train_constant(ground, rows, validation_rows, purpose=purpose)
    if target.labels is None or target.task is Task.MULTILABEL:
        part = ground.trainer.train(
            name, target, take(ground.train, rows, truth), take(ground.validation, validation_rows, judged)
        )
        return Expert(purpose=purpose, part=part)
    present = np.unique(truth)
    if len(present) == 1:
        return _train_constant(ground, rows, validation_rows, purpose=purpose)
    place = np.full(target.num_outputs, -1, dtype=np.int64)
    place[present] = np.arange(len(present))
    is_known = place[judged] >= 0
    part = ground.trainer.train(
        name,
        _target(target, tuple(target.labels[index] for index in present)),
        take(ground.train, rows, place[truth]),
        take(ground.validation, validation_rows[is_known], place[judged[is_known]]),
    )
    return Expert(purpose=purpose, part=part, places=tuple(present.tolist()))


def _target(target: Target, labels: tuple[str, ...]) -> Target:
    return Target(column=target.column, task=Task.BINARY if len(labels) == 2 else Task.MULTICLASS, labels=labels)


def _train_constant(ground: Ground, rows: Array, validation_rows: Array, *, purpose: str) -> Expert:
    """What is most to be expected of these rows, or where there are none of all. It answers as the whole does."""
    target, everything = ground.target, ground.train
    rows = rows if len(rows) else np.arange(everything.num_rows)
    train = take(everything, rows, everything.truth[rows])
    if target.labels is None or target.task is Task.MULTILABEL:
        answer = np.atleast_1d(train.truth.astype(np.float64).mean(axis=0))
    else:
        answer = np.bincount(train.truth, minlength=target.num_outputs) / train.num_rows
    answer = answer.astype(np.float32)
    sample = ground.features(take(everything, np.arange(1), everything.truth[:1]))
    fitted = Constant(
        # Values are learned as deviations from the mean.
        answer=np.zeros_like(answer) if target.labels is None else answer,
        element_type=_ELEMENTS[sample.dtype.kind],
        rank=sample.ndim,
    )
    part = ground.trainer.describe(
        fitted,
        target,
        train,
        take(ground.validation, validation_rows, ground.validation.truth[validation_rows]),
        algorithm=CONSTANT,
        framework="onnx",
        hyperparameters={},
    )
    return Expert(purpose=purpose, part=part, constant=answer)
