"""Keras networks on small data: options, exact resumption, and the same promises as the torch ones."""

import math
from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import CnnHyperparameters, MlpHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.tensorflow.batches import Batches
from batch_jobs.algorithms.tensorflow.cnn import Cnn
from batch_jobs.algorithms.tensorflow.mlp import Mlp
from batch_jobs.runtime.cluster import Cluster
from tests.unit.batch_jobs.algorithms.surroundings import KilledError, Listener, Memory

NUM_ROWS = 120


def _problem(task: Task = Task.MULTICLASS, num_outputs: int = 3) -> Problem:
    return Problem(
        task=task,
        kind=DataKind.TABLE,
        num_outputs=num_outputs,
        num_numeric=3,
        cardinalities=(4,),
        seed=3,
        num_threads=1,
    )


def _examples(seed: int, *, task: Task = Task.MULTICLASS, num_rows: int = NUM_ROWS) -> Examples:
    generator = np.random.default_rng(seed)
    numeric = generator.normal(size=(num_rows, 3)).astype(np.float32)
    codes = generator.integers(1, 4, size=(num_rows, 1)).astype(np.float32)
    signal = numeric[:, 0] - numeric[:, 1] + codes[:, 0]
    numeric[::11, 2] = np.nan
    features = np.concatenate([numeric, codes], axis=1)
    if task is Task.REGRESSION:
        return Examples(features=features, targets=(signal - signal.mean()) / signal.std())
    return Examples(features=features, targets=np.digitize(signal, [1.0, 3.0]).astype(np.int64))


def _fit(
    *,
    task: Task = Task.MULTICLASS,
    checkpoints: Memory | None = None,
    is_time_up: Any = None,
    surroundings: Mapping[str, Any] = MappingProxyType({}),
    **hyperparameters: Any,
) -> tuple[Any, Listener]:
    listener = Listener()
    context = FitContext(
        listener=listener,
        checkpoints=checkpoints or Memory(),
        is_time_up=is_time_up or (lambda: False),
        **surroundings,
    )
    chosen = MlpHyperparameters(
        **{"hidden": [16], "epochs": 4, "batch_size": 32, "learning_rate": 0.01} | hyperparameters
    )
    outputs = 1 if task is Task.REGRESSION else 3
    fitted = Mlp(chosen).fit(_problem(task, outputs), _examples(0, task=task), _examples(1, task=task), context=context)
    return fitted, listener


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {"schedule": "step", "class_weights": "balanced", "accumulation": 2},
        {"precision": "bfloat16", "ema_decay": 0.9, "schedule": "constant"},
        pytest.param({}, marks=pytest.mark.slow),
        pytest.param({"optimizer": "sgd", "schedule": "plateau", "learning_rate": 0.05}, marks=pytest.mark.slow),
        pytest.param({"optimizer": "adam", "schedule": "cosine", "weight_decay": 0.0}, marks=pytest.mark.slow),
        pytest.param({"compile": True}, marks=pytest.mark.slow),
    ],
)
def test_every_option_learns(hyperparameters: dict[str, Any]) -> None:
    fitted, listener = _fit(epochs=20, **hyperparameters)
    losses = listener.curves["validation/log_loss"]
    assert min(losses) < 0.7 * losses[0]
    assert np.allclose(fitted.predict(_examples(2).features).sum(axis=1), 1, atol=1e-5)


def test_a_regression_answers_standardised_values() -> None:
    fitted, listener = _fit(task=Task.REGRESSION, epochs=20)
    rows = _examples(2, task=Task.REGRESSION)
    assert fitted.predict(rows.features).shape == (NUM_ROWS,)
    assert listener.curves["validation/rmse"][-1] < 0.6


@pytest.mark.parametrize(
    ("hyperparameters", "dies_after"),
    [
        ({"ema_decay": 0.9, "accumulation": 2}, 5),
        pytest.param({"schedule": "plateau"}, 5, marks=pytest.mark.slow),
        pytest.param({}, 3, marks=pytest.mark.slow),
        pytest.param({}, 5, marks=pytest.mark.slow),
        pytest.param({"ema_decay": 0.9, "accumulation": 2}, 3, marks=pytest.mark.slow),
        pytest.param({"schedule": "plateau"}, 3, marks=pytest.mark.slow),
    ],
)
def test_d15_a_resumed_training_ends_as_the_undisturbed_one(hyperparameters: dict[str, Any], dies_after: int) -> None:
    undisturbed, _ = _fit(**hyperparameters)
    memory = Memory(dies_after=dies_after)
    with pytest.raises(KilledError):
        _fit(checkpoints=memory, **hyperparameters)
    memory.dies_after = math.inf
    resumed, listener = _fit(checkpoints=memory, **hyperparameters)
    assert any("goes on from a checkpoint" in message for message in listener.messages)
    features = _examples(2).features
    np.testing.assert_array_equal(resumed.predict(features), undisturbed.predict(features))


def test_a_finished_training_is_not_repeated() -> None:
    memory = Memory()
    first, _ = _fit(checkpoints=memory)
    again, listener = _fit(checkpoints=memory)
    assert not listener.curves
    features = _examples(2).features
    np.testing.assert_array_equal(again.predict(features), first.predict(features))


def test_d8_a_loss_that_is_no_number_says_what_to_do() -> None:
    far = _examples(0, task=Task.REGRESSION)
    with pytest.raises(InvalidRequestError, match="lower learning_rate"):
        Mlp(MlpHyperparameters(epochs=2)).fit(
            _problem(Task.REGRESSION, 1),
            Examples(features=far.features, targets=far.targets * 1e30),
            None,
            context=FitContext(listener=Listener()),
        )


def test_the_end_of_the_time_keeps_the_best_model() -> None:
    calls = iter(range(1000))
    fitted, listener = _fit(epochs=50, is_time_up=lambda: next(calls) > 12)
    assert len(listener.curves["train/log_loss"]) < 5
    assert any("time was up" in message for message in listener.messages)
    assert fitted.num_steps >= 1


def test_images_are_learned_with_augmentation() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 160)
    images = generator.integers(0, 60, (160, 8, 8, 1)).astype(np.uint8)
    images[labels == 1, 2:6, 2:6] += 120
    examples = [
        Examples(features=part, targets=of) for part, of in ((images[:120], labels[:120]), (images[120:], labels[120:]))
    ]
    problem = Problem(task=Task.BINARY, kind=DataKind.IMAGES, num_outputs=2, seed=0, num_threads=1)
    chosen = CnnHyperparameters(channels=[8], hidden=8, epochs=6, batch_size=16, learning_rate=0.01, flip=True)
    fitted = Cnn(chosen).fit(problem, *examples, context=FitContext(listener=Listener()))
    scores = fitted.predict(images[120:])
    assert (scores.argmax(axis=1) == labels[120:]).mean() > 0.9


@pytest.mark.parametrize("num_parts", [1, 3])
def test_the_parts_of_a_batch_are_the_batch_and_their_weights_make_its_mean(num_parts: int) -> None:
    rows = Batches(features=tf.range(25), targets=tf.range(25), weights=tf.ones(25))
    parts = [
        list(rows.shuffled(10, seed=1, epoch=2, skip=0, augment=None, part=part, num_parts=num_parts))
        for part in range(num_parts)
    ]
    whole = list(rows.shuffled(10, seed=1, epoch=2, skip=0, augment=None))
    # The last five rows are too few for three machines.
    assert len(parts[0]) == (3 if num_parts == 1 else 2)
    for number, batch in enumerate(zip(*parts, strict=True)):
        assert np.concatenate([features for features, _, _ in batch]).tolist() == whole[number][0].numpy().tolist()
        assert sum(float(tf.reduce_mean(weights)) for _, _, weights in batch) == pytest.approx(1)


def test_compiling_is_refused_where_several_machines_train() -> None:
    context = FitContext(listener=Listener(), cluster=Cluster(hosts=("algo-1", "algo-2")))
    with pytest.raises(InvalidRequestError, match="compile is true, and XLA cannot compile"):
        Mlp(MlpHyperparameters(compile=True)).fit(_problem(), _examples(0), None, context=context)


def test_the_schedule_ends_with_the_epochs_that_there_is_time_for() -> None:
    told: dict[str, Any] = {}
    answers = count(20, -2)  # two seconds an epoch
    surroundings = {"find_seconds_left": lambda: float(next(answers)), "adapt": told.update}
    fitted, listener = _fit(epochs=40, patience=None, surroundings=surroundings)
    rates = listener.curves["train/learning_rate"]
    assert len(rates) == told["epochs"] < 12
    assert rates[-1] < 0.1 * max(rates) == pytest.approx(0.001, rel=0.3)
    assert any(f"time for about {told['epochs']} of 40 epochs" in text for text in listener.messages[-1:])
    assert fitted.num_steps <= told["epochs"]
