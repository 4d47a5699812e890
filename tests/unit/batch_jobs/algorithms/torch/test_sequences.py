"""Recurrent networks: padding and neighbours never change an answer, and the graph repeats the network at any size."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.recurrent import RnnHyperparameters
from aimass_core.domain.algorithms.series import FcnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import FEATURES, Examples, FitContext, Problem
from batch_jobs.algorithms.torch.fcn import Fcn
from batch_jobs.algorithms.torch.fitted import Answer, FittedNetwork
from batch_jobs.algorithms.torch.rnn import Network, Rnn
from batch_jobs.algorithms.torch.sequences import turn
from batch_jobs.data.frames import Array

NUM_IDS = 12
SHAPES: dict[str, dict[str, Any]] = {
    "lstm, both ways, mean": {},
    "gru, both ways, attention": {"cell": "gru", "pooling": "attention"},
    "lstm, both ways, last, two layers": {"pooling": "last", "layers": 2},
    "gru, one way, last": {"cell": "gru", "pooling": "last", "bidirectional": False},
    "no layer, mean": {"layers": 0},
}
TEXTS = [[], [3], [4, 5], [7, 6, 5, 4, 3, 2, 1, 8, 9, 10, 11], [1, 1, 1]]


class _Silent:
    def step(self, step: int, num_steps: int, losses: Any) -> None:
        pass

    def message(self, text: str) -> None:
        pass


def _problem(kind: DataKind, num_outputs: int = 3) -> Problem:
    is_text = kind is DataKind.TEXT
    return Problem(
        task=Task.REGRESSION if num_outputs == 1 else Task.MULTICLASS,
        kind=kind,
        num_outputs=num_outputs,
        num_numeric=0 if is_text else 2,
        cardinalities=(NUM_IDS,) if is_text else (),
        seed=0,
        num_threads=1,
    )


def _hyperparameters(**values: Any) -> RnnHyperparameters:
    return RnnHyperparameters.model_validate({"hidden": 6, "embedding": 5} | values)


def _pad(rows: list[list[int]], width: int) -> Array:
    return np.array([row + [0] * (width - len(row)) for row in rows], dtype=np.int64)


def _series(lengths: list[int], width: int) -> Array:
    series = np.random.default_rng(3).normal(size=(len(lengths), width, 2)).astype(np.float32)
    for row, length in zip(series, lengths, strict=True):
        row[length:] = np.nan
        row[: length // 2, 0] = np.nan
    return series


def _network(kind: DataKind, **values: Any) -> FittedNetwork:
    torch.manual_seed(1)
    features = _pad(TEXTS, 11) if kind is DataKind.TEXT else _series([9, 3], 9)
    problem = _problem(kind)
    answer = Answer(Network(problem, _hyperparameters(**values), features), problem).eval()
    example = np.zeros((2, 5, *features.shape[2:]), dtype=features.dtype)
    return FittedNetwork(answer=answer, num_steps=1, example=example, has_variable_length=True)


@pytest.mark.parametrize("values", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", [DataKind.TEXT, DataKind.SERIES])
def test_neighbours_and_padding_never_change_an_answer_and_the_graph_agrees(
    kind: DataKind, values: dict[str, Any]
) -> None:
    network = _network(kind, **values)
    whole = _pad(TEXTS, 11) if kind is DataKind.TEXT else _series([0, 1, 2, 11, 4], 11)
    session = onnxruntime.InferenceSession(network.to_onnx().SerializeToString())
    together = network.predict(whole)
    for row, length in enumerate([1, 1, 2, 11, 4]):
        alone = network.predict(whole[[row], :length])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6)
        for width in {length, length + 1, 11}:
            (exported,) = session.run(None, {FEATURES: whole[[row], :width]})
            np.testing.assert_allclose(exported[0], together[row], atol=1e-5)
    (exported,) = session.run(None, {FEATURES: whole})
    np.testing.assert_allclose(exported, together, atol=1e-5)


def test_a_row_is_turned_around_within_its_own_length() -> None:
    vectors = torch.arange(8.0).reshape(2, 4, 1)
    turned = turn(vectors, torch.tensor([[3], [0]]))
    assert turned[:, :, 0].tolist() == [[2, 1, 0, 3], [4, 5, 6, 7]]


def test_learns_which_word_comes_first() -> None:
    """The order of words is all that tells the classes apart: no bag of words could."""
    rng = np.random.default_rng(0)
    rows, targets = [], []
    for _ in range(400):
        filler = rng.integers(4, NUM_IDS, rng.integers(0, 4)).tolist()
        target = int(rng.integers(0, 2))
        rows.append([*filler, *((2, 3) if target else (3, 2))])
        targets.append(target)
    examples = Examples(features=_pad(rows, 6), targets=np.array(targets))
    learner = Rnn(_hyperparameters(hidden=16, embedding=8, epochs=8, learning_rate=0.02, dropout=0.0, batch_size=32))
    fitted = learner.fit(_problem(DataKind.TEXT, 2), examples, examples, context=FitContext(listener=_Silent()))
    assert (fitted.predict(examples.features).argmax(axis=1) == examples.targets).mean() > 0.95


def test_learns_series_of_different_lengths_with_gaps() -> None:
    rng = np.random.default_rng(0)
    series = _series(rng.integers(4, 20, 300).tolist(), 20)
    slope = rng.normal(size=300)
    series[:, :, 1] += slope[:, None]
    examples = Examples(features=series, targets=slope)
    learner = Rnn(_hyperparameters(hidden=16, embedding=8, epochs=12, learning_rate=0.02, dropout=0.0, batch_size=32))
    fitted = learner.fit(_problem(DataKind.SERIES, 1), examples, examples, context=FitContext(listener=_Silent()))
    assert np.corrcoef(fitted.predict(series), slope)[0, 1] > 0.9


@pytest.mark.parametrize(("algorithm", "num_learned"), [("rnn", 500), ("fcn", 100_000)])
def test_series_of_no_step_and_of_100_000_are_learned_and_answered(algorithm: str, num_learned: int) -> None:
    """A recurrent network takes 12 s for a step on the long ones: it learns from what they begin with."""
    long = np.sin(np.arange(100_000, dtype=np.float32) / 50)
    series = np.full((4, 100_000, 2), np.nan, np.float32)
    series[1, 0], series[2], series[3] = 1.0, long[:, None], -long[:, None]
    learners: dict[str, Any] = {
        "rnn": Rnn(_hyperparameters(cell="gru", hidden=2, embedding=2, bidirectional=False, epochs=1)),
        "fcn": Fcn(FcnHyperparameters(channels=[2, 2], kernels=[5, 3], epochs=1)),
    }
    examples = Examples(features=series[:, :num_learned], targets=np.array([0.0, 1.0, 0.5, -0.5]))
    context = FitContext(listener=_Silent())
    fitted = learners[algorithm].fit(_problem(DataKind.SERIES, 1), examples, examples, context=context)
    answers = fitted.predict(series)
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(fitted.predict(series[:2, :1]), answers[:2], atol=1e-5)
