"""Reports on a workspace or a model, and those that are made every week."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aimass.binding import Api, Bound, Pages, to_request
from aimass.errors import ConnectionFailedError, WaitTimeoutError
from aimass_core.domain import workspace_reports as contract
from aimass_core.domain.workspace_reports import (
    ReportCreate,
    ReportPlan,
    ReportPlanCreate,
    ReportPlanUpdate,
    ReportStatus,
)
from aimass_core.errors import ConflictError

_PATH, _PLANS = "/v1/reports", "/v1/report-plans"
_POLL_SECONDS = 1.0


class Report(contract.ReportDetail, Bound):
    """Data, training, scores, traffic, drift, spend and alarms of some days."""

    def refresh(self) -> Report:
        """As it is now, with fresh addresses."""
        return self._client.reports.get(self.id)

    def wait(self, *, timeout_seconds: float = 1_800, on_update: Callable[[Report], None] | None = None) -> Report:
        """Until it is made.

        Raises:
            ConflictError: It could not be made; the message says why.
            WaitTimeoutError: The time is over; its job goes on.
        """
        report, deadline = self, time.monotonic() + timeout_seconds
        while report.status is ReportStatus.PENDING:
            if time.monotonic() > deadline:
                raise WaitTimeoutError(f"The report {self.id} is not made after {timeout_seconds:g} s.")
            time.sleep(_POLL_SECONDS)
            report = report.refresh()
            if on_update:
                on_update(report)
        if report.status is ReportStatus.FAILED:
            raise ConflictError(f"The report {self.id} could not be made: {report.status_reason}")
        return report

    def save(self, path: str | Path) -> Path:
        """The file: PDF where the name ends so, else HTML. Waits until it is made."""
        target = Path(path)
        report = self.wait().refresh()
        url = report.pdf_url if target.suffix == ".pdf" else report.html_url
        if url is None:
            raise ConnectionFailedError(f"The report {self.id} has no such file.")
        target.write_bytes(self._client.http.fetch(url, name=target.name))
        return target


class ReportsApi(Api):
    """`client.reports`."""

    def create(self, *, model: str | None = None, days: int = 7, channels: list[str] | None = None) -> Report:
        """A report of the days until now, on the workspace or on one model; a job makes it."""
        return self._post(Report, _PATH, to_request(ReportCreate, model=model, days=days, channels=channels or []))

    def list(self) -> Pages[Report]:
        """Newest first."""
        return self._list(Report, _PATH)

    def get(self, report_id: str) -> Report:
        """Its figures, and where its files are read for an hour."""
        return self._get(Report, f"{_PATH}/{report_id}")

    def delete(self, report_id: str) -> None:
        """Its files stay among the artifacts of its job."""
        self._delete(f"{_PATH}/{report_id}")

    def plan(self, name: str, **options: Any) -> ReportPlan:
        """One every week.

        Args:
            name: Of the plan.
            **options: `model`, `days`, `channels`, `weekday` ("monday"), `hour` (in UTC).
        """
        return self._post(ReportPlan, _PLANS, to_request(ReportPlanCreate, name=name, **options))

    def plans(self) -> Pages[ReportPlan]:
        """Newest first."""
        return self._list(ReportPlan, _PLANS)

    def get_plan(self, plan: str) -> ReportPlan:
        """By name or id."""
        return self._get(ReportPlan, f"{_PLANS}/{plan}")

    def update_plan(self, plan: ReportPlan, **changes: Any) -> ReportPlan:
        """Changes what the next reports are. Raises StaleRevisionError where somebody else was faster."""
        body = to_request(ReportPlanUpdate, **changes)
        return self._patch(ReportPlan, f"{_PLANS}/{plan.id}", body, revision=plan.revision)

    def delete_plan(self, plan: str) -> None:
        """The reports that came of it stay."""
        self._delete(f"{_PLANS}/{plan}")
