"""Rows added to rare classes before a fit, as a job asks for it."""

from collections.abc import Callable

import numpy as np

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.reports import ResampledClass
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.algorithms.learning import Examples
from batch_jobs.data.augmentation.smote import oversample
from batch_jobs.train.material import Material


def resample(
    examples: Examples, material: Material, *, num_numeric: int, seed: int, message: Callable[[str], None]
) -> tuple[Examples, tuple[ResampledClass, ...]]:
    """The examples and then the rows that were made, with what was done to each class.

    Raises:
        InvalidRequestError: There are no classes, or no table.
        InvalidDataError: There is no class that rows could be made for, or they are too many.
    """
    task, kind, labels = material.target.task, material.data_kind, material.target.labels
    if labels is None or task not in (Task.BINARY, Task.MULTICLASS):
        raise InvalidRequestError(f"resample is for a choice of one class, and this task is {task}: leave it out")
    if kind is not DataKind.TABLE:
        raise InvalidRequestError(f"resample is for the rows of tables, and these are {kind}: leave it out")
    counts = np.bincount(examples.targets, minlength=len(labels))
    alone = [labels[index] for index in np.flatnonzero(counts == 1)]
    if counts.max() > 1 and len(alone) == np.count_nonzero((counts > 0) & (counts < counts.max())) > 0:
        raise InvalidDataError(
            f"resample: every class but the most frequent has a single training row ({_name(alone)}), and a new row "
            "lies between two: add rows of them, or leave resample out"
        )
    features, targets = oversample(examples.features, examples.targets, num_numeric=num_numeric, seed=seed)
    added = np.bincount(targets, minlength=len(labels))
    if alone:
        message(f"resample: {_name(alone)} has a single training row and stays so, as a new row lies between two")
    message(f"resample: {len(targets)} rows were added to {len(examples.targets)}, so that classes are alike in number")
    return (
        Examples(
            features=np.concatenate([examples.features, features]), targets=np.concatenate([examples.targets, targets])
        ),
        tuple(
            ResampledClass(label=label, num_rows=int(rows), num_added=int(more))
            for label, rows, more in zip(labels, counts, added, strict=True)
        ),
    )


def _name(labels: list[str]) -> str:
    return ", ".join(repr(label[:80]) for label in labels[:5]) + (
        f" and {len(labels) - 5} more" if len(labels) > 5 else ""
    )
