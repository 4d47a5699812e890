"""Ways to combine models: what they answer, and that their graphs answer the same."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

from aimass_core.domain.fusion import FusionMethod
from aimass_core.domain.signatures import Task
from batch_jobs.data.targets import Target, TargetScale
from batch_jobs.fuse.answers import Answered, to_given
from batch_jobs.fuse.graphs import WEIGHTS, input_name, to_lone_graph
from batch_jobs.fuse.methods import METHODS, Method, Settings

METRICS = {
    Task.BINARY: "roc_auc",
    Task.MULTICLASS: "accuracy",
    Task.MULTILABEL: "roc_auc",
    Task.REGRESSION: "rmse",
    Task.FORECASTING: "rmse",
}
NUM_MEMBERS, NUM_ROWS = 3, 240


def make_target(task: Task) -> Target:
    labels = {Task.BINARY: ("no", "yes"), Task.MULTICLASS: ("a", "b", "c"), Task.MULTILABEL: ("x", "y", "z")}
    horizon = 4 if task is Task.FORECASTING else 0
    scale = TargetScale(mean=100.0, deviation=20.0) if horizon else None
    return Target(column="target", task=task, labels=labels.get(task), horizon=horizon, scale=scale)


def make_answers(task: Task, *, noise: tuple[float, ...] = (0.6, 1.0, 2.0), num_rows: int = NUM_ROWS) -> Answered:
    """Members that are the truth with noise of their own, the first with the least."""
    target, rng = make_target(task), np.random.default_rng(7)
    if target.labels is None:
        truth = rng.normal(100, 20, (num_rows, max(target.horizon, 1)))
        scores = np.stack([truth + 20 * own * rng.normal(size=truth.shape) + 3 for own in noise])
        given = truth if target.horizon else truth[:, 0]
        return Answered(scores=scores.astype(np.float32).astype(np.float64), truth=given, target=target)
    hidden = rng.normal(size=(num_rows, target.num_outputs))
    logits = np.stack([2 * (hidden + own * rng.normal(size=hidden.shape)) for own in noise])
    if task is Task.MULTILABEL:
        scores, truth = 1 / (1 + np.exp(-logits)), (hidden > 0).astype(np.uint8)
    else:
        exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
        scores, truth = exponents / exponents.sum(axis=-1, keepdims=True), hidden.argmax(axis=1)
    return Answered(scores=scores.astype(np.float32).astype(np.float64), truth=truth, target=target)


def settings_of(task: Task) -> Settings:
    return Settings(metric=METRICS[task], seed=0, num_threads=1)


def find(method: FusionMethod) -> Method:
    return next(known for known in METHODS if known.method is method)


def run(model: bytes, answered: Answered, weights: Any = None) -> Any:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feed = {input_name(number): answered.of_member(number) for number in range(answered.num_members)}
    if weights is not None:
        feed[WEIGHTS] = np.asarray(weights, dtype=np.float64)
    return session.run(None, feed)


FITTING = [(method, task) for method in METHODS for task in sorted(METRICS) if task in method.tasks]


@pytest.mark.parametrize(("method", "task"), FITTING, ids=[f"{method.method}-{task}" for method, task in FITTING])
def test_graph_answers_as_what_was_fitted(method: Method, task: Task) -> None:
    answered = make_answers(task)
    combination = method.fit(answered, settings_of(task))
    expected = combination.answer(answered.scores)
    found = run(to_lone_graph(NUM_MEMBERS, combination, answered.target), answered, combination.weights)
    scale = 1 if answered.target.labels else 20
    np.testing.assert_allclose(found[-1] / scale, to_given(expected, answered.target) / scale, atol=2e-6, rtol=0)
    if answered.target.labels is not None and task is not Task.MULTILABEL:
        assert found[0].tolist() == [answered.target.labels[index] for index in found[1].argmax(axis=1)]
        np.testing.assert_allclose(found[1].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "task"), [one for one in FITTING if one[1] in (Task.MULTICLASS, Task.REGRESSION)], ids=str
)
def test_together_they_are_better_than_the_mean_member(method: Method, task: Task) -> None:
    answered = make_answers(task, noise=(1.0, 1.0, 1.0))
    found = method.fit(answered, settings_of(task)).answer(answered.scores)
    if task is Task.REGRESSION:
        errors = np.abs(answered.scores[:, :, 0] - answered.truth).mean()
        assert np.abs(found[:, 0] - answered.truth).mean() < 0.8 * errors
    else:
        right = (answered.scores.argmax(axis=-1) == answered.truth).mean()
        assert (found.argmax(axis=1) == answered.truth).mean() > right + 0.05


@pytest.mark.parametrize("task", list(METRICS))
def test_convex_weights_find_the_member_that_knows(task: Task) -> None:
    answered = make_answers(task, noise=(0.05, 3.0, 3.0))
    weights = find(FusionMethod.CONVEX_WEIGHTING).fit(answered, settings_of(task)).weights
    assert weights is not None
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 0.8
    assert (weights >= 0).all()


def test_most_votes_win_and_probabilities_part_ties() -> None:
    target = make_target(Task.BINARY)
    scores = np.array([[[0.4, 0.6], [0.1, 0.9]], [[0.4, 0.6], [0.6, 0.4]], [[0.99, 0.01], [0.7, 0.3]]])
    three = Answered(scores=scores, truth=np.array([0, 1]), target=target)
    vote = find(FusionMethod.HARD_VOTING).fit(three, settings_of(Task.BINARY)).answer(scores)
    np.testing.assert_allclose(vote, [[1 / 3, 2 / 3], [2 / 3, 1 / 3]], atol=1e-3)
    two = Answered(scores=scores[1:], truth=np.array([0, 1]), target=target)
    tie = find(FusionMethod.HARD_VOTING).fit(two, settings_of(Task.BINARY)).answer(scores[1:])
    assert tie[0, 0] > 0.5  # one vote each, and the second is surer


def test_soft_votes_are_of_calibrated_probabilities() -> None:
    answered = make_answers(Task.BINARY, noise=(1.0, 1.0, 1.0))
    sure = np.clip(answered.scores, 1e-6, None) ** 6
    sure /= sure.sum(axis=-1, keepdims=True)
    overconfident = Answered(scores=sure, truth=answered.truth, target=answered.target)
    found = find(FusionMethod.SOFT_VOTING).fit(overconfident, settings_of(Task.BINARY)).answer(sure)
    right = np.arange(NUM_ROWS), answered.truth
    assert -np.log(found[right]).mean() < 0.85 * -np.log(np.clip(sure.mean(axis=0)[right], 1e-9, None)).mean()


def test_blending_takes_out_what_all_are_wrong_by() -> None:
    answered = make_answers(Task.REGRESSION, noise=(0.1, 0.2, 0.2))
    blend = find(FusionMethod.BLENDING).fit(answered, settings_of(Task.REGRESSION))
    averaging = find(FusionMethod.AVERAGING).fit(answered, settings_of(Task.REGRESSION))
    assert abs(float((blend.answer(answered.scores)[:, 0] - answered.truth).mean())) < 1e-6
    assert abs(float((averaging.answer(answered.scores)[:, 0] - answered.truth).mean())) > 1


def test_weights_that_are_given_take_the_place_of_the_fitted_ones() -> None:
    answered = make_answers(Task.REGRESSION)
    combination = find(FusionMethod.AVERAGING).fit(answered, settings_of(Task.REGRESSION))
    model = to_lone_graph(NUM_MEMBERS, combination, answered.target)
    (found,) = run(model, answered, [0.0, 30.0, 10.0])
    expected = 0.75 * answered.scores[1, :, 0] + 0.25 * answered.scores[2, :, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
