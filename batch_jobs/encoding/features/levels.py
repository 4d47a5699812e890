"""What a category's values are looked up by: the texts of one column, or the pairs of two."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from batch_jobs.data.frames import Array
from batch_jobs.encoding.features.blocks import Sources
from batch_jobs.encoding.table_matrix import MAX_CATEGORIES, MIN_CATEGORY_ROWS

MAX_LEVELS = 50_000


class Levels(Protocol):
    """A category. `training`: of each training row the position of its value among the `num_levels` known ones."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that it is made from."""

    @property
    def training(self) -> Array:
        """int64 [rows]; values beyond the most frequent `MAX_LEVELS` are -1."""

    @property
    def num_levels(self) -> int:
        """How many values are known."""

    def look_up(self, sources: Sources, table: Array, default: float) -> str:
        """float32 [rows, 1]: of each row the entry of `table` for its level, `default` where it is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLevels:
    """The values of a column."""

    name: str
    columns: tuple[str, ...]
    training: Array
    texts: tuple[str, ...]

    @property
    def num_levels(self) -> int:
        """See `Levels`."""
        return len(self.texts)

    def look_up(self, sources: Sources, table: Array, default: float) -> str:
        """See `Levels`."""
        return sources.graph.node(
            "LabelEncoder",
            sources.text(self.columns[0]),
            domain="ai.onnx.ml",
            keys_strings=list(self.texts),
            values_floats=table.tolist(),
            default_float=default,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLevels:
    """The pairs of values of two columns that occur; a pair's number is first * (second's levels + 1) + second."""

    name: str
    first: ColumnLevels
    second: ColumnLevels
    training: Array
    numbers: Array

    @property
    def columns(self) -> tuple[str, ...]:
        """See `Levels`."""
        return self.first.columns + self.second.columns

    @property
    def num_levels(self) -> int:
        """See `Levels`."""
        return len(self.numbers)

    def look_up(self, sources: Sources, table: Array, default: float) -> str:
        """See `Levels`."""
        graph = sources.graph
        first, second = _position(sources, self.first), _position(sources, self.second)
        size = graph.constant(self.second.num_levels + 1, np.int64)
        number = graph.node("Add", graph.node("Mul", first, size), second)
        return graph.node(
            "LabelEncoder",
            number,
            domain="ai.onnx.ml",
            keys_int64s=self.numbers.tolist(),
            values_floats=table.tolist(),
            default_float=default,
        )


def _position(sources: Sources, levels: ColumnLevels) -> str:
    """Of each row the position of its value; unknown ones are `num_levels`, as `fit_pair_levels` has them."""
    return sources.graph.node(
        "LabelEncoder",
        sources.text(levels.columns[0]),
        domain="ai.onnx.ml",
        keys_strings=list(levels.texts),
        values_int64s=list(range(levels.num_levels)),
        default_int64=levels.num_levels,
    )


def fit_column_levels(column: str, values: Array) -> ColumnLevels:
    """The values of the training rows, the missing one (an empty text) among them."""
    texts, positions = np.unique(values.astype(str), return_inverse=True)
    kept, positions = _most_frequent(positions, len(texts))
    return ColumnLevels(name=column, columns=(column,), training=positions, texts=tuple(texts[kept].tolist()))


def fit_pair_levels(first: ColumnLevels, second: ColumnLevels) -> PairLevels:
    """The pairs of the training rows."""
    left = np.where(first.training < 0, first.num_levels, first.training)
    right = np.where(second.training < 0, second.num_levels, second.training)
    numbers, positions = np.unique(left * (second.num_levels + 1) + right, return_inverse=True)
    kept, positions = _most_frequent(positions, len(numbers))
    name = f"{first.name} x {second.name}"
    return PairLevels(name=name, first=first, second=second, training=positions, numbers=numbers[kept])


def _most_frequent(positions: Array, size: int) -> tuple[Array, Array]:
    counts = np.bincount(positions, minlength=size)
    kept = np.sort(np.argsort(-counts, kind="stable")[:MAX_LEVELS])
    renumbered = np.full(size, -1, dtype=np.int64)
    renumbered[kept] = np.arange(len(kept))
    return kept, renumbered[positions]


def frequent_codes(levels: Levels) -> tuple[Array, int]:
    """A code for each level, and how many codes there are: by frequency from 1; rare and unknown ones have 0.

    As `table_matrix.fit_category` has it.
    """
    counts = np.bincount(levels.training[levels.training >= 0], minlength=levels.num_levels)
    order = np.argsort(-counts, kind="stable")
    enough = order[counts[order] >= MIN_CATEGORY_ROWS]
    chosen = (enough if len(enough) else order)[:MAX_CATEGORIES]
    codes = np.zeros(levels.num_levels)
    codes[chosen] = np.arange(1, len(chosen) + 1)
    return codes, len(chosen) + 1
