"""Changes of live parameters: what is given changes, null brings back a default, what cannot be is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from aimass_core.domain.endpoint_settings import Batching, Capture, EndpointSettings, EndpointSettingsChange


def change(settings: EndpointSettings, **fields: Any) -> EndpointSettings:
    return EndpointSettingsChange.model_validate(fields).apply(settings)


def test_what_is_given_changes_and_null_brings_back_the_default() -> None:
    first = change(EndpointSettings(), threshold=0.7, threads=2, batching={"max_rows": 8})
    assert first == EndpointSettings(version=2, threshold=0.7, threads=2, batching=Batching(max_rows=8))
    second = change(first, threshold=None, batching={"max_wait_ms": 5}, capture={"percent": 1, "hidden": ["ssn"]})
    assert second.batching == Batching(max_rows=8, max_wait_ms=5)
    assert second.capture == Capture(percent=1, hidden=["ssn"])
    assert (second.version, second.threshold, second.threads) == (3, None, 2)
    assert change(second, capture={"percent": 2}).capture == Capture(percent=2, hidden=["ssn"])
    assert change(second, batching=None, capture=None).model_dump(exclude={"version"}) == EndpointSettings(
        threads=2
    ).model_dump(exclude={"version"})


def test_a_change_that_changes_nothing_is_no_version() -> None:
    settings = change(EndpointSettings(), threads=2)
    assert change(settings, threads=2) is settings


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"threads": 0},
        {"threads": 1_000},
        {"threshold": 0},
        {"threshold": 1},
        {"threshold": float("nan")},
        {"timeout_seconds": 0},
        {"batching": {"max_rows": 0}},
        {"capture": {"percent": 101}},
        {"sticky_by": "cookie"},
        {"sticky_by": "header:X-Customer"},
        {"log_level": "loud"},
        {"version": 7},
        {"workers": 2},
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EndpointSettingsChange.model_validate(fields)
