"""Which configurations make a portfolio: greedily those that lower the regret over data sets most for what they cost.

Portfolio building of auto-sklearn 2.0 (Feurer et al. 2022) and the zero-shot portfolios of TabRepo (Salinas and
Erickson 2024).
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


def normalise(errors: Matrix) -> Matrix:
    """Regrets of errors [data sets, configurations]: 0 is the best of a data set, 1 the median and what is worse."""
    best, median = errors.min(axis=1, keepdims=True), np.median(errors, axis=1, keepdims=True)
    spread = np.where(median > best, median - best, 1.0)
    return np.asarray(np.clip((errors - best) / spread, 0.0, 1.0))


def select(regrets: Matrix, costs: Vector, size: int) -> list[int]:
    """Which configurations, in order: each lowers the mean, over data sets, of the least regret by then the most for
    what it costs.

    Of several that are alike the first is taken. It ends early where nothing lowers it any more.
    """
    chosen: list[int] = []
    least = np.ones(len(regrets))
    while len(chosen) < size:
        gains = least.mean() - np.minimum(least[:, None], regrets).mean(axis=0)
        # To nine digits: the order of a sum must not decide between two that are alike.
        worth = np.round(gains / costs, 9)
        best = int(worth.argmax())
        if worth[best] <= 0:
            break
        chosen.append(best)
        least = np.minimum(least, regrets[:, best])
    return chosen


def regrets_by_size(regrets: Matrix, chosen: list[int]) -> list[float]:
    """The mean least regret after one, two, ... of the chosen."""
    return [float(regrets[:, chosen[: size + 1]].min(axis=1).mean()) for size in range(len(chosen))]


def left_out_regrets(regrets: Matrix, costs: Vector, size: int) -> list[float]:
    """The same for data sets that a portfolio has not seen: each is left out once. None of a single data set."""
    if len(regrets) == 1:
        return []
    found = np.empty((len(regrets), size))
    for row in range(len(regrets)):
        chosen = select(np.delete(regrets, row, axis=0), costs, size)
        least = np.minimum.accumulate(regrets[row, chosen])
        found[row] = np.pad(least, (0, size - len(least)), mode="edge")
    return [float(mean) for mean in found.mean(axis=0)]
