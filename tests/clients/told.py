"""What the program of each client prints: the same, whatever its language."""

import json
from typing import Any

import pytest


def check(printed: str, *, created: str) -> None:
    """A dataset that was made, the list, a problem as such, and what the endpoint answered."""
    told: dict[str, Any] = json.loads(printed)
    assert told["created"] == [201, created]
    assert {created, "loans"} <= set(told["listed"])
    assert told["problem"] == [404, "not_found"]
    assert told["outputs"]["label"][0] in ("no", "yes")
    assert sum(told["outputs"]["probabilities"]) == pytest.approx(1, abs=1e-5)
