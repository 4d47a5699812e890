"""The parts of a row that an explanation tells apart: columns, patches of an image, stretches of a series, words.

A part that is left out has what is typical in its place: of a column the training data's median or commonest value, of
a patch the image's mean colour, of a stretch the series' own median; a word is just not there.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Datatype, TensorSpec
from aimass_core.inference.explaining.shapley import Masks

Array = NDArray[Any]

_MAX_PATCHES = 8  # a side
_MAX_STRETCHES = 16
_MAX_WORDS = 48
_WORD = re.compile(r"\S+")


class Parts(Protocol):
    """Those of one input of one row."""

    @property
    def names(self) -> Sequence[str]:
        """One for each; none where the row's value is what would stand in its place."""

    def build(self, masks: Masks) -> Array:
        """The input, once for each coalition: a mask says which parts stay."""


def parts_of(spec: TensorSpec, cell: Array) -> Parts:
    """Of a row's cell: an array without the dimension of rows."""
    if spec.column_type is ColumnType.IMAGE:
        return _Patches(spec, cell)
    if spec.column_type is ColumnType.SERIES:
        return _Stretches(spec, cell)
    words = _WORD.findall(str(cell[0])) if spec.datatype is Datatype.BYTES and spec.categories is None else []
    if len(words) > 1:
        return _Words(spec, words)
    return _Column(spec, cell)


class _Column:
    def __init__(self, spec: TensorSpec, cell: Array) -> None:
        is_text = spec.datatype is Datatype.BYTES
        typical: Any = spec.typical if spec.typical is not None else "" if is_text else np.nan
        self._pair = np.array([typical, cell[0]], dtype=cell.dtype)
        is_same = self._pair[0] == self._pair[1] or (not is_text and bool(np.isnan(self._pair).all()))
        self.names = [] if is_same else [spec.column or spec.name]

    def build(self, masks: Masks) -> Array:
        own = masks[:, 0] if self.names else np.ones(len(masks), dtype=bool)
        return np.asarray(self._pair[own.astype(int)][:, None])


class _Patches:
    def __init__(self, spec: TensorSpec, cell: Array) -> None:
        height, width, channels = cell.shape
        rows, columns = _cuts(height, _MAX_PATCHES), _cuts(width, _MAX_PATCHES)
        name = spec.column or spec.name
        self.names = [
            f"{name}[{top}:{bottom},{left}:{right}]"
            for top, bottom in itertools.pairwise(rows)
            for left, right in itertools.pairwise(columns)
        ]
        self._cell = cell
        self._mean = np.rint(cell.reshape(-1, channels).mean(axis=0)).astype(cell.dtype)
        down = np.searchsorted(rows, np.arange(height), side="right") - 1
        across = np.searchsorted(columns, np.arange(width), side="right") - 1
        self._patch = down[:, None] * (len(columns) - 1) + across

    def build(self, masks: Masks) -> Array:
        return np.where(masks[:, self._patch, None], self._cell, self._mean)


class _Stretches:
    def __init__(self, spec: TensorSpec, cell: Array) -> None:
        present = cell[~np.isnan(cell)]
        steps = _cuts(len(cell), _MAX_STRETCHES)
        name = spec.column or spec.name
        spans = list(itertools.pairwise(steps))
        self.names = [f"{name}[{start}:{end}]" for start, end in spans] if len(present) else []
        self._stretch = np.searchsorted(steps, np.arange(len(cell)), side="right") - 1
        self._cell = cell
        # Where a series has no value, which is also behind its end, it has none without the stretch either.
        self._filled = np.where(np.isnan(cell), cell, np.median(present) if len(present) else np.nan)

    def build(self, masks: Masks) -> Array:
        if not self.names:
            return np.repeat(self._cell[None], len(masks), axis=0)
        return np.where(masks[:, self._stretch], self._cell, self._filled).astype(self._cell.dtype)


class _Words:
    def __init__(self, spec: TensorSpec, words: Sequence[str]) -> None:
        cuts = _cuts(len(words), _MAX_WORDS)
        self._words = [" ".join(words[start:end]) for start, end in itertools.pairwise(cuts)]
        self.names = [f"{spec.column or spec.name}: {words}" for words in self._words]

    def build(self, masks: Masks) -> Array:
        texts = [" ".join(word for word, stays in zip(self._words, mask, strict=True) if stays) for mask in masks]
        return np.array(texts, dtype=np.object_)[:, None]


def _cuts(length: int, most: int) -> list[int]:
    """Where `length` is cut into parts of nearly one size, at most `most`."""
    return [round(cut) for cut in np.linspace(0, length, min(length, most) + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowParts:
    """All parts of a row, over all of its inputs."""

    specs: Sequence[TensorSpec]
    parts: Sequence[Parts]

    @property
    def names(self) -> list[str]:
        """Of every part that could make a difference."""
        return [name for parts in self.parts for name in parts.names]

    def build(self, masks: Masks) -> dict[str, Array]:
        """The inputs of every coalition."""
        built, start = {}, 0
        for spec, parts in zip(self.specs, self.parts, strict=True):
            end = start + len(parts.names)
            built[spec.name] = parts.build(masks[:, start:end])
            start = end
        return built
