"""Quality: what is expected of datasets, what was found at each version, and how that changes."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aimass.binding import Api, to_request
from aimass.errors import WaitTimeoutError
from aimass.resources.datasets import Dataset
from aimass_core.domain.common import split_ref
from aimass_core.domain.datasets import DatasetUpdate
from aimass_core.domain.quality import AnyExpectation, ExpectationSet, QualityReport, QualityTrend
from aimass_core.errors import NotFoundError

_PATH = "/v1/datasets"
_POLL_SECONDS = 0.5


class QualityApi(Api):
    """`client.quality`. A reference is `adult` (its latest version) or `adult@3`."""

    def suggest(self, reference: str) -> ExpectationSet:
        """What the profile of a version suggests to expect. Nothing is changed."""
        return self._get(ExpectationSet, f"{self._version_path(reference)}/expectations")

    def set(self, dataset: str, expectations: ExpectationSet | Iterable[Mapping[str, Any] | AnyExpectation]) -> Dataset:
        """Replaces what is expected of a dataset, from its next version on.

        Raises InvalidRequestError for an expectation that cannot be understood.
        """
        chosen = expectations.expectations if isinstance(expectations, ExpectationSet) else list(expectations)
        found = self._client.datasets.get(dataset)
        to_request(DatasetUpdate, expectations=chosen)
        return self._client.datasets.update(found, expectations=chosen)

    def report(self, reference: str) -> QualityReport:
        """What was found at a version, also at one that was rejected for it. Raises NotFoundError."""
        return self._get(QualityReport, f"{self._version_path(reference)}/quality")

    def trend(self, dataset: str, *, limit: int = 20) -> QualityTrend:
        """What is expected now, and what was observed of the newest versions, oldest first."""
        return self._get(QualityTrend, f"{_PATH}/{dataset}/quality", limit=limit)

    def save_page(self, reference: str, path: str | Path) -> Path:
        """The report as a page with charts and the trend."""
        saved = Path(path)
        text = self._client.http.read_text(f"{self._version_path(reference)}/quality.html")
        saved.write_text(text, encoding="utf-8")
        return saved

    def check(self, reference: str, *, timeout_seconds: float = 600.0) -> QualityReport:
        """Checks a version again, against what is expected now, and waits for the report.

        Raises WaitTimeoutError when the time is over; the check goes on.
        """
        path = self._version_path(reference)
        former = self._find_report(path)
        self._client.http.request("POST", f"{path}/quality")
        deadline = time.monotonic() + timeout_seconds
        while True:
            report = self._find_report(path)
            if report is not None and (former is None or report.checked_at > former.checked_at):
                return report
            if time.monotonic() > deadline:
                raise WaitTimeoutError(f"{reference} is still being checked after {timeout_seconds:g} s.")
            time.sleep(_POLL_SECONDS)

    def _find_report(self, path: str) -> QualityReport | None:
        try:
            return self._get(QualityReport, f"{path}/quality")
        except NotFoundError:
            return None

    def _version_path(self, reference: str) -> str:
        name, number = split_ref(reference)
        if number is None:
            dataset = self._client.datasets.get(name)
            number = dataset.latest_version or dataset.last_number
            if not number:
                raise NotFoundError(f"The dataset {name!r} has no version yet.")
        return f"{_PATH}/{name}/versions/{number}"
