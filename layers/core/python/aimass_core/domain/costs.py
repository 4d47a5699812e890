"""What a workspace costs: by day, by kind, and by what caused it."""

from datetime import date
from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract, Resource
from aimass_core.domain.settings.quotas import BudgetStop


class CostKind(StrEnum):
    """Containers of jobs; containers of endpoints, which cost also while nobody asks; predictions in the function;
    what queries read; bytes that are kept."""

    JOBS = "jobs"
    ENDPOINTS = "endpoints"
    PREDICTIONS = "predictions"
    QUERIES = "queries"
    STORAGE = "storage"


class Usage(Resource):
    """What one job, query, or day of an endpoint's containers has used. Written with its end, and never changed but by
    containers that go on. `usd` is null where the release's table has no price of it."""

    resource: ClassVar[str] = "usage"
    prefix: ClassVar[str] = "usg"

    kind: CostKind
    date: date
    subject_id: str = Field(description="Of the job, the query or the endpoint.")
    name: str
    quantity: float
    unit: str
    usd: float | None
    is_estimate: bool
    counted_until: AwareDatetime | None = Field(default=None, description="Of containers that go on.")
    forgotten_at: AwareDatetime | None = None


class CostLine(Contract):
    """What one thing costs, within the days that were asked for."""

    kind: CostKind
    subject_id: str = Field(description="Id of the job, endpoint or query; of storage the dataset's or model's.")
    name: str = Field(examples=["train xgboost adult@3", "shop", "adult"])
    quantity: float
    unit: str = Field(examples=["machine seconds", "requests", "bytes read", "GiB days"])
    usd: float
    is_estimate: bool


class CostDay(Contract):
    """One day (UTC). A job or query costs on the day on which it ends."""

    date: date
    usd: float
    by_kind: dict[CostKind, float]


class Costs(Contract):
    """Answer of GET /v1/costs, in USD by the list prices of this release; AWS's own bill may differ."""

    since: date
    until: date = Field(description="Included.")
    usd: float
    by_kind: dict[CostKind, float]
    is_estimate: dict[CostKind, bool] = Field(description="Whether a part of it is an estimate, and not metered.")
    days: list[CostDay] = Field(description="Every day, oldest first.")
    lines: list[CostLine] = Field(description="The dearest first.")
    num_lines: int = Field(description="That there are, also those that `lines` leaves out.")
    price_source: str
    notes: list[str] = []


class BudgetStatus(StrEnum):
    """NONE is set; OK; WARNED from the share on that the quotas name; SPENT."""

    NONE = "NONE"
    OK = "OK"
    WARNED = "WARNED"
    SPENT = "SPENT"


class Budget(Resource):
    """What is spent of the present month's budget, as it was counted at `updated_at`. The reconciler counts each
    minute; a change of its status is an event."""

    resource: ClassVar[str] = "budget"
    prefix: ClassVar[str] = "bud"

    month: str = Field(examples=["2026-11"])
    monthly_budget_usd: float | None
    spent_usd: float
    forecast_usd: float = Field(description="At the end of the month, if it goes on as until now.")
    percent: float | None = None
    warn_percent: int
    stops: BudgetStop
    status: BudgetStatus
    status_since: AwareDatetime = Field(description="When it became that.")
