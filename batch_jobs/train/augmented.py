"""Some training data before and after augmentation, for the report."""

from collections.abc import Iterator, Mapping

import numpy as np

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import NetworkHyperparameters
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.reports import Augmented, AugmentedRow
from batch_jobs.algorithms.learning import Problem
from batch_jobs.data.frames import Array
from batch_jobs.encoding.contract import Encoder
from batch_jobs.encoding.features.encoder import FeatureEncoder
from batch_jobs.encoding.table import TableEncoder
from batch_jobs.encoding.text import TextEncoder
from batch_jobs.encoding.vocabulary import PADDING, UNKNOWN, to_word
from batch_jobs.evaluate.analysis.pictures import draw_series, to_grid
from batch_jobs.train.fitting import Training
from batch_jobs.train.material import Material

_NUM_EXAMPLES = 8
_NUM_MEASURED = 512
_NUM_AFTER = 2
_MAX_WORDS = 40
_MAX_COLUMNS = 12


def show_augmentation(training: Training, material: Material, spec: TrainSpec) -> Augmented | None:
    """None where nothing is done. Strengths are measured on some hundred rows, and on all of them in training."""
    chosen = spec.resolve_hyperparameters()
    if not isinstance(chosen, NetworkHyperparameters) or spec.resolve_framework() != "torch":
        return None
    # Torch is not needed by those who train without it.
    from batch_jobs.data.augmentation.building import build_augmentation
    from batch_jobs.data.augmentation.samples import augmented_rows

    encoder, frame = training.predictor.encoder, training.train.sample(seed=spec.seed).frame
    problem = Problem(
        task=material.target.task,
        kind=material.data_kind,
        num_outputs=material.target.num_outputs,
        num_numeric=encoder.num_numeric,
        seed=spec.seed,
        num_threads=1,
    )
    features = encoder.transform(frame.take(_spread(frame.num_rows, _NUM_MEASURED)))
    augmentation = build_augmentation(chosen, problem, features)
    rows = augmented_rows(features[_spread(len(features), _NUM_EXAMPLES)], augmentation, seed=spec.seed)
    if not rows:
        return None
    if material.data_kind is DataKind.IMAGES:
        return Augmented(steps=list(augmentation.names), picture=to_grid(rows))
    if material.data_kind is DataKind.SERIES:
        return Augmented(steps=list(augmentation.names), picture=to_grid(_draw(rows)))
    shown = [list(_in_words(encoder, features)) for features in rows[: 1 + _NUM_AFTER]]
    return Augmented(
        steps=list(augmentation.names),
        rows=[AugmentedRow(before=before, after=list(after)) for before, *after in zip(*shown, strict=True)],
    )


def _spread(num_rows: int, num_wanted: int) -> Array:
    return np.linspace(0, num_rows - 1, num=min(num_wanted, num_rows)).astype(int)


def _draw(rows: list[Array]) -> list[Array]:
    """Each series in the bounds of the one that it was made of, over as many steps as the longest has."""
    num_steps = max(int((~np.isnan(rows[0]).all(axis=2)).cumsum(axis=1).max()), 2)
    first = np.where(np.isnan(rows[0]), 0.0, rows[0]) if np.isnan(rows[0]).all(axis=1).any() else rows[0]
    low, high = np.nanmin(first, axis=1), np.nanmax(first, axis=1)
    return [
        np.stack([draw_series(one[:num_steps], low=low[at], high=high[at]) for at, one in enumerate(row)])
        for row in rows
    ]


def _in_words(encoder: Encoder, features: Array) -> Iterator[str]:
    if isinstance(encoder, TextEncoder):
        words = {number: to_word(token) for token, number in encoder.vocabulary.ids.items()}
        words[UNKNOWN] = "(unknown)"
        for row in features:
            found = [words[number] for number in row[row != PADDING].tolist()]
            yield " ".join([*found[:_MAX_WORDS], *(["…"] if len(found) > _MAX_WORDS else [])])
        return
    names, values = _columns(encoder)
    for row in features.tolist():
        yield ", ".join(
            f"{name} {_to_text(value, values.get(name))}"
            for name, value in list(zip(names, row, strict=True))[:_MAX_COLUMNS]
        )


def _columns(encoder: Encoder) -> tuple[list[str], Mapping[str, tuple[str, ...]]]:
    """The names of all features, and the values that the codes of some stand for."""
    if isinstance(encoder, FeatureEncoder):
        return encoder.names, {}
    assert isinstance(encoder, TableEncoder)  # noqa: S101  there are no other tables
    encoding = encoder.encoding
    return list(encoding.names), {category.column: ("other", *category.values) for category in encoding.categories}


def _to_text(value: float, values: tuple[str, ...] | None) -> str:
    if values is not None:
        return values[int(value)] or "missing"
    return "missing" if np.isnan(value) else f"{value:.5g}"
