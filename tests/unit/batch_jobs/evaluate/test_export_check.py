"""An export that differs is refused."""

import numpy as np
import pytest

from aimass_core.domain.signatures import Task
from aimass_core.errors import InternalError
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.export_check import TOLERANCE, check_export
from batch_jobs.evaluate.scoring import Answers

CLASSES = Target(column="y", task=Task.BINARY, labels=("a", "b"))
LABELS = Target(column="y", task=Task.MULTILABEL, labels=("a", "b"))
VALUE = Target(column="y", task=Task.REGRESSION, labels=None)
FRAMEWORK = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], np.float32)


def _answers(scores: np.ndarray, labels: list[str] | None = None) -> Answers:
    return Answers(labels=np.array(labels or ["a", "b", "a"], object), scores=scores.astype(np.float32))


def test_the_same_answers_pass_with_their_figures() -> None:
    check = check_export("validation", framework=FRAMEWORK, exported=_answers(FRAMEWORK), target=CLASSES, scale=1)
    assert (check.num_rows, check.max_abs_difference, check.num_label_differences) == (3, 0, 0)


def test_another_label_of_a_tie_is_counted_but_no_fault() -> None:
    exported = _answers(FRAMEWORK, ["a", "b", "b"])
    check = check_export("validation", framework=FRAMEWORK, exported=exported, target=CLASSES, scale=1)
    assert check.num_label_differences == 1


@pytest.mark.parametrize("difference", [2 * TOLERANCE, np.nan, np.inf])
def test_one_probability_that_differs_is_refused_with_the_figures(difference: float) -> None:
    scores = FRAMEWORK.copy()
    scores[1, 0] += difference
    with pytest.raises(InternalError, match="on 3 rows of channel validation they differ by up to"):
        check_export("validation", framework=FRAMEWORK, exported=_answers(scores), target=CLASSES, scale=1)


def test_a_wrong_label_is_refused() -> None:
    with pytest.raises(InternalError, match="in 1 labels"):
        check_export(
            "test", framework=FRAMEWORK, exported=_answers(FRAMEWORK, ["b", "b", "a"]), target=CLASSES, scale=1
        )


def test_of_several_labels_one_that_differs_is_refused_unless_it_lies_at_the_threshold() -> None:
    framework = np.array([[0.9, 0.5], [0.2, 0.6]], np.float32)
    tie = Answers(labels=np.array([[True, False], [False, True]]), scores=framework)
    check = check_export("test", framework=framework, exported=tie, target=LABELS, scale=1)
    assert (check.num_rows, check.num_label_differences) == (2, 1)
    wrong = Answers(labels=np.array([[True, True], [True, True]]), scores=framework)
    with pytest.raises(InternalError, match="in 1 labels"):
        check_export("test", framework=framework, exported=wrong, target=LABELS, scale=1)


def test_values_are_compared_in_units_of_the_target() -> None:
    framework = np.array([100.0, 200.0], np.float32)
    exported = Answers(labels=None, scores=framework + np.float32(0.005))
    check = check_export("validation", framework=framework, exported=exported, target=VALUE, scale=100)
    assert check.max_abs_difference == pytest.approx(5e-5, rel=0.01)
    with pytest.raises(InternalError):
        check_export("validation", framework=framework, exported=exported, target=VALUE, scale=10)
