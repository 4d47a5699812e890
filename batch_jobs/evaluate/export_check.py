"""The exported graph against the framework: several exporters are silently wrong, so every row is compared."""

from collections.abc import Sequence

import numpy as np

from aimass_core.domain.signatures import ExportCheck, Task
from aimass_core.errors import InternalError
from batch_jobs.algorithms.export.assembly import THRESHOLD
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.scoring import Answers, to_answers

TOLERANCE = 1e-4


def check_export(channel: str, *, framework: Array, exported: Answers, target: Target, scale: float) -> ExportCheck:
    """Compares the two on every row.

    Args:
        channel: The channel that both have answered.
        framework: Probabilities or values as the framework gives them.
        exported: The graph's answers to the same rows.
        target: Says what the scores stand for.
        scale: What a difference is divided by: 1 for probabilities, the target's standard deviation for values.

    Raises:
        InternalError: They differ by more than the tolerance, or in a label that is not a tie. The model is not to be
            registered.
    """
    difference = np.abs(exported.scores.astype(np.float64) - framework.astype(np.float64)) / scale
    # NOTE: a NaN answer compares as no difference at all; it counts as an infinite one.
    largest = float(np.nan_to_num(difference, nan=np.inf, posinf=np.inf).max())
    is_other = np.zeros(len(framework), dtype=bool)
    is_wrong = is_other
    if exported.labels is not None:
        # Where two classes are equally likely to within the tolerance, either label is right.
        other = to_answers(framework, target) != exported.labels
        wrong = other & (_margin(framework, target) > 2 * TOLERANCE)
        is_other, is_wrong = (found.reshape(len(framework), -1).any(axis=1) for found in (other, wrong))
    num_wrong = int(is_wrong.sum())
    if largest > TOLERANCE or num_wrong:
        raise InternalError(
            f"the exported model does not repeat the trained one: on {len(framework)} rows of channel {channel} they "
            f"differ by up to {largest:.3g} (tolerance {TOLERANCE}) and in {num_wrong} labels. "
            "Nothing was registered; another algorithm may export well. Please report this"
        )
    return ExportCheck(
        num_rows=len(framework),
        max_abs_difference=largest,
        num_label_differences=int(is_other.sum()),
        tolerance=TOLERANCE,
    )


def join_checks(checks: Sequence[ExportCheck]) -> ExportCheck:
    """Those of all batches as one."""
    return ExportCheck(
        num_rows=sum(check.num_rows for check in checks),
        max_abs_difference=max(check.max_abs_difference for check in checks),
        num_label_differences=sum(check.num_label_differences for check in checks),
        tolerance=TOLERANCE,
    )


def _margin(probabilities: Array, target: Target) -> Array:
    """How far the best class is ahead of the next, or each label of its opposite."""
    if target.task is Task.MULTILABEL:
        return np.asarray(2 * np.abs(probabilities - THRESHOLD))
    best = np.partition(probabilities, -2, axis=1)
    return np.asarray(best[:, -1] - best[:, -2])
