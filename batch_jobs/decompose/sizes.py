"""Smaller settings of an algorithm: an expert has an easier task than the single model."""

from collections.abc import Callable
from math import sqrt
from typing import Any

from aimass_core.domain.decomposition import PartSpec

_MAX_RATE, _QUICK_RATE = 0.3, 0.5
_LEAST = {"hidden": 8, "embedding": 8, "num_trees": 10, "channels": 4}
_ROUNDS = frozenset({"xgboost", "lightgbm", "catboost"})
# Where an algorithm finds its learning rate itself.
_USUAL_RATE = 0.05


def shrink(part: PartSpec, resolved: dict[str, Any]) -> PartSpec | None:
    """Half the size: half the units of each layer, half the trees; of boosting by twice the learning rate, since early
    stopping then ends after half the rounds. None where the algorithm has no size, or none that is smaller.

    Args:
        part: As it is.
        resolved: All hyperparameters, with their defaults.
    """
    if part.algorithm in _ROUNDS:
        known = resolved["learning_rate"] or _USUAL_RATE
        rate = min(2 * known, _MAX_RATE)
        changed = {"learning_rate": rate} if rate > known else {}
    else:
        changed = _scale(resolved, lambda _name, value: value // 2)
    return _with(part, changed)


def quicken(part: PartSpec, resolved: dict[str, Any], *, num_steps: int, times: float) -> PartSpec | None:
    """With so many times fewer operations a row, about; None where it has no size that could be smaller.

    Args:
        part: As it is.
        resolved: All hyperparameters, with their defaults.
        num_steps: What it took; of boosting the rounds. In fewer of them it learns more quickly.
        times: Above 1.
    """
    if part.algorithm in _ROUNDS:
        rounds = max(round(num_steps / times), 1)
        rate = max(_QUICK_RATE, resolved["learning_rate"] or _USUAL_RATE)
        return _with(part, {"num_rounds": rounds, "learning_rate": rate} if rounds < num_steps else {})
    # Of a layer of half the units on another of half the units there is a quarter.
    parts = {"num_trees": 1 / times}
    return _with(part, _scale(resolved, lambda name, value: round(value * parts.get(name, 1 / sqrt(times)))))


def _scale(resolved: dict[str, Any], change: Callable[[str, int], int]) -> dict[str, Any]:
    def limit(name: str, value: int) -> int:
        return min(value, max(change(name, value), _LEAST[name]))

    changed: dict[str, Any] = {}
    for name in _LEAST:
        known = resolved.get(name)
        if isinstance(known, list):
            changed[name] = [limit(name, value) for value in known]
        elif isinstance(known, int):
            changed[name] = limit(name, known)
    return {name: value for name, value in changed.items() if value != resolved[name]}


def _with(part: PartSpec, changed: dict[str, Any]) -> PartSpec | None:
    if not changed:
        return None
    return part.model_copy(update={"hyperparameters": {**part.hyperparameters, **changed}})
