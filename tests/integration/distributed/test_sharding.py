"""Two processes that hold a network in parts train what two that hold it whole train, and go on from a checkpoint."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import CnnHyperparameters, MlpHyperparameters
from aimass_core.domain.algorithms.recurrent import RnnHyperparameters
from aimass_core.domain.algorithms.series import FcnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Checkpoint, Examples, FitContext, Problem
from batch_jobs.runtime.cluster import Cluster, from_resources
from tests.unit.batch_jobs.algorithms.surroundings import KilledError, Listener

_SECONDS = 400
_QUICK: dict[str, Any] = {"epochs": 2, "batch_size": 16, "patience": None}
_DIES_AFTER = 5
# Each has a layer that is large enough to be gathered by itself.
_MLP, _CNN = {"hidden": [300, 300]}, {"channels": [16], "hidden": 300, "shift": 0}
_RNN, _FCN = {"embedding": 32, "hidden": 128, "cell": "gru"}, {"channels": [8, 160, 60], "kernels": [3, 5, 3]}
FITS: dict[str, tuple[str, dict[str, Any]]] = {
    "mlp": ("mlp", _MLP),
    "mlp, averaged and accumulated": ("mlp", _MLP | {"ema_decay": 0.9, "accumulation": 2, "max_gradient_norm": 0.1}),
    "cnn, sgd": ("cnn", _CNN | {"optimizer": "sgd", "learning_rate": 0.05}),
    "rnn": ("rnn", _RNN | {"precision": "bfloat16"}),
    "fcn": ("fcn", _FCN | {"class_weights": "balanced"}),
}


@dataclass
class _Place:
    """Satisfies `Checkpoints`; the process dies with its one checkpoint, as all others do."""

    dies_after: int = -1
    stored: Checkpoint | None = None
    num_asked: int = 0

    def load(self) -> Checkpoint | None:
        return self.stored

    def running(self) -> Any:
        return nullcontext()

    def is_leaving(self) -> bool:
        return False

    def is_due(self) -> bool:
        self.num_asked += 1
        return self.num_asked == self.dies_after

    def reach(self, build: Callable[[], Checkpoint], *, leave: bool = False) -> None:
        if self.num_asked == self.dies_after:
            self.stored = build()
            raise KilledError

    def finish(self, checkpoint: Checkpoint) -> None:
        self.stored = checkpoint


def _fit(cluster: Cluster, algorithm: str, chosen: dict[str, Any], place: _Place) -> Any:
    from batch_jobs.algorithms.torch import cnn, fcn, mlp, rnn

    rng = np.random.default_rng(0)
    kinds = {"mlp": DataKind.TABLE, "cnn": DataKind.IMAGES, "rnn": DataKind.SERIES, "fcn": DataKind.SERIES}
    features: Any = rng.normal(size=(48, 9, 3)).astype(np.float32)
    if algorithm == "mlp":
        features = features[:, 0]
    elif algorithm == "cnn":
        features = rng.integers(0, 256, (48, 8, 8, 3), dtype=np.uint8)
    learner: Any = {
        "mlp": lambda: mlp.Mlp(MlpHyperparameters(**_QUICK | chosen)),
        "cnn": lambda: cnn.Cnn(CnnHyperparameters(**_QUICK | chosen)),
        "rnn": lambda: rnn.Rnn(RnnHyperparameters(**_QUICK | chosen)),
        "fcn": lambda: fcn.Fcn(FcnHyperparameters(**_QUICK | chosen)),
    }[algorithm]()
    problem = Problem(task=Task.MULTICLASS, kind=kinds[algorithm], num_outputs=3, num_numeric=3, seed=1, num_threads=1)
    examples = Examples(features=features, targets=rng.integers(0, 3, 48))
    context = FitContext(listener=Listener(), checkpoints=place, cluster=cluster)
    return learner.fit(problem, examples, examples, context=context).answer.network


def _work(rank: int, path: Path) -> None:
    """What one of the processes does: every fit whole, in parts, and in parts with a death in between."""
    import torch.distributed as dist

    from batch_jobs.algorithms.torch.devices import CPU
    from batch_jobs.algorithms.torch.sharding import sharded

    found: dict[str, Any] = {}
    hosts = ["127.0.0.1", "127.0.0.2"]
    cluster = from_resources({"hosts": hosts, "current_host": hosts[rank]}, job=str(path.parent))
    for name, (algorithm, chosen) in FITS.items():
        in_parts = chosen | {"sharding": "full"}
        whole = _fit(cluster, algorithm, chosen, _Place())
        place = _Place(dies_after=_DIES_AFTER)
        try:
            _fit(cluster, algorithm, in_parts, place)
        except KilledError:
            place.dies_after = -1
        for way, network in {
            "whole": whole,
            "in parts": _fit(cluster, algorithm, in_parts, _Place()),
            "resumed": _fit(cluster, algorithm, in_parts, place),
        }.items():
            found |= {f"{name}|{way}|{key}": tensor.numpy() for key, tensor in network.state_dict().items()}
        copy = sharded(whole, CPU, num_processes=2)
        held: Any = [weight.to_local().numel() for weight in copy.parameters()]  # type: ignore[operator]
        found[f"{name}|share"] = sum(held) / sum(weight.numel() for weight in whole.parameters())
    np.savez(path, **found)
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes ended with."""
    folder = tmp_path_factory.mktemp("parts")
    paths = [folder / f"{rank}.npz" for rank in range(2)]
    start = multiprocessing.get_context("spawn").Process
    processes = [start(target=_work, args=(rank, path)) for rank, path in enumerate(paths)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(_SECONDS)
        assert process.exitcode == 0
    return [dict(np.load(path)) for path in paths]


def _weights(found: dict[str, Any], name: str, way: str) -> dict[str, Any]:
    start = f"{name}|{way}|"
    return {key.removeprefix(start): value for key, value in found.items() if key.startswith(start)}


@pytest.mark.parametrize("name", FITS)
def test_parts_are_trained_as_the_whole_is(fitted: list[dict[str, Any]], name: str) -> None:
    main, other = fitted
    wholes = _weights(main, name, "whole")
    assert wholes
    for key, value in _weights(main, name, "in parts").items():
        np.testing.assert_allclose(value, wholes[key], atol=2e-5, rtol=2e-4, err_msg=key)
        np.testing.assert_array_equal(value, _weights(other, name, "in parts")[key], err_msg=key)


@pytest.mark.parametrize("name", FITS)
def test_parts_go_on_from_a_checkpoint_bit_for_bit(fitted: list[dict[str, Any]], name: str) -> None:
    expected = _weights(fitted[0], name, "in parts")
    for found in fitted:
        for key, value in _weights(found, name, "resumed").items():
            np.testing.assert_array_equal(value, expected[key], err_msg=key)


@pytest.mark.parametrize("name", FITS)
def test_each_holds_about_half(fitted: list[dict[str, Any]], name: str) -> None:
    assert sum(float(found[f"{name}|share"]) for found in fitted) == pytest.approx(1.0)
    assert all(0.45 < float(found[f"{name}|share"]) < 0.55 for found in fitted)
