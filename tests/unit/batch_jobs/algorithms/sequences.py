"""What networks for sequences promise in every framework: the data that tells, and the checks."""

from typing import Any

import numpy as np
import onnxruntime

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.recurrent import RnnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import FEATURES, Examples, FitContext, Fitted, Learner, Problem
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import TargetScale
from tests.unit.batch_jobs.algorithms.surroundings import Listener, Memory

NUM_IDS = 12
SHAPES: dict[str, dict[str, Any]] = {
    "lstm, both ways, mean": {},
    "gru, both ways, attention": {"cell": "gru", "pooling": "attention"},
    "lstm, both ways, last, two layers": {"pooling": "last", "layers": 2},
    "gru, one way, last": {"cell": "gru", "pooling": "last", "bidirectional": False},
    "no layer, mean": {"layers": 0},
}
TEXTS = [[], [3], [4, 5], [7, 6, 5, 4, 3, 2, 1, 8, 9, 10, 11], [1, 1, 1]]


def problem_of(kind: DataKind, num_outputs: int = 3, task: Task | None = None) -> Problem:
    is_text = kind is DataKind.TEXT
    return Problem(
        task=task or (Task.REGRESSION if num_outputs == 1 else Task.MULTICLASS),
        kind=kind,
        num_outputs=num_outputs,
        num_numeric=0 if is_text else 2,
        cardinalities=(NUM_IDS,) if is_text else (),
        target_channel=1 if task is Task.FORECASTING else None,
        target_scale=TargetScale(mean=10.0, deviation=4.0) if task is Task.FORECASTING else None,
        seed=0,
        num_threads=1,
    )


def rnn(**values: Any) -> RnnHyperparameters:
    return RnnHyperparameters.model_validate({"hidden": 6, "embedding": 5} | values)


def pad(rows: list[list[int]], width: int) -> Array:
    return np.array([row + [0] * (width - len(row)) for row in rows], dtype=np.int64)


def series_of(lengths: list[int], width: int) -> Array:
    """Two channels; the first is missing in the first half of each row."""
    series = np.random.default_rng(3).normal(size=(len(lengths), width, 2)).astype(np.float32)
    for row, length in zip(series, lengths, strict=True):
        row[length:] = np.nan
        row[: length // 2, 0] = np.nan
    return series


def check_answers(fitted: Fitted, kind: DataKind) -> None:
    """Neighbours and padding never change an answer, and the graph agrees at any size."""
    whole = pad(TEXTS, 11) if kind is DataKind.TEXT else series_of([0, 1, 2, 11, 4], 11)
    session = onnxruntime.InferenceSession(fitted.to_onnx().SerializeToString())
    together = fitted.predict(whole)
    assert len(np.unique(together[:, 0])) > 2
    for row, length in enumerate([1, 1, 2, 11, 4]):
        if length in (1, 4):
            alone = fitted.predict(whole[[row], :length])
            np.testing.assert_allclose(alone[0], together[row], atol=1e-6)
        for width in {length, length + 1, 11}:
            (exported,) = session.run(None, {FEATURES: whole[[row], :width]})
            np.testing.assert_allclose(exported[0], together[row], atol=1e-5)
    (exported,) = session.run(None, {FEATURES: whole})
    np.testing.assert_allclose(exported, together, atol=1e-5)


def check_forecasts(learner: Learner) -> None:
    """A line is gone on with from wherever it is, and the graph agrees where values are missing."""
    examples = pasts()
    fitted, _ = fit(learner, problem_of(DataKind.SERIES, 3, Task.FORECASTING), examples)
    features = examples.features
    forecasts = fitted.predict(features)
    naive = (features[:, -1:, 1] - 10.0) / 4.0
    assert np.square(forecasts - examples.targets).mean() < 0.1 * np.square(naive - examples.targets).mean()
    raised = fitted.predict(features + np.array([0, 40], np.float32))
    np.testing.assert_allclose(raised, forecasts + 10, atol=1e-3)
    hard = features[:4].copy()
    hard[0], hard[1, -3:], hard[2, :, 1] = np.nan, np.nan, np.nan
    session = onnxruntime.InferenceSession(fitted.to_onnx().SerializeToString())
    for rows in (features, hard, hard[:1]):
        (exported,) = session.run(None, {FEATURES: rows})
        np.testing.assert_allclose(exported, fitted.predict(rows), atol=1e-4)


def order_of_words(num_rows: int = 400) -> Examples:
    """The order of words is all that tells the classes apart: no bag of words could."""
    rng = np.random.default_rng(0)
    rows, targets = [], []
    for _ in range(num_rows):
        filler = rng.integers(4, NUM_IDS, rng.integers(0, 4)).tolist()
        target = int(rng.integers(0, 2))
        rows.append([*filler, *((2, 3) if target else (3, 2))])
        targets.append(target)
    return Examples(features=pad(rows, 6), targets=np.array(targets))


def slopes(num_rows: int = 300) -> Examples:
    """Series of different lengths with gaps, whose level is the value."""
    rng = np.random.default_rng(0)
    series = series_of(rng.integers(4, 20, num_rows).tolist(), 20)
    levels = rng.normal(size=num_rows)
    series[:, :, 1] += levels[:, None]
    return Examples(features=series, targets=levels)


def pasts(num_rows: int = 300, *, width: int = 12, horizon: int = 3) -> Examples:
    """Windows on a line of any slope at any height, and how it goes on; the standard deviation is 4, the mean 10."""
    rng = np.random.default_rng(0)
    steps = np.arange(width + horizon) * rng.normal(size=(num_rows, 1)) + rng.normal(size=(num_rows, 1)) * 20
    features = np.stack([rng.normal(size=(num_rows, width)), steps[:, :width]], axis=2).astype(np.float32)
    features[::7, 4, 1] = np.nan
    return Examples(features=features, targets=(steps[:, width:] - 10.0) / 4.0)


def fit(
    learner: Learner, problem: Problem, examples: Examples, memory: Memory | None = None
) -> tuple[Fitted, Listener]:
    listener = Listener()
    context = FitContext(listener=listener, checkpoints=memory or Memory())
    return learner.fit(problem, examples, examples, context=context), listener
