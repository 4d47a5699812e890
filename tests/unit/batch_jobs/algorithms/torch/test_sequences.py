"""Recurrent networks: padding and neighbours never change an answer, and the graph repeats the network at any size."""

from typing import Any

import numpy as np
import pytest
import torch

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.series import FcnHyperparameters
from batch_jobs.algorithms.learning import Examples
from batch_jobs.algorithms.torch.fcn import Fcn
from batch_jobs.algorithms.torch.fitted import Answer, FittedNetwork
from batch_jobs.algorithms.torch.rnn import Network, Rnn
from batch_jobs.algorithms.torch.sequences import turn
from tests.unit.batch_jobs.algorithms.sequences import (
    SHAPES,
    TEXTS,
    check_answers,
    check_forecasts,
    fit,
    order_of_words,
    pad,
    problem_of,
    rnn,
    series_of,
    slopes,
)


def _network(kind: DataKind, **values: Any) -> FittedNetwork:
    torch.manual_seed(1)
    features = pad(TEXTS, 11) if kind is DataKind.TEXT else series_of([9, 3], 9)
    problem = problem_of(kind)
    answer = Answer(Network(problem, rnn(**values), features), problem).eval()
    example = np.zeros((2, 5, *features.shape[2:]), dtype=features.dtype)
    return FittedNetwork(answer=answer, num_steps=1, example=example, has_variable_length=True)


@pytest.mark.parametrize("values", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", [DataKind.TEXT, DataKind.SERIES])
def test_neighbours_and_padding_never_change_an_answer_and_the_graph_agrees(
    kind: DataKind, values: dict[str, Any]
) -> None:
    check_answers(_network(kind, **values), kind)


def test_a_row_is_turned_around_within_its_own_length() -> None:
    vectors = torch.arange(8.0).reshape(2, 4, 1)
    turned = turn(vectors, torch.tensor([[3], [0]]))
    assert turned[:, :, 0].tolist() == [[2, 1, 0, 3], [4, 5, 6, 7]]


def test_learns_which_word_comes_first() -> None:
    examples = order_of_words()
    learner = Rnn(rnn(hidden=16, embedding=8, epochs=8, learning_rate=0.02, dropout=0.0, batch_size=32))
    fitted, _ = fit(learner, problem_of(DataKind.TEXT, 2), examples)
    assert (fitted.predict(examples.features).argmax(axis=1) == examples.targets).mean() > 0.95


def test_learns_series_of_different_lengths_with_gaps() -> None:
    examples = slopes()
    learner = Rnn(rnn(hidden=16, embedding=8, epochs=12, learning_rate=0.02, dropout=0.0, batch_size=32))
    fitted, _ = fit(learner, problem_of(DataKind.SERIES, 1), examples)
    assert np.corrcoef(fitted.predict(examples.features), examples.targets)[0, 1] > 0.9


@pytest.mark.parametrize("cell", [pytest.param("lstm", marks=pytest.mark.slow), "gru"])
def test_forecasts_from_the_latest_value(cell: str) -> None:
    values = {"hidden": 16, "embedding": 8, "epochs": 15, "learning_rate": 0.02, "dropout": 0.0, "batch_size": 32}
    check_forecasts(Rnn(rnn(cell=cell, **values)))


@pytest.mark.parametrize(("algorithm", "num_learned"), [("rnn", 500), ("fcn", 100_000)])
def test_series_of_no_step_and_of_100_000_are_learned_and_answered(algorithm: str, num_learned: int) -> None:
    """A recurrent network takes 12 s for a step on the long ones: it learns from what they begin with."""
    long = np.sin(np.arange(100_000, dtype=np.float32) / 50)
    series = np.full((4, 100_000, 2), np.nan, np.float32)
    series[1, 0], series[2], series[3] = 1.0, long[:, None], -long[:, None]
    learners: dict[str, Any] = {
        "rnn": Rnn(rnn(cell="gru", hidden=2, embedding=2, bidirectional=False, epochs=1)),
        "fcn": Fcn(FcnHyperparameters(channels=[2, 2], kernels=[5, 3], epochs=1)),
    }
    examples = Examples(features=series[:, :num_learned], targets=np.array([0.0, 1.0, 0.5, -0.5]))
    fitted, _ = fit(learners[algorithm], problem_of(DataKind.SERIES, 1), examples)
    answers = fitted.predict(series)
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(fitted.predict(series[:2, :1]), answers[:2], atol=1e-5)
