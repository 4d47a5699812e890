"""Where an endpoint's model runs: in the function, in containers of its own, or its members apart from each other."""

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from aimass_core.domain.common import Contract, Request

DEFAULT_INSTANCE_TYPE = "ml.c5.large"
_INSTANCE_TYPE = r"^ml\.[a-z][a-z0-9-]{1,20}\.[a-z0-9]{3,12}$"


class EngineKind(StrEnum):
    """lambda: in the function that takes the requests, at no cost while nobody asks. container: on machines that are
    there all the time. distributed: each member of a fusion for itself, all of them at the same time."""

    LAMBDA = "lambda"
    CONTAINER = "container"
    DISTRIBUTED = "distributed"


class Engine(Request):
    """An engine and its options. Whatever it is, clients call the same addresses."""

    kind: EngineKind = EngineKind.LAMBDA
    instance_type: str | None = Field(
        default=None,
        pattern=_INSTANCE_TYPE,
        description=f"Of the machines; null: {DEFAULT_INSTANCE_TYPE} for containers, and for members that are "
        "distributed none: each runs in an invocation of its own.",
        examples=[DEFAULT_INSTANCE_TYPE],
    )
    instances: int | None = Field(default=None, ge=1, le=100, strict=True, description="Machines; null: 1.")

    @property
    def machines(self) -> tuple[str, int] | None:
        """Type and number of the machines that it needs for each model; None: none."""
        if self.kind is EngineKind.LAMBDA or (self.kind is EngineKind.DISTRIBUTED and self.instance_type is None):
            return None
        return self.instance_type or DEFAULT_INSTANCE_TYPE, self.instances or 1

    @model_validator(mode="after")
    def _check_machines(self) -> Self:
        given = [name for name in ("instance_type", "instances") if getattr(self, name) is not None]
        if self.kind is EngineKind.LAMBDA and given:
            raise ValueError(f"{given[0]} belongs to the engine container: the engine lambda has no machines")
        if self.kind is EngineKind.DISTRIBUTED and given == ["instances"]:
            raise ValueError("instances needs an instance_type: without one, members run in invocations of their own")
        return self


class HostStatus(StrEnum):
    """How far a host is."""

    STARTING = "STARTING"
    READY = "READY"
    FAILED = "FAILED"


class HostState(Contract):
    """One host as the hosting service sees it. `reason` is its own words where it FAILED."""

    name: str
    status: HostStatus
    reason: str | None = None
