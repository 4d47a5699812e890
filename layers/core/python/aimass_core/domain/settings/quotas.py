"""Quotas of a workspace."""

from enum import StrEnum
from typing import ClassVar

from aimass_core.domain.datasets import MAX_UPLOAD_BYTES
from aimass_core.domain.settings.contract import Subsystem, SubsystemSettings, setting


class BudgetStop(StrEnum):
    """What ends when a month's budget is spent: nothing; jobs and queries are refused; endpoints in containers, which
    cost also while nobody asks, are taken down as well."""

    NOTHING = "nothing"
    JOBS = "jobs"
    JOBS_AND_CONTAINERS = "jobs_and_containers"


class QuotaSettings(SubsystemSettings):
    """What the workspace may use. Where whoever deployed the platform has set a limit, it can only be lowered."""

    subsystem: ClassVar[Subsystem] = Subsystem.QUOTAS
    are_ceilings: ClassVar[bool] = True

    max_jobs_active: int = setting(
        1_000, title="Jobs", description="That have not ended. More are refused with 429.", ge=1, le=100_000
    )
    max_jobs_per_10_seconds: int = setting(
        50, title="Jobs within ten seconds", description="That are submitted.", ge=1, le=10_000
    )
    max_queries_active: int = setting(
        20, title="Queries", description="That have not ended. More are refused with 429.", ge=1, le=100
    )
    query_max_seconds: int = setting(
        300,
        title="Time of a query",
        description="That does not say how long it may take.",
        unit="seconds",
        ge=1,
        le=1_800,
    )
    query_max_bytes: int | None = setting(
        None,
        title="Bytes of a query",
        description="That any query may read. Null: what the deployment allows.",
        unit="bytes",
        ge=10 * 1024**2,
        le=2**50,
    )
    key_requests_per_second: float | None = setting(
        None,
        title="Predictions a second",
        description="Of an API key without a limit of its own, as a mean of ten seconds. Null: no limit.",
        unit="requests a second",
        gt=0,
        le=100_000,
    )
    key_requests_per_day: int | None = setting(
        None,
        title="Predictions a day",
        description="Of an API key without a limit of its own, from midnight UTC on. Null: no limit.",
        ge=1,
        le=10**12,
    )
    max_upload_bytes: int = setting(
        MAX_UPLOAD_BYTES,
        title="Bytes of an upload",
        description="Of one file. A larger one is refused.",
        unit="bytes",
        ge=1_024,
        le=MAX_UPLOAD_BYTES,
    )
    max_stored_bytes: int | None = setting(
        None,
        title="Bytes of data",
        description="Of all versions of all datasets. Uploads and dropped files beyond it are refused. Null: no limit.",
        unit="bytes",
        ge=1_024,
        le=2**60,
    )
    monthly_budget_usd: float | None = setting(
        None,
        title="Budget of a month",
        description="From the first of the month (UTC), by the list prices of the release. Null: none.",
        unit="USD",
        gt=0,
        le=100_000_000,
    )
    budget_warn_percent: int = setting(
        80,
        title="Warn from",
        description="The share of the budget from which on it is WARNED, once a month.",
        unit="percent",
        ge=1,
        le=100,
    )
    budget_stops: BudgetStop = setting(
        BudgetStop.JOBS, title="When it is spent", description="What ends until the next month, or until it is raised."
    )
