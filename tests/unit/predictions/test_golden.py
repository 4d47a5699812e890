"""What the platform asks before an endpoint becomes ready."""

from typing import Any

import pytest

from aimass_core.errors import UnavailableError
from tests.factories.served_models import Deployed, deploy, table_probability
from tests.unit.predictions.bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def deployed(bench: Bench) -> Deployed:
    return deploy(bench.ports, bench.workspace_id)


def ask(bench: Bench, deployed: Deployed, **changes: Any) -> dict[str, Any]:
    payload = {
        "workspace_id": bench.workspace_id,
        "model_id": deployed.version.model_id,
        "number": deployed.version.number,
        "digest": deployed.version.digest,
        "inputs": {"age": [[39.0], [None]], "city": [["Oslo"], ["Rome"]]},
        **changes,
    }
    return bench.handler(payload, bench.context)  # type: ignore[arg-type]


def test_golden_request_gets_the_outputs_as_nested_lists(bench: Bench, deployed: Deployed) -> None:
    outputs = ask(bench, deployed)["outputs"]
    assert outputs["label"] == ["yes", "yes"]
    scores = [table_probability(39, "Oslo"), table_probability(None, "Rome")]
    assert outputs["probabilities"] == [[pytest.approx(1 - p), pytest.approx(p)] for p in scores]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"digest": "0" * 64}, "another digest"),
        ({"number": 7}, "it is gone"),
        ({"workspace_id": "ws_other"}, "it is gone"),
        ({"inputs": {"age": [[1.0]]}}, "other inputs"),
        ({"inputs": {"age": [["old"]], "city": [["Oslo"]]}}, "'age' must be FP32"),
    ],
    ids=str,
)
def test_what_speaks_against_the_model_is_an_error(
    bench: Bench, deployed: Deployed, changes: dict[str, Any], word: str
) -> None:
    error = ask(bench, deployed, **changes)["error"]
    assert word in error["message"]
    assert error["code"] in ("unavailable", "invalid_request")


def test_what_is_no_fault_of_the_model_is_raised(
    bench: Bench, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(key: str) -> bytes:
        raise UnavailableError("The blob store is busy. Try again.")

    monkeypatch.setattr(bench.ports.lake, "get", away)
    with pytest.raises(UnavailableError):
        ask(bench, deployed)
