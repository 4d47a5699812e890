"""Devices: networks, losses and augmentation stay where their batch is, and what one device saved another goes on from.

No GPU is needed: torch's `meta` device computes shapes alone, and refuses to mix its tensors with a processor's.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from aimass_core.domain.algorithms.augmentation.series import PRESETS, SeriesStep
from aimass_core.domain.algorithms.augmentation.steps import Strength
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import CNN, CnnHyperparameters, MlpHyperparameters, NetworkHyperparameters
from aimass_core.domain.algorithms.recurrent import RnnHyperparameters
from aimass_core.domain.algorithms.series import FcnHyperparameters, NlinearHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.torch import cnn, fcn, mlp, nlinear
from batch_jobs.algorithms.torch.devices import CPU, choose_device, compiled, to_device
from batch_jobs.algorithms.torch.losses import build_loss
from batch_jobs.algorithms.torch.optimizers import build_optimizer
from batch_jobs.algorithms.torch.sequences import Pool, RecurrentLayer, build_front
from batch_jobs.algorithms.torch.states import load_optimizer, optimizer_to_state
from batch_jobs.data.augmentation.building import build_augmentation
from batch_jobs.data.augmentation.series import build_change
from batch_jobs.data.targets import TargetScale
from tests.unit.batch_jobs.algorithms.surroundings import KilledError, Listener, Memory

_META = torch.device("meta")
_RNG = np.random.default_rng(0)
_SERIES = _RNG.normal(size=(8, 12, 2)).astype(np.float32)
_IMAGES = _RNG.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
_TABLE = np.concatenate([_RNG.normal(size=(8, 4)), _RNG.integers(0, 3, (8, 2))], axis=1).astype(np.float32)


def _problem(kind: DataKind, **values: Any) -> Problem:
    return Problem(task=Task.MULTICLASS, kind=kind, num_outputs=3, seed=0, num_threads=1, **values)


def _forecaster() -> nn.Module:
    scale = TargetScale(mean=0.0, deviation=1.0)
    problem = _problem(DataKind.SERIES, num_numeric=2, target_channel=0, target_scale=scale)
    return nlinear.FromLastValue(nlinear.Network(problem, NlinearHyperparameters(), _SERIES), problem)


def _of_table() -> nn.Module:
    problem = _problem(DataKind.TABLE, num_numeric=4, cardinalities=(3, 3))
    return mlp.Network(problem, MlpHyperparameters(), _TABLE)


def _of_series() -> nn.Module:
    # NOTE: while it trains it asks its batch whether there are gaps, which a tensor without values cannot answer.
    return fcn.Network(_problem(DataKind.SERIES, num_numeric=2), FcnHyperparameters(), _SERIES).eval()


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "mlp": (_of_table, _TABLE),
    "cnn": (lambda: cnn.Network(_problem(DataKind.IMAGES), CnnHyperparameters(), _IMAGES), _IMAGES),
    "fcn": (_of_series, _SERIES),
    "nlinear": (_forecaster, _SERIES),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_computes_where_its_batch_is(name: str) -> None:
    build, features = NETWORKS[name]
    output = build().to(_META)(torch.from_numpy(features).to(_META))
    assert (output.device, output.shape) == (_META, (8, 3))


@pytest.mark.parametrize("pooling", ["last", "mean", "attention"])
@pytest.mark.parametrize("kind", [DataKind.TEXT, DataKind.SERIES])
def test_a_recurrent_network_computes_where_its_batch_is(kind: DataKind, pooling: str) -> None:
    chosen = RnnHyperparameters(hidden=3, embedding=4)
    features: Any = _RNG.integers(0, 9, (8, 12)) if kind is DataKind.TEXT else _SERIES
    problem = _problem(kind, num_numeric=2, cardinalities=(9,))
    vectors, lengths = build_front(problem, features, 4).to(_META)(torch.from_numpy(features).to(_META))
    states = RecurrentLayer(chosen.cell, 4, 3, bidirectional=True).to(_META)(vectors, lengths)
    pooled = Pool(RnnHyperparameters(pooling=pooling).pooling, 6, directions=2).to(_META)(states, lengths)  # type: ignore[arg-type]
    assert (pooled.device, pooled.shape) == (_META, (8, 6))


@pytest.mark.parametrize("augmentation", ["none", "light", "standard", "strong", "randaugment"])
def test_images_are_changed_where_they_are(augmentation: str) -> None:
    chosen = CNN.resolve_hyperparameters({"augmentation": augmentation, "flip": True})
    assert isinstance(chosen, CnnHyperparameters)
    built = build_augmentation(chosen, _problem(DataKind.IMAGES), _IMAGES)
    augment, mix = built.augment, built.mix
    assert augment is not None
    changed = augment(torch.from_numpy(_IMAGES).to(_META), torch.Generator())
    for _ in range(5 if mix else 0):
        changed, mixture = mix(changed, torch.Generator())  # type: ignore[misc]
        assert mixture is None or mixture.order.device == _META
    assert (changed.device, changed.shape) == (_META, _IMAGES.shape)


def test_words_are_dropped_where_they_are() -> None:
    ids = torch.zeros((8, 12), dtype=torch.int64, device=_META)
    chosen = RnnHyperparameters.model_validate({"augmentation": "strong"})
    augment = build_augmentation(chosen, _problem(DataKind.TEXT), np.zeros((1, 1), np.int64)).augment
    assert augment is not None
    assert augment(ids, torch.Generator()).device == _META


def test_rows_are_changed_where_they_are() -> None:
    chosen = MlpHyperparameters.model_validate({"augmentation": "strong"})
    rows = np.ones((8, 3), np.float32)
    built = build_augmentation(chosen, _problem(DataKind.TABLE, num_numeric=2, cardinalities=(9,)), rows)
    assert built.augment is not None
    assert built.mix is not None
    changed = built.augment(torch.from_numpy(rows).to(_META), torch.Generator())
    assert built.mix(changed, torch.Generator().manual_seed(2))[0].device == _META


@pytest.mark.parametrize("step", PRESETS[Strength.STRONG][:-1], ids=lambda step: str(step.name))
def test_series_are_changed_where_they_are(step: SeriesStep) -> None:
    changed = build_change(step)(torch.from_numpy(_SERIES).to(_META), torch.arange(1, 9), torch.Generator())
    assert (changed.device, changed.shape) == (_META, _SERIES.shape)


def test_a_loss_weighs_on_the_processor_and_sums_on_the_device() -> None:
    targets = torch.tensor([0, 0, 0, 1])
    chosen = NetworkHyperparameters.model_validate({"class_weights": "balanced"})
    loss = build_loss(_problem(DataKind.TABLE), chosen, targets, _META)
    assert loss.sum(torch.zeros((4, 3), device=_META), targets.to(_META)).device == _META
    assert loss.weigh(targets) == pytest.approx(3 * (4 / 9) + 4 / 3)


def test_without_a_gpu_the_processors_train_and_nothing_is_copied() -> None:
    listener, tensor = Listener(), torch.ones(3)
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert choose_device(1, listener.message) == CPU
    assert to_device(tensor, CPU) is tensor
    assert listener.messages == []


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_moments_go_on_in_an_optimizer_with_another_kernel(optimizer: str) -> None:
    """What the checkpoint says of its own kernel must not be believed."""
    network = nn.Linear(3, 2)
    chosen = NetworkHyperparameters.model_validate({"optimizer": optimizer})
    saved = build_optimizer(network, chosen)
    network(torch.ones(4, 3)).sum().backward()
    saved.step()
    document, arrays = optimizer_to_state(saved)
    loaded = build_optimizer(network, chosen)
    own = loaded.param_groups[0]["fused"]
    document["groups"][0]["fused"] = not own
    load_optimizer(loaded, document, arrays)
    assert loaded.param_groups[0]["fused"] is own
    for weight in network.parameters():
        for name, value in saved.state[weight].items():
            assert torch.equal(loaded.state[weight][name], value)


def _fit(hyperparameters: dict[str, Any], memory: Memory | None = None) -> tuple[Tensor, Listener]:
    features = np.random.default_rng(1).normal(size=(90, 4)).astype(np.float32)
    examples = Examples(features=features, targets=(features[:, 0] > features[:, 1]).astype(np.int64))
    chosen = MlpHyperparameters(**({"hidden": [8], "epochs": 4, "batch_size": 30, "patience": None} | hyperparameters))
    problem = Problem(task=Task.BINARY, kind=DataKind.TABLE, num_outputs=2, num_numeric=4, seed=0, num_threads=1)
    listener = Listener()
    context = FitContext(listener=listener, checkpoints=memory or Memory())
    return torch.from_numpy(
        mlp.Mlp(chosen).fit(problem, examples, examples, context=context).predict(features)
    ), listener


def _fit_compiled() -> Tensor:
    found, listener = _fit({"dropout": 0.0, "compile": True})
    if any("compile is left out" in text for text in listener.messages):
        pytest.skip("this machine has no C++ compiler")
    return found


def test_a_compiled_training_learns_the_same() -> None:
    torch.testing.assert_close(_fit_compiled(), _fit({"dropout": 0.0})[0], atol=1e-3, rtol=0)


@pytest.mark.slow
def test_a_compiled_training_resumes_exactly() -> None:
    undisturbed = _fit_compiled()
    memory = Memory(dies_after=6)
    with pytest.raises(KilledError):
        _fit({"dropout": 0.0, "compile": True}, memory)
    memory.dies_after = math.inf
    assert torch.equal(_fit({"dropout": 0.0, "compile": True}, memory)[0], undisturbed)


def test_where_nothing_can_be_compiled_it_says_so_and_trains_as_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, str(tmp_path / "no-such-compiler")))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    listener, network = Listener(), nn.Linear(2, 2)
    assert compiled(network, CPU, listener) is network
    assert "compile is left out, as nothing can be compiled on this machine" in listener.messages[0]
    assert "No working C++ compiler" in listener.messages[0]


def test_parts_of_one_machine_are_left_out_and_it_says_so() -> None:
    expected, _ = _fit({})
    found, listener = _fit({"sharding": "full"})
    assert torch.equal(found, expected)
    assert "sharding is left out: it takes several machines, and this job has one" in listener.messages
