"""How endpoints do: traffic, captured requests, drift, what became true, and alarms."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimass.binding import Api, to_request
from aimass_core.domain import datasets as dataset_contract
from aimass_core.domain.captures import CaptureExport
from aimass_core.domain.endpoint_watching import (
    AlarmLimits,
    EndpointDrift,
    EndpointMetrics,
    EndpointPerformance,
    EndpointWatch,
    TruthSource,
)

if TYPE_CHECKING:
    from aimass.resources.datasets import DatasetVersion, Frame

_PATH = "/v1/endpoints"


class EndpointWatchesApi(Api):
    """What `client.endpoints` knows of how they do."""

    def metrics(self, endpoint: str, *, last: timedelta = timedelta(hours=1)) -> EndpointMetrics:
        """Requests, errors, rows and times, up to now."""
        return self._get(EndpointMetrics, f"{_PATH}/{endpoint}/metrics", minutes=_to_minutes(last))

    def drift(self, endpoint: str, *, last: timedelta = timedelta(days=1)) -> EndpointDrift:
        """Of captured rows, and of the answers to them, from the training data."""
        return self._get(EndpointDrift, f"{_PATH}/{endpoint}/drift", minutes=_to_minutes(last))

    def performance(self, endpoint: str, *, last: timedelta = timedelta(days=7)) -> EndpointPerformance:
        """Live metrics: captured answers, held against what became true (see `truth`)."""
        return self._get(EndpointPerformance, f"{_PATH}/{endpoint}/performance", minutes=_to_minutes(last))

    def capture(
        self, endpoint: str, *, to: str, since: datetime | None = None, until: datetime | None = None, wait: bool = True
    ) -> DatasetVersion:
        """Makes a version of the dataset `to` from captured requests; its former content is replaced.

        Args:
            since: With its zone. Default: a week ago.
            until: Default: now.
            wait: Until the version is READY.
        """
        body = to_request(CaptureExport, dataset=to, since=since, until=until)
        made = self._post(dataset_contract.DatasetVersion, f"{_PATH}/{endpoint}/captures", body)
        version = self._client.datasets.get_version(made.dataset_id, made.number)
        return version.wait() if wait else version

    def truth(
        self,
        endpoint: str,
        source: str | Path | Frame | None = None,
        *,
        key: str,
        column: str | None = None,
        dataset: str | None = None,
    ) -> EndpointWatch:
        """Tells what became true of captured rows.

        Args:
            source: A file or data frame with the key and the truth, which is appended to the dataset. None: it is
                there.
            key: The column that says which row it is: one of the settings `capture.keys`, a column of the model, or
                `served_id`.
            column: What became true; default: the model's target.
            dataset: Where it is kept; default: `<endpoint>-truth`.
        """
        name = dataset or f"{endpoint}-truth"
        if source is not None:
            self._client.datasets.upload(source, name=name, append=True)
        body = to_request(TruthSource, dataset=name, key=key, column=column)
        return self._put(EndpointWatch, f"{_PATH}/{endpoint}/truth", body)

    def alarms(self, endpoint: str) -> EndpointWatch:
        """The limits, and which are passed."""
        return self._get(EndpointWatch, f"{_PATH}/{endpoint}/alarms")

    def set_alarms(self, endpoint: str, **limits: Any) -> EndpointWatch:
        """Instead of those that were; none: no alarms. The arguments are the fields of `AlarmLimits`."""
        return self._put(EndpointWatch, f"{_PATH}/{endpoint}/alarms", to_request(AlarmLimits, **limits))

    def save_report(self, endpoint: str, path: str | Path, *, last: timedelta = timedelta(days=1)) -> Path:
        """Everything of it as one page, complete in itself."""
        saved = Path(path)
        text = self._client.http.read_text(f"{_PATH}/{endpoint}/report.html", params={"minutes": _to_minutes(last)})
        saved.write_text(text, encoding="utf-8")
        return saved


def _to_minutes(last: timedelta) -> int:
    return max(1, round(last.total_seconds() / 60))
