"""The training loop on a tiny network: its options, its bad inputs, and going on after an interruption."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from aimass_core.domain.algorithms import networks
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import CNN, CnnHyperparameters, MlpHyperparameters, NetworkHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.torch.batches import Batches, to_batches
from batch_jobs.algorithms.torch.cnn import Cnn
from batch_jobs.algorithms.torch.loop import train_network
from batch_jobs.data.augmentation.mixing import Mixture
from tests.unit.batch_jobs.algorithms.surroundings import KilledError, Listener, Memory

NUM_ROWS = 90


def _problem(task: Task = Task.MULTICLASS, num_outputs: int = 3) -> Problem:
    return Problem(task=task, kind=DataKind.TABLE, num_outputs=num_outputs, num_numeric=4, seed=3, num_threads=1)


def _batches(seed: int, num_rows: int = NUM_ROWS, task: Task = Task.MULTICLASS) -> Batches:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(num_rows, 4)).astype(np.float32)
    signal = features @ np.array([1.0, -1.0, 0.5, 0.0])
    if task is Task.REGRESSION:
        return to_batches(Examples(features=features, targets=signal))
    return to_batches(Examples(features=features, targets=np.digitize(signal, [-0.7, 0.7]).astype(np.int64)))


def _network(num_outputs: int = 3, *, dropout: float = 0.3, norm: bool = True) -> nn.Module:
    torch.manual_seed(3)
    torch.set_num_threads(1)
    layers = [nn.Linear(4, 16), nn.BatchNorm1d(16) if norm else nn.Identity(), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(16, num_outputs))


def _chosen(**values: Any) -> NetworkHyperparameters:
    return NetworkHyperparameters(**({"epochs": 6, "batch_size": 16, "learning_rate": 0.02} | values))


def _jitter(features: Tensor, generator: torch.Generator) -> Tensor:
    return features + 0.1 * torch.randn(features.shape, generator=generator).to(features.device)


def _train(
    hyperparameters: NetworkHyperparameters,
    checkpoints: Memory | None = None,
    *,
    network: nn.Module | None = None,
    listener: Listener | None = None,
    **context: Any,
) -> tuple[dict[str, Tensor], int]:
    network = network or _network()
    steps = train_network(
        network,
        hyperparameters,
        _problem(),
        _batches(0),
        _batches(1),
        context=FitContext(listener=listener or Listener(), checkpoints=checkpoints or Memory(), **context),
        augment=_jitter,
    )
    return network.state_dict(), steps


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "sgd", "schedule": "plateau", "decay_epochs": 1, "learning_rate": 0.1},
        {"optimizer": "adam", "schedule": "cosine", "ema_decay": 0.9, "accumulation": 2},
        {"schedule": "step", "decay_epochs": 2, "class_weights": "balanced", "patience": 2},
        {"precision": "bfloat16", "schedule": "exponential", "warmup": 0.2},
    ],
    ids=lambda options: str(options.get("schedule", "one_cycle")),
)
def test_resumed_training_ends_with_the_same_weights_bit_for_bit(options: dict[str, Any]) -> None:
    chosen = _chosen(**options)
    undisturbed = Memory()
    listener = Listener()
    expected, expected_steps = _train(chosen, undisturbed, listener=listener)
    for dies_after in range(1, undisturbed.num_reached + 1, 4):
        disturbed, told = Memory(dies_after=dies_after), Listener()
        with pytest.raises(KilledError):
            _train(chosen, disturbed, listener=told)
        disturbed.dies_after = math.inf
        torch.manual_seed(99)
        weights, steps = _train(chosen, disturbed, network=_network(), listener=told)
        assert steps == expected_steps
        assert told.curves == listener.curves
        assert any("goes on from a checkpoint" in text for text in told.messages)
        for name, tensor in expected.items():
            assert torch.equal(weights[name], tensor), (dies_after, name)


@pytest.mark.parametrize("augmentation", ["strong", "randaugment"])
def test_resumed_training_on_changed_images_ends_with_the_same_weights(augmentation: str) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (48, 8, 8, 3), dtype=np.uint8)
    examples = Examples(features=images, targets=rng.integers(0, 3, 48))
    hyperparameters = CNN.resolve_hyperparameters(
        {"augmentation": augmentation, "epochs": 2, "batch_size": 16, "channels": [4], "hidden": 4}
    )
    assert isinstance(hyperparameters, CnnHyperparameters)
    problem = Problem(task=Task.MULTICLASS, kind=DataKind.IMAGES, num_outputs=3, seed=3, num_threads=1)

    def fit(memory: Memory) -> Tensor:
        context = FitContext(listener=Listener(), checkpoints=memory)
        return torch.from_numpy(Cnn(hyperparameters).fit(problem, examples, examples, context=context).predict(images))

    expected = fit(Memory())
    memory = Memory(dies_after=4)
    with pytest.raises(KilledError):
        fit(memory)
    memory.dies_after = math.inf
    # The sums of a GPU have no fixed order.
    torch.testing.assert_close(fit(memory), expected, rtol=0, atol=1e-5 if torch.cuda.is_available() else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OneBatch(Batches):
    """All rows, in their order."""

    def shuffled(
        self, size: int, generator: torch.Generator, *, part: int = 0, num_parts: int = 1
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        yield self.features, self.targets, self.targets


def _mix_with_the_mirror(features: Tensor, generator: torch.Generator) -> tuple[Tensor, Mixture]:
    order = torch.arange(len(features)).flip(0)
    return torch.lerp(features[order], features, 0.25), Mixture(order=order, share=0.25)


def test_the_loss_of_a_mixture_is_that_of_both_targets() -> None:
    batches = _batches(0, num_rows=16)
    listener, network = Listener(), _network(dropout=0.0)
    with torch.no_grad():
        output = network.train()(_mix_with_the_mirror(batches.features, torch.Generator())[0])
    own, other = (
        nn.functional.cross_entropy(output, targets) for targets in (batches.targets, batches.targets.flip(0))
    )
    train_network(
        _network(dropout=0.0),
        _chosen(epochs=1),
        _problem(),
        _OneBatch(features=batches.features, targets=batches.targets),
        None,
        context=FitContext(listener=listener),
        mix=_mix_with_the_mirror,
    )
    assert float(own) != pytest.approx(float(other), abs=1e-3)
    assert listener.curves["train/log_loss"] == [pytest.approx(0.25 * float(own) + 0.75 * float(other), abs=1e-6)]


def test_a_training_that_is_interrupted_in_every_step_comes_to_the_same_end() -> None:
    expected, _ = _train(_chosen(epochs=2))
    memory = Memory(dies_after=1)
    for _ in count():
        memory.num_reached = 0
        try:
            weights, _ = _train(_chosen(epochs=2), memory)
            break
        except KilledError:
            continue
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())


def test_a_finished_fit_is_not_repeated() -> None:
    memory = Memory()
    expected, steps = _train(_chosen(), memory)
    assert memory.stored is not None
    assert memory.stored.is_finished
    listener = Listener()
    weights, again = _train(_chosen(), memory, listener=listener)
    assert again == steps
    assert listener.curves == {}
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("optimizer", list(networks.Optimizer))
@pytest.mark.parametrize("schedule", list(networks.Schedule))
def test_every_optimizer_learns_on_every_schedule(optimizer: str, schedule: str) -> None:
    listener = Listener()
    rate = 0.1 if optimizer == "sgd" else 0.02
    chosen = _chosen(optimizer=optimizer, schedule=schedule, learning_rate=rate, epochs=10, patience=None)
    _train(chosen, listener=listener)
    losses = listener.curves["validation/log_loss"]
    assert len(losses) == 10
    assert min(losses) < 0.75 * math.log(3)
    assert max(listener.curves["train/learning_rate"]) <= rate * (1 + 1e-9)


@pytest.mark.parametrize(
    ("schedule", "options", "expected"),
    [
        ("constant", {}, [1, 1, 1, 1]),
        ("exponential", {"decay": 0.5}, [1 / 2, 1 / 4, 1 / 8, 1 / 16]),
        ("step", {"decay_epochs": 2}, [1, 0.1, 0.1, 0.01]),
        ("constant", {"warmup": 0.5}, [7 / 13, 1, 1, 1]),
        ("cosine", {"warmup": 0.0}, [0.5 + 0.5 * math.cos(math.pi * part) for part in (1 / 4, 1 / 2, 3 / 4, 1)]),
    ],
)
def test_the_rate_after_each_epoch_is_what_the_schedule_says(
    schedule: str, options: dict[str, Any], expected: list[float]
) -> None:
    listener = Listener()
    chosen = _chosen(schedule=schedule, epochs=4, learning_rate=0.01, patience=None, **options)
    _train(chosen, listener=listener)
    assert listener.curves["train/learning_rate"] == pytest.approx([0.01 * factor for factor in expected], abs=1e-12)


def test_plateau_lowers_the_rate_when_the_loss_stands_still() -> None:
    listener = Listener()
    _train(
        _chosen(schedule="plateau", decay_epochs=1, decay=0.5, epochs=30, patience=None, learning_rate=0.1),
        listener=listener,
    )
    assert listener.curves["train/learning_rate"][-1] < 0.05


def test_accumulated_batches_are_one_large_batch() -> None:
    def weights(batch_size: int, accumulation: int) -> dict[str, Tensor]:
        network = _network(dropout=0.0, norm=False)
        chosen = _chosen(batch_size=batch_size, accumulation=accumulation, epochs=2, optimizer="sgd")
        train_network(
            network, chosen, _problem(), _batches(0), None, context=FitContext(listener=Listener(), num_steps=2)
        )
        return network.state_dict()

    whole, parts = weights(32, 1), weights(8, 4)
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-5, atol=1e-6)


def test_balanced_classes_find_the_rare_one() -> None:
    generator = np.random.default_rng(0)
    targets = (np.arange(400) % 20 == 0).astype(np.int64)
    features = (generator.normal(size=(400, 4)) + targets[:, None]).astype(np.float32)
    batches = to_batches(Examples(features=features, targets=targets))

    def recall(class_weights: str) -> float:
        network = _network(2, dropout=0.0)
        chosen = _chosen(class_weights=class_weights, epochs=10)
        train_network(
            network, chosen, _problem(Task.BINARY, 2), batches, batches, context=FitContext(listener=Listener())
        )
        with torch.inference_mode():
            found = network(batches.features).argmax(1)
        return float((found[batches.targets == 1] == 1).float().mean())

    assert recall("balanced") > 0.8
    assert recall("none") < 0.8


def test_balanced_values_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="has no classes"):
        train_network(
            _network(1),
            _chosen(class_weights="balanced"),
            _problem(Task.REGRESSION, 1),
            _batches(0, task=Task.REGRESSION),
            None,
            context=FitContext(listener=Listener()),
        )


def test_the_moving_average_is_smoother_than_the_weights() -> None:
    def roughness(ema_decay: float) -> float:
        listener = Listener()
        chosen = _chosen(schedule="constant", learning_rate=0.1, epochs=20, patience=None, ema_decay=ema_decay)
        _train(chosen, listener=listener)
        return float(np.abs(np.diff(listener.curves["validation/log_loss"][5:])).mean())

    assert roughness(0.98) < 0.5 * roughness(0.0)


def test_the_share_of_right_answers_is_told_beside_the_loss() -> None:
    listener, network = Listener(), _network()
    _train(_chosen(), network=network, listener=listener)
    best = int(np.argmin(listener.curves["validation/log_loss"]))
    batches = _batches(1)
    with torch.inference_mode():
        hits = network.eval()(batches.features).argmax(1) == batches.targets
    assert listener.curves["validation/accuracy"][best] == pytest.approx(float(hits.float().mean()), abs=1e-6)


def test_long_gradients_are_cut() -> None:
    network = _network(dropout=0.0, norm=False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    chosen = _chosen(
        optimizer="sgd", momentum=0, weight_decay=0, schedule="constant", learning_rate=1.0, max_gradient_norm=1e-3
    )
    context = FitContext(listener=Listener(), num_steps=1)
    train_network(
        network, chosen.model_copy(update={"batch_size": NUM_ROWS}), _problem(), _batches(0), None, context=context
    )
    moved = math.sqrt(sum(float(((tensor - before[name]) ** 2).sum()) for name, tensor in network.state_dict().items()))
    assert moved == pytest.approx(1e-3, rel=1e-3)


def test_deterministic_mode_ends_with_the_fit() -> None:
    seen: list[bool] = []

    def is_time_up() -> bool:
        seen.append(torch.are_deterministic_algorithms_enabled())
        return False

    _train(_chosen(deterministic=True, epochs=1), is_time_up=is_time_up)
    assert set(seen) == {True}
    assert not torch.are_deterministic_algorithms_enabled()


def test_patience_ends_the_training_and_none_does_not() -> None:
    def num_epochs(patience: int | None) -> int:
        listener = Listener()
        chosen = _chosen(patience=patience, epochs=25, learning_rate=0.5, schedule="constant")
        _, steps = _train(chosen, listener=listener)
        assert steps == int(np.argmin(listener.curves["validation/log_loss"])) + 1
        return len(listener.curves["validation/log_loss"])

    assert num_epochs(2) < 25
    assert num_epochs(None) == 25


def test_when_the_time_is_up_the_best_so_far_is_the_model_and_it_says_so() -> None:
    asked = count(1)
    listener, memory = Listener(), Memory()
    weights, steps = _train(_chosen(epochs=50), memory, listener=listener, is_time_up=lambda: next(asked) > 15)
    assert len(listener.curves["validation/log_loss"]) == 3
    assert steps == int(np.argmin(listener.curves["validation/log_loss"])) + 1
    assert any("time was up in epoch 3 of 50, after 3 of its steps" in text for text in listener.messages)
    assert memory.stored is not None
    assert memory.stored.is_finished
    network = _network()
    network.load_state_dict(weights)
    network.eval()
    batches = _batches(1)
    with torch.inference_mode():
        loss = float(nn.functional.cross_entropy(network(batches.features), batches.targets))
    assert loss == pytest.approx(min(listener.curves["validation/log_loss"]), abs=1e-6)


def test_no_time_at_all_is_an_error_that_names_the_budget() -> None:
    with pytest.raises(InvalidRequestError, match="larger max_seconds"):
        _train(_chosen(), is_time_up=lambda: True)


def test_a_loss_that_is_not_a_number_names_step_and_rate() -> None:
    batches = _batches(0)
    batches.features[40, 1] = float("nan")
    with pytest.raises(InvalidRequestError, match=r"not a number any more in epoch 1, step \d+: lower .* 0\.02"):
        train_network(_network(), _chosen(), _problem(), batches, None, context=FitContext(listener=Listener()))


def test_a_network_that_explodes_is_stopped() -> None:
    network = _network(1, norm=False)
    chosen = _chosen(optimizer="sgd", learning_rate=1.0, schedule="constant", max_gradient_norm=None, epochs=200)
    huge = _batches(0, task=Task.REGRESSION)
    with pytest.raises(InvalidRequestError, match=r"lower learning_rate from 1\.0"):
        train_network(
            network,
            chosen,
            _problem(Task.REGRESSION, 1),
            Batches(features=huge.features * 1e3, targets=huge.targets),
            None,
            context=FitContext(listener=Listener()),
        )


def test_a_learning_rate_of_a_thousand_is_refused_with_its_range() -> None:
    with pytest.raises(InvalidRequestError, match="learning_rate: Input should be less than or equal to 1"):
        networks.MLP.resolve_hyperparameters({"learning_rate": 1e3})


@pytest.mark.parametrize("fault", [{"schedule": "linear"}, {"optimizer": "adma"}, {"accumulation": 0}, {"warmup": 1.0}])
def test_other_bad_values_are_refused_with_their_name(fault: dict[str, Any]) -> None:
    (name,) = fault
    with pytest.raises(InvalidRequestError, match=name):
        networks.CNN.resolve_hyperparameters(fault)


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 7])
def test_a_batch_larger_than_the_data_holds_all_rows_and_it_says_so(epochs: int) -> None:
    listener = Listener()
    _train(MlpHyperparameters(batch_size=4096, epochs=epochs), listener=listener)
    assert len(listener.curves["train/log_loss"]) == epochs
    assert any("batch_size 4096 is more than the 90 rows" in text for text in listener.messages)


def test_a_class_that_training_never_saw_is_judged_and_has_no_weight() -> None:
    train, validation = _batches(0), _batches(1)
    seen = train.targets < 2
    part = Batches(features=train.features[seen], targets=train.targets[seen])
    assert set(validation.targets.tolist()) == {0, 1, 2}
    for class_weights in ("none", "balanced"):
        listener, network = Listener(), _network()
        chosen = _chosen(class_weights=class_weights)
        train_network(network, chosen, _problem(), part, validation, context=FitContext(listener=listener))
        assert all(math.isfinite(value) for values in listener.curves.values() for value in values)
        with torch.inference_mode():
            assert network(validation.features).isfinite().all()
