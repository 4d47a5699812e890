"""Shapley values of any function of which of a row's parts are its own: exact where these are few, else sampled.

`value(masks)` answers coalitions: booleans [coalitions, players], true where a player has the row's own value.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Masks = NDArray[np.bool_]
Floats = NDArray[np.float64]
Value = Callable[[Masks], NDArray[Any]]

# Up to so many players every coalition is asked: 4,096 rows.
MAX_EXACT_PLAYERS = 12
_MAX_COALITIONS = 2_048
_MIN_PAIRS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapley:
    """`values` add up to `answer` - `base`. `errors` are their standard errors, None where they are exact."""

    base: float
    answer: float
    values: Floats
    errors: Floats | None


def explain(value: Value, num_players: int, *, seed: int = 0) -> Shapley:
    """What each player contributes (Shapley 1953)."""
    return _enumerate(value, num_players) if num_players <= MAX_EXACT_PLAYERS else _sample(value, num_players, seed)


def _enumerate(value: Value, num_players: int) -> Shapley:
    """Every coalition, as a number whose bits are the players."""
    numbers = np.arange(2**num_players)
    masks = (numbers[:, None] >> np.arange(num_players) & 1).astype(bool)
    answers = np.asarray(value(masks), dtype=np.float64)
    sizes = masks.sum(axis=1)
    weights = _weights(num_players)
    values = np.zeros(num_players)
    for player in range(num_players):
        without = numbers[~masks[:, player]]
        values[player] = weights[sizes[without]] @ (answers[without | 1 << player] - answers[without])
    return Shapley(base=float(answers[0]), answer=float(answers[-1]), values=values, errors=None)


@cache
def _weights(num_players: int) -> Floats:
    """Of a coalition by its size: how likely a random order has just it before a player."""
    return np.array([1 / (num_players * math.comb(num_players - 1, size)) for size in range(num_players)])


def _sample(value: Value, num_players: int, seed: int) -> Shapley:
    """Random orders, each with its reverse (Mitchell, Cooper, Frank, Holmes 2022): they add up by themselves, and of
    what parts do two by two a pair of orders is exact."""
    num_pairs = max(_MAX_COALITIONS // (2 * num_players), _MIN_PAIRS)
    orders = np.random.default_rng(seed).permuted(np.tile(np.arange(num_players), (num_pairs, 1)), axis=1)
    orders = np.stack([orders, orders[:, ::-1]], axis=1).reshape(-1, num_players)
    places = np.argsort(orders, axis=1)
    # Coalition k of an order: the players on its first k + 1 places.
    masks = places[:, None, :] <= np.arange(num_players - 1)[:, None]
    ends = np.asarray(value(np.array([[False], [True]]).repeat(num_players, axis=1)), dtype=np.float64)
    answers = np.asarray(value(masks.reshape(-1, num_players)), dtype=np.float64).reshape(len(orders), -1)
    steps = np.diff(np.column_stack([np.full(len(orders), ends[0]), answers, np.full(len(orders), ends[1])]), axis=1)
    gains = np.take_along_axis(steps, places, axis=1).reshape(num_pairs, 2, num_players).mean(axis=1)
    return Shapley(
        base=float(ends[0]),
        answer=float(ends[1]),
        values=gains.mean(axis=0),
        errors=gains.std(axis=0, ddof=1) / math.sqrt(num_pairs),
    )
