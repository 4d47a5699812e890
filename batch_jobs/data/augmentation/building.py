"""From the hyperparameters of a network to what changes its training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.algorithms.augmentation import images, series, tables, texts
from aimass_core.domain.algorithms.augmentation.images import ImageStep, MixStep
from aimass_core.domain.algorithms.augmentation.series import SeriesStep
from aimass_core.domain.algorithms.augmentation.steps import Mixup, resolve_steps
from aimass_core.domain.algorithms.augmentation.texts import TextStep
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import CnnHyperparameters, MlpHyperparameters, NetworkHyperparameters
from aimass_core.domain.algorithms.recurrent import RnnHyperparameters
from aimass_core.domain.algorithms.series import FcnHyperparameters, NlinearHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Problem
from batch_jobs.data.augmentation.chains import Augment, describe, join
from batch_jobs.data.augmentation.mixing import MixAugment
from batch_jobs.data.augmentation.series import SeriesAugment
from batch_jobs.data.augmentation.shifts import ShiftAugment
from batch_jobs.data.augmentation.tables import TableAugment, TableBlend
from batch_jobs.data.augmentation.texts import TextAugment, UnknownWords


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What is done to each example, what to pairs, and both in words; None: nothing."""

    augment: Augment | None = None
    mix: MixAugment | None = None
    names: Sequence[str] = ()


def build_augmentation(
    hyperparameters: NetworkHyperparameters, problem: Problem, features: NDArray[Any]
) -> Augmentation:
    """Of any network; the features are those of training.

    Raises:
        InvalidRequestError: A step is for series and these are texts, or the other way round.
    """
    match hyperparameters:
        case CnnHyperparameters():
            return _of_images(hyperparameters, features.shape[1:])
        case MlpHyperparameters():
            return _of_tables(
                resolve_steps(hyperparameters.augmentation, tables.PRESETS), features, problem.num_numeric
            )
        case RnnHyperparameters() if problem.kind is DataKind.TEXT:
            return _of_texts(hyperparameters)
        case RnnHyperparameters() | FcnHyperparameters() | NlinearHyperparameters():
            steps = series.resolve_steps(hyperparameters.augmentation, is_forecast=problem.task is Task.FORECASTING)
            _require(steps, (*get_args(SeriesStep), Mixup), "series")
            return _of_series(steps, features)
        case _:
            return Augmentation()


def _of_images(chosen: CnnHyperparameters, shape: tuple[int, ...]) -> Augmentation:
    """Shift and flip, then the steps."""
    parts: list[Augment] = [ShiftAugment(chosen.shift, chosen.flip)] if chosen.shift or chosen.flip else []
    names = [f"shift of up to {chosen.shift} pixels"] if chosen.shift else []
    names += ["flip"] if chosen.flip else []
    declared = resolve_steps(chosen.augmentation, images.PRESETS)
    steps = [step for step in declared if isinstance(step, get_args(ImageStep))]
    if steps:
        # Kornia is not needed by those who do not ask for it.
        from batch_jobs.data.augmentation.images import ImageAugment

        height, width, channels = shape
        parts.append(ImageAugment(steps, height=height, width=width, channels=channels))
    mixes = [step for step in declared if isinstance(step, get_args(MixStep))]
    mix = MixAugment(mixes) if mixes else None
    return Augmentation(augment=join(parts), mix=mix, names=names + describe(declared))


def _of_tables(steps: Sequence[Any], features: NDArray[np.float32], num_numeric: int) -> Augmentation:
    changes, mixes = _divide(steps)
    return Augmentation(
        augment=TableAugment(changes, features, num_numeric=num_numeric) if changes else None,
        mix=MixAugment(mixes, TableBlend(num_numeric)) if mixes else None,
        names=describe(steps),
    )


def _of_texts(chosen: RnnHyperparameters) -> Augmentation:
    """The steps, and then some words are unknown."""
    steps = resolve_steps(chosen.augmentation, texts.PRESETS)
    _require(steps, get_args(TextStep), "texts")
    parts: list[Augment] = [TextAugment(steps)] if steps else []
    parts += [UnknownWords(chosen.word_dropout)] if chosen.word_dropout else []
    names = [f"unknown (part {chosen.word_dropout:g})"] if chosen.word_dropout else []
    return Augmentation(augment=join(parts), names=describe(steps) + names)


def _of_series(steps: Sequence[Any], features: NDArray[np.float32]) -> Augmentation:
    changes, mixes = _divide(steps)
    return Augmentation(
        augment=SeriesAugment(changes, features) if changes else None,
        mix=MixAugment(mixes) if mixes else None,
        names=describe(steps),
    )


def _divide(steps: Sequence[Any]) -> tuple[list[Any], list[Mixup]]:
    """What is done to each example, and what to pairs."""
    mixes = [step for step in steps if isinstance(step, Mixup)]
    return [step for step in steps if step not in mixes], mixes


def _require(steps: Sequence[Any], kinds: Sequence[type], what: str) -> None:
    unfit = [step.name for step in steps if not isinstance(step, tuple(kinds))]
    if unfit:
        known = ", ".join(get_args(kind.model_fields["name"].annotation)[0] for kind in kinds)  # type: ignore[attr-defined]
        raise InvalidRequestError(
            f"the data are {what}, and the step {unfit[0]!r} of augmentation is not for them: choose from {known}"
        )
