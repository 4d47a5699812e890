"""Recipes of categories, and of pairs of them."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from aimass_core.domain.features import Encode
from aimass_core.domain.signatures import Task
from batch_jobs.data.frames import MISSING_TEXT, Array
from batch_jobs.data.targets import Target, sort_labels
from batch_jobs.encoding.features.blocks import Block, Sources
from batch_jobs.encoding.features.levels import ColumnLevels, Levels, frequent_codes

NUM_FOLDS = 5
_TARGET_TYPES = {Task.BINARY: "binary", Task.MULTICLASS: "multiclass", Task.REGRESSION: "continuous"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What target encoding learns from: class indices, or standardised values, of the training rows."""

    target: Target
    values: Array
    seed: int


def category_blocks(levels: Levels, encodes: Iterable[Encode], truth: Truth) -> list[Block]:
    """One block of each encoding that a column and a cross can both have."""
    builders = {Encode.CODE: _code_block, Encode.ONE_HOT: _one_hot_block, Encode.FREQUENCY: _frequency_block}
    blocks: list[Block] = []
    for encode in encodes:
        if encode is Encode.TARGET:
            blocks.append(_target_block(levels, truth))
        elif encode in builders:
            blocks.append(builders[encode](levels))
    return blocks


def ordinal_block(levels: ColumnLevels, order: Sequence[str] | None) -> Block:
    """The place of a value in the order, or among the sorted training values; what has no place is missing."""
    known = order or sort_labels([text for text in levels.texts if text != MISSING_TEXT])
    placed = ColumnLevels(name=levels.name, columns=levels.columns, training=levels.training, texts=tuple(known))
    return _block(placed, f"{levels.name} in order", np.arange(len(known), dtype=float), np.nan)


def _block(levels: Levels, name: str, table: Array, default: float, *, cardinality: int | None = None) -> Block:
    return Block(
        names=(name,),
        columns=levels.columns,
        build=lambda sources: levels.look_up(sources, table, default),
        cardinality=cardinality,
    )


def _code_block(levels: Levels) -> Block:
    codes, cardinality = frequent_codes(levels)
    return _block(levels, levels.name, codes, 0.0, cardinality=cardinality)


def _one_hot_block(levels: Levels) -> Block:
    codes, cardinality = frequent_codes(levels)

    def build(sources: Sources) -> str:
        code = levels.look_up(sources, codes, 0.0)
        is_value = sources.graph.node("Equal", code, sources.graph.constant(np.arange(1, cardinality), np.float32))
        return sources.graph.node("Cast", is_value, to=TensorProto.FLOAT)

    names = tuple(f"{levels.name} is value {code}" for code in range(1, cardinality))
    return Block(names=names, columns=levels.columns, build=build)


def _frequency_block(levels: Levels) -> Block:
    counts = np.bincount(levels.training[levels.training >= 0], minlength=levels.num_levels)
    return _block(levels, f"{levels.name} frequency", counts / len(levels.training), 0.0)


def _target_block(levels: Levels, truth: Truth) -> Block:
    """The mean target of each level by scikit-learn's TargetEncoder: one feature, or one for each class."""
    splitter = KFold if truth.target.labels is None else StratifiedKFold
    encoder = TargetEncoder(
        categories=[np.arange(-1, levels.num_levels)],
        target_type=_TARGET_TYPES[truth.target.task],
        cv=splitter(NUM_FOLDS, shuffle=True, random_state=truth.seed),
    )
    with warnings.catch_warnings():
        # A class with fewer rows than folds is in some folds only, and that does no harm here.
        warnings.filterwarnings("ignore", message="The least populated class")
        out_of_fold = encoder.fit_transform(levels.training[:, None], truth.values)
    tables = [encoding[1:].astype(np.float32) for encoding in encoder.encodings_]
    means = np.atleast_1d(encoder.target_mean_).astype(np.float32).tolist()

    def build(sources: Sources) -> str:
        found = [levels.look_up(sources, table, mean) for table, mean in zip(tables, means, strict=True)]
        return sources.graph.node("Concat", *found, axis=1) if len(found) > 1 else found[0]

    labels = truth.target.labels or ()
    suffixes = [f" for {labels[index]!r}" for index in encoder.classes_] if len(tables) > 1 else [""]
    return Block(
        names=tuple(f"{levels.name} target mean{suffix}" for suffix in suffixes),
        columns=levels.columns,
        build=build,
        training=out_of_fold.astype(np.float32),
    )
