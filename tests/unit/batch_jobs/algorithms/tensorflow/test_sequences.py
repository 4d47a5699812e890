"""Keras networks for sequences: what the torch ones promise, and graphs that repeat them at any size."""

import math
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
import pytest

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.series import FcnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import FEATURES, Learner
from batch_jobs.algorithms.tensorflow import fcn, rnn
from batch_jobs.algorithms.tensorflow.fitted import FittedNetwork, to_fitted
from batch_jobs.algorithms.tensorflow.recurrent_graph import build_graph
from tests.unit.batch_jobs.algorithms import sequences as shared
from tests.unit.batch_jobs.algorithms.sequences import check_answers, fit, problem_of
from tests.unit.batch_jobs.algorithms.surroundings import KilledError, Memory

import keras  # isort: skip  after our own modules have chosen its backend

QUICK: dict[str, Any] = {
    "hidden": 16,
    "embedding": 8,
    "learning_rate": 0.02,
    "dropout": 0.0,
    "batch_size": 32,
}


def _recurrent(kind: DataKind, **values: Any) -> FittedNetwork:
    keras.utils.set_random_seed(1)
    features = shared.pad(shared.TEXTS, 11) if kind is DataKind.TEXT else shared.series_of([9, 3], 9)
    problem, chosen = problem_of(kind), shared.rnn(**values)
    network = rnn.build_network(problem, chosen, features)
    # Keras begins with biases of zero, which would hide that one is left out.
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.7, weight.shape) for weight in network.get_weights()])
    answer = to_fitted(network, problem, num_steps=1).answer
    return FittedNetwork(
        answer=answer,
        is_regression=False,
        num_steps=1,
        export=partial(build_graph, problem=problem, chosen=chosen),
    )


# Each network is asked about texts or series in `make test`, about the other in `make test-slow`.
CASES = [
    pytest.param(kind, values, id=f"{kind}-{name}", marks=pytest.mark.slow if (number + turn) % 2 else ())
    for turn, kind in enumerate([DataKind.TEXT, DataKind.SERIES])
    for number, (name, values) in enumerate(shared.SHAPES.items())
]


@pytest.mark.parametrize(("kind", "values"), CASES)
def test_neighbours_and_padding_never_change_an_answer_and_the_graph_agrees(
    kind: DataKind, values: dict[str, Any]
) -> None:
    check_answers(_recurrent(kind, **values), kind)


def test_the_graph_ends_with_what_the_network_ends_with() -> None:
    problem, chosen = problem_of(DataKind.TEXT), shared.rnn()
    ids = shared.pad(shared.TEXTS, 11)
    network = rnn.build_network(problem, chosen, ids)
    for activation in ("sigmoid", "softmax"):
        last = keras.layers.Softmax() if activation == "softmax" else keras.layers.Activation(activation)
        answer = keras.Model(network.inputs, last(network.outputs[0]))
        graph = build_graph(answer, problem=problem, chosen=chosen)
        (found,) = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {FEATURES: ids})
        np.testing.assert_allclose(found, answer.predict(ids, verbose=0), atol=1e-6)


def test_learns_which_word_comes_first() -> None:
    examples = shared.order_of_words()
    fitted, _ = fit(rnn.Rnn(shared.rnn(epochs=8, **QUICK)), problem_of(DataKind.TEXT, 2), examples)
    assert (fitted.predict(examples.features).argmax(axis=1) == examples.targets).mean() > 0.95


@pytest.mark.parametrize("precision", [pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
def test_learns_series_of_different_lengths_with_gaps(precision: str) -> None:
    examples = shared.slopes()
    learner = rnn.Rnn(shared.rnn(epochs=12, precision=precision, **QUICK))
    fitted, _ = fit(learner, problem_of(DataKind.SERIES, 1), examples)
    assert np.corrcoef(fitted.predict(examples.features), examples.targets)[0, 1] > 0.9


# In `make test` torch's forecast so.
@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_forecasts_from_the_latest_value(cell: str) -> None:
    shared.check_forecasts(rnn.Rnn(shared.rnn(cell=cell, epochs=15, **QUICK)))


RESUMED: dict[str, tuple[Learner, DataKind]] = {
    "words dropped": (rnn.Rnn(shared.rnn(epochs=3, **QUICK | {"dropout": 0.3}, word_dropout=0.3)), DataKind.TEXT),
    "gru, averaged": (rnn.Rnn(shared.rnn(epochs=3, cell="gru", ema_decay=0.9, **QUICK)), DataKind.SERIES),
    "fcn": (fcn.Fcn(FcnHyperparameters(channels=[4, 4], kernels=[5, 3], epochs=3, batch_size=32)), DataKind.SERIES),
}


@pytest.mark.parametrize(
    ("learner", "kind"),
    [pytest.param(*each, id=name, marks=() if name == "fcn" else pytest.mark.slow) for name, each in RESUMED.items()],
)
def test_d15_a_resumed_training_ends_as_the_undisturbed_one(learner: Learner, kind: DataKind) -> None:
    examples = shared.order_of_words(100) if kind is DataKind.TEXT else shared.slopes(100)
    problem = problem_of(kind, 2 if kind is DataKind.TEXT else 1)
    undisturbed, _ = fit(learner, problem, examples)
    memory = Memory(dies_after=7)  # within the second epoch
    with pytest.raises(KilledError):
        fit(learner, problem, examples, memory)
    memory.dies_after = math.inf
    resumed, listener = fit(learner, problem, examples, memory)
    assert any("goes on from a checkpoint" in message for message in listener.messages)
    features = examples.features
    np.testing.assert_array_equal(resumed.predict(features), undisturbed.predict(features))


def _convolutional(series: np.ndarray, *, residual: bool, normalise: bool = False) -> keras.Model:
    keras.utils.set_random_seed(0)
    # A channel of one is what a squeezed statistic would break.
    chosen = FcnHyperparameters(channels=[4, 1], kernels=[8, 3], residual=residual, normalise_series=normalise)
    return fcn.build_network(problem_of(DataKind.SERIES), chosen, series)


@pytest.mark.parametrize(
    ("residual", "normalise"),
    [
        (True, True),
        (False, False),
        pytest.param(True, False, marks=pytest.mark.slow),
        pytest.param(False, True, marks=pytest.mark.slow),
    ],
)
def test_convolutions_see_no_padding_and_the_graph_agrees(residual: bool, normalise: bool) -> None:
    network = _convolutional(shared.series_of([9, 3], 9), residual=residual, normalise=normalise)
    rng = np.random.default_rng(0)
    network.set_weights([np.abs(rng.normal(0, 0.7, weight.shape)) + 0.1 for weight in network.get_weights()])
    check_answers(to_fitted(network, problem_of(DataKind.SERIES), num_steps=1), DataKind.SERIES)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("is_training", [False, True])
def test_filling_up_changes_neither_answers_nor_batch_statistics(residual: bool, is_training: bool) -> None:
    series = np.random.default_rng(0).normal(3, 2, (6, 9, 2)).astype(np.float32)
    series[2, 5:] = np.nan
    filled = np.concatenate([series, np.full((6, 7, 2), np.nan, np.float32)], axis=1)
    networks = [_convolutional(each, residual=residual) for each in (series, filled)]
    plain, longer = (
        network(each, training=is_training).numpy() for network, each in zip(networks, (series, filled), strict=True)
    )
    np.testing.assert_allclose(longer, plain, atol=1e-5)
    for mine, theirs in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_allclose(theirs, mine, atol=1e-5)


@pytest.mark.parametrize("task", [pytest.param(Task.MULTICLASS, marks=pytest.mark.slow), Task.REGRESSION])
def test_the_gradient_of_a_batch_with_gaps_is_finite(task: Task) -> None:
    """A row with no value at all among them."""
    series = np.random.default_rng(0).normal(size=(40, 9, 2)).astype(np.float32)
    series[0, 3:], series[1, 2, 0], series[2] = np.nan, np.nan, np.nan
    targets = np.arange(40) % 3 if task is Task.MULTICLASS else np.linspace(-1, 1, 40)
    learner = fcn.Fcn(FcnHyperparameters(channels=[4, 4], kernels=[8, 3], residual=True, epochs=2, ema_decay=0.0))
    problem = problem_of(DataKind.SERIES, 3 if task is Task.MULTICLASS else 1)
    fitted, listener = fit(learner, problem, shared.Examples(features=series, targets=targets))
    assert np.isfinite(fitted.predict(series)).all()
    assert len(next(iter(listener.curves.values()))) == 2
