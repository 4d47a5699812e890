"""What is particular to several labels, in each framework."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.linear import LinearHyperparameters
from aimass_core.domain.algorithms.networks import MlpHyperparameters
from aimass_core.domain.algorithms.trees import RandomForestHyperparameters, XGBoostHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.class_weights import build_class_weights
from batch_jobs.algorithms.export.builder import finish
from batch_jobs.algorithms.learning import SCORES, Examples, FitContext, Fitted, Problem
from batch_jobs.algorithms.sklearn.forest import RandomForest
from batch_jobs.algorithms.sklearn.linear import Linear
from batch_jobs.algorithms.torch.losses import build_loss
from batch_jobs.algorithms.xgboost.trees import Trees
from tests.unit.batch_jobs.algorithms.surroundings import Listener

PROBLEM = Problem(task=Task.MULTILABEL, kind=DataKind.TABLE, num_outputs=4, num_numeric=5, seed=0, num_threads=1)


def _examples(seed: int, num_rows: int = 600) -> Examples:
    """Four labels: half the rows, few, none, all."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num_rows, 5)).astype(np.float32)
    signal = features[:, :2] + rng.normal(0, 0.5, (num_rows, 2))
    features[rng.random(features.shape) < 0.1] = np.nan
    targets = np.column_stack([signal[:, 0] > 0, signal[:, 1] > 1.5, np.zeros(num_rows), np.ones(num_rows)])
    return Examples(features=features, targets=targets.astype(np.uint8))


def _graph_scores(fitted: Fitted, features: Any) -> Any:
    session = onnxruntime.InferenceSession(finish(fitted.to_onnx()).SerializeToString())
    return session.run([SCORES], {"features": features})[0]


@pytest.mark.parametrize("num_labels", [2, 4])
@pytest.mark.parametrize(
    "learner",
    [
        Trees(XGBoostHyperparameters(num_rounds=50, early_stopping_rounds=5)),
        RandomForest(RandomForestHyperparameters(num_trees=20)),
        Linear(LinearHyperparameters()),
    ],
)
def test_the_graph_answers_each_label_as_the_framework_does(learner: Any, num_labels: int) -> None:
    problem = Problem(**{**{name: getattr(PROBLEM, name) for name in PROBLEM.__slots__}, "num_outputs": num_labels})
    train, other = (
        Examples(features=each.features, targets=each.targets[:, :num_labels]) for each in (_examples(0), _examples(1))
    )
    fitted = learner.fit(problem, train, other, context=FitContext(listener=Listener()))
    features = _examples(2).features
    expected = fitted.predict(features)
    np.testing.assert_allclose(_graph_scores(fitted, features), expected, atol=2e-6)
    # Each by itself: the rows' probabilities do not add up to one.
    assert np.ptp(expected.sum(axis=1)) > 0.5
    shares = other.targets.mean(axis=0)
    assert expected.mean(axis=0) == pytest.approx(shares, abs=0.05)


def test_one_forest_of_all_labels_gives_the_probabilities_of_scikit_learns_classification() -> None:
    chosen = RandomForestHyperparameters(num_trees=15, max_features=1.0, min_samples_leaf=5)
    train = _examples(0)
    fitted = RandomForest(chosen).fit(PROBLEM, train, None, context=FitContext(listener=Listener()))
    peer = RandomForestClassifier(15, max_features=None, min_samples_leaf=5, random_state=0)
    answers = peer.fit(train.features, train.targets).predict_proba(train.features)
    # Ties between splits may fall otherwise: impurities are summed in another order.
    for label in (0, 1):
        np.testing.assert_allclose(fitted.predict(train.features)[:, label], answers[label][:, 1], atol=0.05)


def test_linear_models_of_many_labels_end_with_the_jobs_time() -> None:
    context = FitContext(listener=Listener(), is_time_up=lambda: True)
    with pytest.raises(InvalidRequestError, match="time was up after 0 of 4 labels"):
        Linear(LinearHyperparameters()).fit(PROBLEM, _examples(0), None, context=context)


def test_balanced_weights_make_both_sides_of_a_label_equal() -> None:
    targets = _examples(0).targets
    weights = build_class_weights(PROBLEM, MlpHyperparameters.model_validate({"class_weights": "balanced"}), targets)
    assert weights is not None
    counts = targets.sum(axis=0)
    assert (weights * counts)[:2] == pytest.approx((len(targets) - counts)[:2])
    assert weights[2:].tolist() == [1, 1]


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_torch_and_keras_have_the_same_loss(class_weights: str) -> None:
    from batch_jobs.algorithms.tensorflow.losses import build_loss as build_keras_loss

    chosen = MlpHyperparameters.model_validate({"class_weights": class_weights})
    targets = _examples(0).targets.astype(np.float32)
    logits = np.random.default_rng(0).normal(size=targets.shape).astype(np.float32)
    loss = build_loss(PROBLEM, chosen, torch.from_numpy(targets), torch.device("cpu"))
    mine = float(loss.sum(torch.from_numpy(logits), torch.from_numpy(targets))) / loss.weigh(torch.from_numpy(targets))
    weights = build_class_weights(PROBLEM, chosen, targets)
    theirs = float(build_keras_loss(Task.MULTILABEL, weights)(targets, logits).numpy().mean())
    assert mine == pytest.approx(theirs, rel=1e-5)
    chances = 1 / (1 + np.exp(-logits.astype(np.float64)))
    factors = 1.0 if weights is None else weights
    by_hand = -(factors * targets * np.log(chances) + (1 - targets) * np.log(1 - chances)).mean()
    assert mine == pytest.approx(by_hand, rel=1e-5)
