"""Weights of a fusion that is served apart: over HTTP, by the SDK and by the command line, in answers at once."""

from pathlib import Path

import pytest

import aimass
from aimass_core.adapters.memory import MemoryPredictor
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from aimass_core.services import endpoints
from functions.predictions.app import make_handler
from tests.factories.served_models import register_fusion
from tests.functional.gateway import Api, Context, Gateway
from tests.functional.terminal import Run
from tests.functional.test_jobs import owner_of
from tests.functional.transport import InProcessTransport


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    """Whose predictions function reads the endpoint anew for each request."""
    made = Gateway()
    serving = ServingEndpoints(made.ports, ModelStore(made.ports, tmp_path), endpoint_ttl_seconds=0.0)
    made.predictions = make_handler(lambda: serving)
    made.ports.predictor = MemoryPredictor(lambda payload: made.predictions(payload, Context()))
    return made


@pytest.fixture(autouse=True)
def deployed(api: Api) -> None:
    """`adult@9` of `adult@1` and `adult@2`, which count 3 and 1."""
    register_fusion(api.ports, owner_of(api), [0.75, 0.25])
    made = api.post("/v1/endpoints", {"model": "adult@9"})
    assert made.status == 202, made.text
    endpoints.activate(api.ports, api.workspace.id, made.json["id"])
    assert api.get("/v1/endpoints/adult").json["status"] == "READY"


def ask(api: Api) -> float:
    """`yes` of a row that the members see differently."""
    answer = api.post("/v1/endpoints/adult/predict", {"rows": [{"age": 40, "city": "Oslo"}]})
    assert answer.status == 200, answer.text
    probability: float = answer.json["predictions"][0]["probabilities"]["yes"]
    return probability


def test_weights_hold_at_once_are_seen_and_taken_back(api: Api) -> None:
    before, revision = ask(api), api.get("/v1/endpoints/adult").json["revision"]
    changed = api.patch("/v1/endpoints/adult", {"weights": {"adult@1": 0, "adult@2": 1}}, revision=revision)
    assert changed.status == 202, changed.text
    assert changed.json["weights"] == {"adult@1": 0.0, "adult@2": 1.0}
    assert [member["weight"] for member in changed.json["serving"]["members"]] == [0.75, 0.25]
    assert ask(api) > before + 0.1
    stale = api.patch("/v1/endpoints/adult", {"weights": None}, revision=revision)
    assert (stale.status, stale.code) == (412, "stale_revision")
    assert api.patch("/v1/endpoints/adult", {"weights": None}, revision=revision + 1).status == 202
    assert ask(api) == pytest.approx(before)
    assert api.get("/v1/endpoints/adult").json["weights"] is None


def test_viewers_may_not_change_them(api: Api) -> None:
    viewer = api.as_role("viewer")
    assert viewer.patch("/v1/endpoints/adult", {"weights": {"adult@1": 1, "adult@2": 1}}, revision=1).status == 403


@pytest.mark.parametrize("weights", [{"adult@1": 1}, {"adult@1": -1, "adult@2": 1}, {"adult@1": 0, "adult@2": 0}, {}])
def test_bad_weights_say_where_they_are_wrong(api: Api, weights: dict[str, float]) -> None:
    revision = api.get("/v1/endpoints/adult").json["revision"]
    refused = api.patch("/v1/endpoints/adult", {"weights": weights}, revision=revision)
    assert refused.status == 422, refused.text
    assert refused.json["errors"][0]["location"].startswith("body.weights")


def test_members_stay_while_the_fusion_is_served(api: Api) -> None:
    assert api.delete("/v1/models/adult/versions/2").status == 409


def test_sdk_and_command_line_change_them(api: Api, run: Run, transport: InProcessTransport) -> None:
    with aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test") as client:
        endpoint = client.endpoints.get("adult").update(weights={"adult@1": 1, "adult@2": 3})
        assert endpoint.weights == {"adult@1": 1.0, "adult@2": 3.0}
        shown = run("endpoints", "get", "adult")
        assert "adult@1=1, adult@2=3 (changed)" in shown.out
        ran = run("endpoints", "update", "adult", "--weights", "adult@1=0.7,adult@2=0.3")
        assert ran.code == 0, ran.err
        assert client.endpoints.get("adult").weights == {"adult@1": 0.7, "adult@2": 0.3}
        ran = run("endpoints", "update", "adult", "--weights", "fitted")
        assert "adult@1=0.75, adult@2=0.25 (fitted)" in ran.out
        assert client.endpoints.get("adult").weights is None
    for text in ("adult@1", "adult@1=much", "adult@1=1,adult@1=2", "=1"):
        wrong = run("endpoints", "update", "adult", "--weights", text)
        assert wrong.code == 2
        assert "write each member once" in wrong.err
