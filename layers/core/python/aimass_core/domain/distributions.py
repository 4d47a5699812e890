"""Distributions: what one hyperparameter of a trial may be, in the vocabulary of Optuna."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from aimass_core.domain.common import JsonScalar, Request

MAX_CHOICES = 1_000
MAX_DISTRIBUTIONS = 200
MAX_STEPS = 1_000_000
_MAX_INTEGER = 2**53

Choice = JsonScalar | list[Any] | dict[str, Any]


class _Distribution(Request):
    when: dict[str, list[Choice]] = Field(
        default={},
        max_length=10,
        description="Only in trials in which each of these other hyperparameters has one of the values.",
        examples=[{"optimizer": ["sgd"]}],
    )


class FloatDistribution(_Distribution):
    """A float from low to high, both included; with `log` equally likely by order of magnitude."""

    type: Literal["float"]
    low: float
    high: float
    log: bool = False
    step: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.low, self.high, is_log=self.log, step=self.step)
        return self


class IntDistribution(_Distribution):
    """An integer from low to high, both included; with `log` equally likely by order of magnitude."""

    type: Literal["int"]
    low: int = Field(strict=True, ge=-_MAX_INTEGER, le=_MAX_INTEGER)
    high: int = Field(strict=True, ge=-_MAX_INTEGER, le=_MAX_INTEGER)
    log: bool = False
    step: int = Field(default=1, ge=1, le=_MAX_INTEGER, strict=True)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_range(self.low, self.high, is_log=self.log, step=self.step if self.step > 1 else None)
        return self


class CategoricalDistribution(_Distribution):
    """One of several values without an order. A value may be any JSON: a list of augmentation steps, say."""

    type: Literal["categorical"]
    choices: list[Choice] = Field(min_length=1, max_length=MAX_CHOICES)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(choice in self.choices[:index] for index, choice in enumerate(self.choices)):
            raise ValueError(f"choices must differ, and one comes twice in {str(self.choices)[:200]}")
        return self


Distribution = Annotated[FloatDistribution | IntDistribution | CategoricalDistribution, Field(discriminator="type")]
SearchSpace = Mapping[str, Distribution]


def has_value(distribution: Distribution, value: Choice) -> bool:
    """Whether a trial may have it."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    if not isinstance(value, int | float) or not distribution.low <= value <= distribution.high:
        return False
    step = distribution.step or 0
    return not step or (Decimal(str(value)) - Decimal(str(distribution.low))) % Decimal(str(step)) == 0


def snap(distribution: Distribution, value: Any) -> Any:
    """The number that is nearest to a number and that a trial may have; anything else as it is."""
    if isinstance(distribution, CategoricalDistribution) or not isinstance(value, int | float):
        return value
    inside = min(max(value, distribution.low), distribution.high)
    if distribution.step is not None:
        inside = _stepped(distribution, round((inside - distribution.low) / distribution.step))
    return round(inside) if isinstance(distribution, IntDistribution) else float(inside)


def list_values(distribution: Distribution) -> list[Choice] | None:
    """All of them in order, or None where they are endless or too many to be a grid's."""
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    step = distribution.step
    if step is None or (distribution.high - distribution.low) / step >= MAX_CHOICES:
        return None
    num_steps = round((distribution.high - distribution.low) / step)
    return [_stepped(distribution, number) for number in range(num_steps + 1)]


def _stepped(distribution: FloatDistribution | IntDistribution, number: int) -> float:
    if isinstance(distribution, IntDistribution):
        return distribution.low + distribution.step * number
    return float(Decimal(str(distribution.low)) + Decimal(str(distribution.step)) * number)


def to_scalar(choice: Choice) -> str | int | float | bool:
    """As Optuna can store it: what is no text, number or truth value becomes compact JSON."""
    if choice is None or isinstance(choice, list | dict):
        return json.dumps(choice, separators=(",", ":"), sort_keys=True)
    return choice


def _check_range(low: float, high: float, *, is_log: bool, step: float | None) -> None:
    if low > high:
        raise ValueError(f"low is {low} and high is {high}: low must not be greater")
    if is_log and low <= 0:
        raise ValueError(f"log needs a low above 0, and it is {low}")
    if is_log and step is not None:
        raise ValueError("log and step exclude each other: leave one of them out")
    if not math.isfinite(high - low):
        raise ValueError(f"the range from {low} to {high} is too wide")
    if step is not None:
        _check_steps(low, high, step)


def _check_steps(low: float, high: float, step: float) -> None:
    if (high - low) / step > MAX_STEPS:
        raise ValueError(f"there are more than {MAX_STEPS} steps of {step} from {low} to {high}: leave step out")
    # As Optuna counts: 0.3 is three steps of 0.1.
    highest = Decimal(str(high))
    if beyond := (highest - Decimal(str(low))) % Decimal(str(step)):
        reached = (highest - beyond).normalize()
        raise ValueError(f"steps of {step} from {low} do not reach {high}: take {reached:f} as high")
