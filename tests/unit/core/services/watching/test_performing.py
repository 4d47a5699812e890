"""Answers held against what became true: of numbers, by any form of a key, and in slices."""

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryBlobStore
from aimass_core.domain import keys
from aimass_core.domain.endpoint_watching import EndpointPerformance, TruthSource
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import ConflictError
from aimass_core.services.watching import captured, performing
from aimass_core.services.watching.spans import Span
from aimass_core.services.watching.truths import to_text
from tests.factories.served_models import FORECAST, deploy, endless_model, forecast_model, signature_of
from tests.unit.core.services.ingest.scene import Scene

NUMBERS = signature_of(ColumnType.NUMBER)


class Watched:
    """An endpoint of a regression whose captured rows a test writes."""

    def __init__(self, **served: Any) -> None:
        self.scene = Scene()
        self.scene.ports.lake = MemoryBlobStore("lake", clock=self.scene.clock)
        served = served or {"model": endless_model(), "signature": NUMBERS}
        self.endpoint = deploy(self.scene.ports, self.scene.principal.workspace_id, **served).endpoint

    def capture(self, rows: list[dict[str, Any]], *, by: str = "adult@1", age_hours: float = 0) -> None:
        """As the predictions function writes them."""
        at = self.scene.clock() - timedelta(hours=age_hours, minutes=1)
        lines = [{"served_at": at.isoformat(), "served_by": by, **row} for row in rows]
        key = keys.capture_object(
            self.endpoint.workspace_id, self.endpoint.id, at.date().isoformat(), f"{at:%H%M%S}-{len(rows)}{by}"
        )
        self.scene.ports.lake.put(key, gzip.compress("\n".join(map(json.dumps, lines)).encode()))

    def judge(self, truth: str) -> EndpointPerformance:
        """Against a file with the columns id and y."""
        dataset = self.scene.dataset("truth")
        self.scene.upload(dataset, truth.encode())
        self.scene.work()
        now = self.scene.clock()
        rows = captured.load(self.scene.ports, self.endpoint, Span(since=now - timedelta(hours=12), until=now))
        return performing.measure(self.scene.ports, rows, TruthSource(dataset="truth", key="id"))


def test_numbers_are_judged_by_their_errors() -> None:
    watched = Watched()
    watched.capture([{"id": number, "number": number, "served_answer": number + 0.5} for number in range(100)])
    found = watched.judge("id,y\n" + "".join(f"{number},{number}\n" for number in range(100)))
    assert found.metrics["rmse"] == found.metrics["mae"] == 0.5
    assert found.residuals is not None
    assert found.residuals.mean == 0.5
    assert (found.confusion_matrix, found.calibration) == (None, None)
    assert found.slices is not None
    assert {item.column for item in found.slices.items} == {"number"}
    assert not any(item.is_worse for item in found.slices.items)


def test_a_slice_that_does_worse_is_found() -> None:
    watched = Watched()
    watched.capture(
        [{"id": n, "number": n, "served_answer": n + (5 + n % 3 if n >= 75 else 0.1 * (n % 3))} for n in range(100)]
    )
    found = watched.judge("id,y\n" + "".join(f"{number},{number}\n" for number in range(100)))
    assert found.slices is not None
    worst = found.slices.items[0]
    assert (worst.values, worst.is_worse, worst.num_rows) == ("74 to 99", True, 25)


def test_rows_of_other_versions_and_of_other_times_are_left_out() -> None:
    watched = Watched()
    watched.capture([{"id": 1, "number": 1, "served_answer": 1}])
    watched.capture([{"id": 2, "number": 2, "served_answer": 2}], by="adult@7")
    watched.capture([{"id": 3, "number": 3, "served_answer": 3}], age_hours=13)
    found = watched.judge("id,y\n1,1\n2,2\n3,3\n")
    assert (found.num_captured, found.num_rows) == (1, 1)


def test_the_later_truth_of_a_key_counts_and_what_is_no_number_is_told() -> None:
    watched = Watched()
    watched.capture([{"id": "a", "number": 1, "served_answer": 1}, {"id": "b", "number": 2, "served_answer": None}])
    found = watched.judge("id,y\na,9\na,1\nb,2\n")
    assert (found.num_rows, found.metrics["rmse"]) == (1, 0)
    assert "1 rows became something that the model does not know" in found.notes[0]


def test_captured_rows_without_the_key_tell_how_to_keep_it() -> None:
    watched = Watched()
    watched.capture([{"number": 1, "served_answer": 1}])
    assert "capture.keys=id" in watched.judge("id,y\n1,1\n").notes[0]


def test_forecasts_are_not_judged_and_it_is_said() -> None:
    watched = Watched(model=forecast_model(), signature=FORECAST)
    watched.capture([{"id": 1, "served_answer": [1, 2]}])
    with pytest.raises(ConflictError, match="not judged yet"):
        watched.judge("id,y\n1,1\n")


@pytest.mark.parametrize(
    ("key", "text"), [(7, "7"), (7.0, "7"), (" 7 ", "7"), (7.5, "7.5"), (True, "true"), ("", None), (None, None)]
)
def test_keys_are_the_same_in_any_form(key: Any, text: str | None) -> None:
    assert to_text(key) == text
