"""Rollouts: another version takes over a share of an endpoint's requests, or all of them, while it does well."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from aimass_core.domain.common import Contract, Request

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Percent = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
MAX_EVERY_SECONDS = 30 * 24 * 3_600.0


class Strategy(StrEnum):
    """canary: a small share, then all, or on in steps. linear: equal steps. shadow: the new version is asked beside the
    old one, which answers."""

    CANARY = "canary"
    LINEAR = "linear"
    SHADOW = "shadow"


class Guards(Request):
    """What the new version has to keep to, else the old one answers everything again. Null: not looked at."""

    max_error_rate: _Share | None = Field(
        default=0.01, description="Of the requests that it was given; those were answered by the old version."
    )
    max_p95_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="Of its time for a request."
    )
    max_disagreement: _Share | None = Field(
        default=None,
        description="Of the rows for which the old version gives another label. Where this is set, and in shadow, both "
        "versions are asked.",
    )
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0.05, description="Numbers disagree where they differ by more than this share of the larger one."
    )
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=20, description="So many have to be seen before anything is judged, and before the next step."
    )


class RolloutPlan(Request):
    """How a version takes over."""

    strategy: Strategy = Strategy.CANARY
    percent: _Percent = Field(default=10.0, description="Of requests that the new version gets first.")
    step_percent: _Percent | None = Field(
        default=None, description="So many more with each step. Null: all of them with the next step."
    )
    every_seconds: Annotated[float, Field(ge=1, le=MAX_EVERY_SECONDS, allow_inf_nan=False)] | None = Field(
        default=None, description="Until the next step. Null: it stays until it is promoted or rolled back."
    )
    guards: Guards = Guards()

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        if self.step_percent is not None and self.every_seconds is None:
            raise ValueError("`step_percent` needs `every_seconds`: when the next step is due")
        if self.strategy is Strategy.LINEAR and self.every_seconds is None:
            raise ValueError("a linear rollout needs `every_seconds`: when the next step is due")
        if self.strategy is Strategy.SHADOW and self.step_percent is not None:
            raise ValueError(
                "a shadow has no steps: `percent` of the requests are given to it too, which it answers for nobody"
            )
        return self

    def next_percent(self, percent: float) -> float:
        """After the next step; a linear one goes on as it began."""
        if self.strategy is Strategy.SHADOW:
            return 100.0
        step = self.percent if self.strategy is Strategy.LINEAR and self.step_percent is None else self.step_percent
        return 100.0 if step is None else min(percent + step, 100.0)


class RolloutProgress(Contract):
    """Where a rollout is. `id` tells its counts from those of another one of the same version."""

    id: str
    percent: float = Field(description="Of the requests, that the new version gets now (in shadow: too).")
    started_at: AwareDatetime
    step_at: AwareDatetime = Field(description="When the present percent began.")

    def is_due(self, plan: RolloutPlan, now: AwareDatetime) -> bool:
        """Whether the next step's time has come."""
        return plan.every_seconds is not None and now - self.step_at >= timedelta(seconds=plan.every_seconds)
