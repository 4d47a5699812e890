"""How networks take numbers: standardised, clipped, and in piecewise-linear bins.

The encoding is that of Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep
Learning" (NeurIPS 2022), with quantile bins: it makes a network follow steps and plateaus nearly as trees do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLIP = 5.0
_MAX_BINS = 32
_MAX_ENCODED = 2048

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Means and inverse deviations [columns]; left edges and inverse widths of the bins [columns, bins].

    Bins that do not exist are infinitely wide.
    """

    means: Floats
    inverse_deviations: Floats
    left: Floats
    inverse_widths: Floats

    @property
    def num_outputs(self) -> int:
        """Of each column: its value, whether it is missing, and its bins."""
        return int(self.means.size * (2 + self.left.shape[1]))


def fit_scaling(numeric: Floats) -> Scaling:
    """Of training rows; NaN is missing."""
    filled = [column[~np.isnan(column)].astype(np.float64) for column in numeric.T]
    deviations = np.array([_or_zero(np.std, column) for column in filled])
    left, inverse_widths = _bins(filled)
    return Scaling(
        means=np.array([_or_zero(np.mean, column) for column in filled], dtype=np.float32),
        inverse_deviations=np.divide(1.0, deviations, out=np.ones_like(deviations), where=deviations > 0).astype(
            np.float32
        ),
        left=left.astype(np.float32),
        inverse_widths=inverse_widths.astype(np.float32),
    )


def embedding_width(cardinality: int) -> int:
    """Of a category with so many codes."""
    return min(16, 2 + int(cardinality**0.5 + 0.5))


def _or_zero(statistic: Callable[[NDArray[Any]], Any], values: NDArray[Any]) -> float:
    return float(statistic(values)) if len(values) else 0.0


def _bins(columns: list[NDArray[np.float64]]) -> tuple[NDArray[Any], NDArray[Any]]:
    num_bins = min(_MAX_BINS, _MAX_ENCODED // max(len(columns), 1))
    left, inverse = np.zeros((len(columns), num_bins)), np.zeros((len(columns), num_bins))
    for index, present in enumerate(columns):
        if not len(present) or not num_bins:
            continue
        edges = np.unique(np.quantile(present, np.linspace(0, 1, num_bins + 1)))
        for position, (low, high) in enumerate(pairwise(edges)):
            left[index, position], inverse[index, position] = low, 1.0 / max(high - low, 1e-30)
    return left, inverse
