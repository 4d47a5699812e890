"""Fine-tuning after a network was cut: on the truth and on what the original answers (Hinton et al. 2015)."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from torch import Tensor
from torch.nn import functional

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import CnnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Problem
from batch_jobs.algorithms.torch.devices import CPU, choose_device, to_device
from batch_jobs.compress.contract import Ground
from batch_jobs.compress.networks.core import Core, encode
from batch_jobs.compress.networks.graphs import Array
from batch_jobs.compress.networks.module import CoreModule, Rounding, to_tensors
from batch_jobs.compress.networks.network import Network, open_network
from batch_jobs.data.augmentation.building import build_augmentation
from batch_jobs.data.augmentation.chains import Augment
from batch_jobs.train.material import TRAIN

_BATCH_SIZE = 64
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 1e-4
_WARMUP = 0.05
_MAX_GRADIENT_NORM = 1.0
_TEMPERATURE = 2.0
_TRUTH_WEIGHT = 0.3
_HELD_OUT = 0.1
_MAX_HELD_OUT = 2000
_EPOCHS = 30
_MIN_STEPS = 400
_FLOOR = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows to train on: features by name, the truth, and what the original answers."""

    features: Mapping[str, Array]
    truth: Array
    taught: Array


def finetune(
    model: onnx.ModelProto,
    ground: Ground,
    *,
    epochs: int | None = None,
    roundings: Mapping[str, Rounding] | None = None,
) -> onnx.ModelProto:
    """The same graph with other weights, better ones by rows of the training data that it holds out.

    Trains for `epochs` (by default 30, more on few rows), or for as long as there is time. Where no epoch is better
    than what was given, the weights stay. `roundings` are those of `CoreModule`, in training and where it is judged.

    Raises:
        UnfitError: There is no network in it, or one that torch cannot train.
    """
    network = open_network(model, ground)
    torch.manual_seed(ground.seed)
    torch.set_num_threads(ground.num_threads)
    rows, device = _collect(network, ground), choose_device(0, ground.message)
    # The operators make tensors of their own, where what they read is.
    with device:
        module = CoreModule(network.core, roundings=roundings).to(device)
        _Training(network, module, rows, ground, epochs, device).run()
    return network.graph.to_model()


def _collect(network: Network, ground: Ground) -> _Rows:
    sample = ground.material.parts[TRAIN].sample(seed=ground.seed)
    original = ground.original
    return _Rows(
        features=encode(network.core, sample.frame, original.signature),
        truth=sample.truth,
        taught=original.scorer.answer(sample.frame).scores,
    )


class _Training:
    def __init__(  # noqa: PLR0917  each is what `finetune` has made ready
        self,
        network: Network,
        module: CoreModule,
        rows: _Rows,
        ground: Ground,
        epochs: int | None,
        device: torch.device,
    ) -> None:
        self._network, self._module, self._rows, self._device = network, module, rows, device
        self._loss = Loss(network.core, ground)
        self._random = np.random.default_rng(ground.seed)
        order = self._random.permutation(len(rows.truth))
        num_held_out = min(int(len(order) * _HELD_OUT), _MAX_HELD_OUT)
        self._held_out, self._train = np.sort(order[:num_held_out]), order[num_held_out:]
        self._steps_per_epoch = max(len(self._train) // _BATCH_SIZE, 1)
        self._epochs = epochs or max(_EPOCHS, -(-_MIN_STEPS // self._steps_per_epoch))
        self._began, self._seconds = time.monotonic(), ground.seconds_left()
        self._augment = _find_augment(ground, rows.features)
        self._generator = torch.Generator().manual_seed(ground.seed)

    def run(self) -> None:
        """Leaves the best weights in the graph."""
        optimizer = torch.optim.AdamW(self._module.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
        best, best_loss = [weight.detach().clone() for weight in self._module.weights], self._judge()
        step = 0
        for _ in range(self._epochs):
            for index in self._batches():
                progress = self._progress(step)
                for group in optimizer.param_groups:
                    group["lr"] = _LEARNING_RATE * _schedule(progress)
                self._step(optimizer, index)
                step += 1
                if progress >= 1.0:
                    break
            if (loss := self._judge()) < best_loss:
                best, best_loss = [weight.detach().clone() for weight in self._module.weights], loss
            if self._progress(step) >= 1.0:
                break
        with torch.no_grad():
            for weight, value in zip(self._module.weights, best, strict=True):
                weight.copy_(value)
        self._module.write_back()

    def _progress(self, step: int) -> float:
        share = step / (self._epochs * self._steps_per_epoch)
        if self._seconds is None:
            return share
        return max(share, (time.monotonic() - self._began) / max(self._seconds, 1e-3))

    def _batches(self) -> list[Array]:
        order = self._random.permutation(self._train)
        return [
            order[place : place + _BATCH_SIZE] for place in range(0, len(order) - _BATCH_SIZE + 1, _BATCH_SIZE)
        ] or [order]

    def _step(self, optimizer: torch.optim.Optimizer, index: Array) -> None:
        features = self._features(index)
        if self._augment is not None:
            # It draws on the processor, wherever the images are.
            with CPU:
                features = {name: self._augment(values, self._generator) for name, values in features.items()}
        loss = self._loss(self._module, features, self._rows.truth[index], self._rows.taught[index])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._module.parameters(), _MAX_GRADIENT_NORM)
        optimizer.step()

    def _features(self, index: Array) -> dict[str, Tensor]:
        features = to_tensors(self._rows.features, index)
        return {
            name: to_device(trim(values) if name in self._network.sequences else values, self._device)
            for name, values in features.items()
        }

    @torch.no_grad()
    def _judge(self) -> float:
        """The loss of the rows that are held out; where there are too few, of those that are trained on."""
        rows = self._held_out if len(self._held_out) else self._train
        total = 0.0
        for place in range(0, len(rows), 4 * _BATCH_SIZE):
            index = rows[place : place + 4 * _BATCH_SIZE]
            loss = self._loss(self._module, self._features(index), self._rows.truth[index], self._rows.taught[index])
            total += float(loss) * len(index)
        return total / len(rows)


class Loss:
    """Of the truth and of the original's answers: cross entropies of classes, squares of standardised values."""

    def __init__(self, core: Core, ground: Ground) -> None:
        self._wanted = [core.answer if core.logits is None else core.logits]
        self._is_answer = core.logits is None
        self._task = ground.material.target.task
        self._scale = float(ground.material.parts[TRAIN].truth.std()) if not self._task.is_classification else 1.0

    def __call__(self, module: CoreModule, features: Mapping[str, Tensor], truth: Array, taught: Array) -> Tensor:
        """The mean over rows."""
        (output,) = module(features, self._wanted)
        teacher, known = (torch.from_numpy(np.array(values)).to(output.device) for values in (taught, truth))
        teacher = teacher.to(output.dtype)
        if not self._task.is_classification:
            known = known.to(output.dtype).reshape(output.shape)
            losses = [functional.mse_loss(output / self._scale, one / self._scale) for one in (teacher, known)]
        elif self._task is Task.MULTILABEL:
            logits = torch.logit(output, _FLOOR) if self._is_answer else output
            known = known.to(output.dtype)
            losses = [functional.binary_cross_entropy_with_logits(logits, one) for one in (teacher, known)]
        else:
            losses = self._of_classes(output, teacher, known.long())
        return (1 - _TRUTH_WEIGHT) * losses[0] + _TRUTH_WEIGHT * losses[1]

    def _of_classes(self, output: Tensor, teacher: Tensor, known: Tensor) -> list[Tensor]:
        logits = torch.log(output.clamp(min=_FLOOR)) if self._is_answer else output
        softened = torch.softmax(torch.log(teacher.clamp(min=_FLOOR)) / _TEMPERATURE, dim=1)
        soft = functional.cross_entropy(logits / _TEMPERATURE, softened) * _TEMPERATURE**2
        return [soft, functional.cross_entropy(logits, known)]


def trim(values: Tensor) -> Tensor:
    """Without the steps at the end that are padding in every row."""
    is_step = values != 0 if values.ndim == 2 else ~torch.isnan(values).all(dim=2)
    used = torch.nonzero(is_step.any(dim=0))
    return values[:, : max(int(used.max()) + 1 if len(used) else 1, 1)]


def _find_augment(ground: Ground, features: Mapping[str, Array]) -> Augment | None:
    """What was done to the training images of the original, whose answers here are those to images as they are."""
    known = registry.load_all().get(ground.original.card.algorithm)
    if known is None or known.hyperparameters is not CnnHyperparameters or len(features) != 1:
        return None
    fields, (images,) = known.hyperparameters.model_fields, features.values()
    chosen = {name: value for name, value in ground.original.card.hyperparameters.items() if name in fields}
    target = ground.material.target
    problem = Problem(
        task=target.task, kind=DataKind.IMAGES, num_outputs=target.num_outputs, seed=ground.seed, num_threads=1
    )
    return build_augmentation(CnnHyperparameters.model_validate(chosen), problem, images).augment


def _schedule(progress: float) -> float:
    """Warms up, and then falls as a cosine."""
    if progress < _WARMUP:
        return progress / _WARMUP + 0.01
    return 0.5 * (1 + math.cos(math.pi * min((progress - _WARMUP) / (1 - _WARMUP), 1.0)))
