"""Reports on a workspace or on one model over a span of days, made on demand or every week."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import AwareDatetime, Field, model_validator

from aimass_core.domain.common import Contract, Name, Request, Resource

MAX_PLANS = 20
MAX_DAYS = 90


class ReportStatus(StrEnum):
    """PENDING while its job works on it."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


class ReportFigure(Contract):
    """One of the figures that a report begins with."""

    name: str
    value: str
    before: str | None = Field(default=None, description="The same of the span before. Null: not known.")


class Report(Resource):
    """One report: data, training, scores, traffic, drift, spend and alarms of a span of days, as HTML and PDF."""

    resource: ClassVar[str] = "report"
    prefix: ClassVar[str] = "rpt"

    status: ReportStatus = ReportStatus.PENDING
    status_reason: str | None = None
    model: str | None = Field(default=None, description="The model that it is about. Null: the whole workspace.")
    since: AwareDatetime
    until: AwareDatetime
    channels: list[str] = []
    plan_id: str | None = None
    job_id: str
    figures: list[ReportFigure] = []
    html_bytes: int | None = None
    pdf_bytes: int | None = None


class ReportDetail(Report):
    """With short-lived addresses of its files; they are null until it is READY."""

    html_url: str | None = None
    pdf_url: str | None = None


class ReportCreate(Request):
    """Body of POST /v1/reports."""

    model: Name | None = Field(default=None, description="Null: the whole workspace.")
    days: int = Field(default=7, ge=1, le=MAX_DAYS, description="So many days until now.")
    channels: list[Name] = Field(default=[], max_length=20, description="Notification channels that are told of it.")


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class PlanStatus(StrEnum):
    """Whether reports are made."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"


class ReportPlan(Resource):
    """A report that is made every week."""

    resource: ClassVar[str] = "report_plan"
    prefix: ClassVar[str] = "rpp"

    name: str
    model: str | None = None
    days: int = 7
    channels: list[str] = []
    weekday: Weekday
    hour: int
    status: PlanStatus = PlanStatus.ACTIVE
    next_at: AwareDatetime
    last_report_id: str | None = None
    status_reason: str | None = Field(default=None, description="Why the last one was not made.")

    @property
    def due_at(self) -> datetime:
        """When something is to be done about it."""
        return self.next_at


class ReportPlanCreate(Request):
    """Body of POST /v1/report-plans."""

    name: Name
    model: Name | None = Field(default=None, description="Null: the whole workspace.")
    days: int = Field(default=7, ge=1, le=MAX_DAYS)
    channels: list[Name] = Field(default=[], max_length=20, description="Notification channels that are told of it.")
    weekday: Weekday = Weekday.MONDAY
    hour: int = Field(default=6, ge=0, le=23, description="In UTC.")


class ReportPlanUpdate(Request):
    """Body of PATCH /v1/report-plans/{plan}; what is absent stays."""

    days: int | None = Field(default=None, ge=1, le=MAX_DAYS)
    channels: list[Name] | None = Field(default=None, max_length=20)
    weekday: Weekday | None = None
    hour: int | None = Field(default=None, ge=0, le=23)
    status: PlanStatus | None = None

    @model_validator(mode="after")
    def _check_some(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("name at least one of " + ", ".join(type(self).model_fields))
        return self
