"""Smaller settings of an algorithm: an expert has an easier task than the single model."""

from collections.abc import Callable
from typing import Any

from aimass_core.domain.decomposition import PartSpec

_MAX_RATE = 0.3
_LEAST = {"hidden": 8, "embedding": 8, "num_trees": 10, "channels": 4}
_ROUNDS = frozenset({"xgboost", "lightgbm"})


def shrink(part: PartSpec, resolved: dict[str, Any]) -> PartSpec | None:
    """Half the size: half the units of each layer, half the trees; of boosting by twice the learning rate, since early
    stopping then ends after half the rounds. None where the algorithm has no size, or none that is smaller.

    Args:
        part: As it is.
        resolved: All hyperparameters, with their defaults.
    """
    if part.algorithm in _ROUNDS:
        rate = min(2 * resolved["learning_rate"], _MAX_RATE)
        changed = {"learning_rate": rate} if rate > resolved["learning_rate"] else {}
    else:
        changed = _scale(resolved, lambda value, least: min(value, max(value // 2, least)))
    return _with(part, changed)


def _scale(resolved: dict[str, Any], change: Callable[[int, int], int]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name, least in _LEAST.items():
        known = resolved.get(name)
        if isinstance(known, list):
            changed[name] = [change(value, least) for value in known]
        elif isinstance(known, int):
            changed[name] = change(known, least)
    return {name: value for name, value in changed.items() if value != resolved[name]}


def _with(part: PartSpec, changed: dict[str, Any]) -> PartSpec | None:
    if not changed:
        return None
    return part.model_copy(update={"hyperparameters": {**part.hyperparameters, **changed}})
