"""Rollouts and live parameters from the outside: HTTP, the SDK and the command line, under requests that never fail."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

import aimass
from aimass_core.adapters.memory import MemoryPredictor
from aimass_core.errors import ConflictError, InvalidRequestError, NotFoundError, UnavailableError
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from aimass_core.services import endpoints, rollouts
from functions.predictions.app import make_handler
from tests.factories.served_models import picky_model, register_versions, table_model
from tests.functional.gateway import Answer, Api, Context, Gateway
from tests.functional.terminal import Run
from tests.functional.test_jobs import owner_of
from tests.functional.transport import InProcessTransport

PATH = "/v1/endpoints/adult"


class Stack(Gateway):
    """An API after each of whose requests dispatch hears of the endpoints that it has changed."""

    def send(self, *args: Any, **options: Any) -> Answer:
        answer = super().send(*args, **options)
        for status in ("CREATING", "UPDATING"):
            for row in self.ports.registry.query_status(f"ENDPOINT#{status}", limit=10):
                endpoints.activate(self.ports, row.data["workspace_id"], row.data["id"])
        return answer


@pytest.fixture
def gateway() -> Gateway:
    return Stack()


@pytest.fixture(autouse=True)
def serving(gateway: Gateway, tmp_path: Path) -> ServingEndpoints:
    """What serves in the predictions function, which reads the endpoint anew for each request."""
    serving = ServingEndpoints(gateway.ports, ModelStore(gateway.ports, tmp_path), endpoint_ttl_seconds=0.0)
    handler = make_handler(lambda: serving)
    gateway.predictions = handler
    gateway.ports.predictor = MemoryPredictor(lambda payload: handler(payload, cast(LambdaContext, Context())))
    return serving


@pytest.fixture(autouse=True)
def deployed(api: Api, serving: ServingEndpoints) -> None:
    """`adult@1`, which serves; `adult@2`, which fails on other cities than Oslo and Rome; and `adult@3`."""
    register_versions(api.ports, owner_of(api), table_model(), picky_model(), table_model(scale=1.0))
    api.post("/v1/endpoints", {"model": "adult@1"})
    assert api.get(PATH).json["status"] == "READY", api.get(PATH).text


@pytest.fixture
def client(api: Api, transport: InProcessTransport) -> Iterator[aimass.Client]:
    with aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test") as made:
        yield made


def roll_out(api: Api, model: str, **plan: Any) -> Answer:
    """Deploys by a plan."""
    body = {"model": model, "rollout": plan}
    changed = api.patch(PATH, body, revision=api.get(PATH).json["revision"])
    assert changed.status == 202, changed.text
    found = api.get(PATH)
    assert found.json["status"] == "ROLLING_OUT", found.text
    return found


def predict(api: Api, city: str) -> Answer:
    answer = api.post(f"{PATH}/predict", {"rows": [{"age": 39, "city": city}]})
    assert answer.status == 200, answer.text
    return answer


def follow(api: Api) -> None:
    """What the event of counts does."""
    rollouts.follow(api.ports, api.workspace.id, api.get(PATH).json["id"])


def test_g8_a_worse_version_is_rolled_back_and_no_request_fails(api: Api, serving: ServingEndpoints) -> None:
    roll_out(api, "adult@2", percent=50, guards={"max_error_rate": 0.05, "min_requests": 20})
    seen = set()
    for _ in range(60):
        seen.add(predict(api, "Oslo").headers["x-aimass-model"])
    assert seen == {"adult@1", "adult@2"}
    follow(api)
    assert api.get(PATH).json["status"] == "ROLLING_OUT", "so far it does well"
    for _ in range(30):
        answer = predict(api, "Paris")
        assert answer.json["predictions"][0]["label"] == "no"
    serving.counting.flush(now=True)
    counts = api.get(PATH).json["rollout_counts"]
    assert counts["candidate"]["errors"] > 2
    assert counts["stable"]["errors"] == 0
    follow(api)
    found = api.get(PATH).json
    assert (found["status"], found["rollout"], found["serving"]["number"]) == ("READY", None, 1)
    assert "Rolled back from adult@2 at 50 % to adult@1" in found["status_reason"]
    (event, *_) = api.get(f"{PATH}/history").json["items"]
    assert (event["action"], event["model"], event["counts"]) == ("rolled_back", "adult@2", counts)
    assert predict(api, "Oslo").headers["x-aimass-model"] == "adult@1"


def test_settings_hold_in_the_next_answer_and_are_taken_back(api: Api) -> None:
    def change(**settings: Any) -> Answer:
        return api.patch(PATH, {"settings": settings}, revision=api.get(PATH).json["revision"])

    assert predict(api, "Paris").json["predictions"][0]["label"] == "no"
    assert change(threshold=0.3).json["settings"]["version"] == 2
    assert predict(api, "Paris").json["predictions"][0]["label"] == "yes"
    back = api.post(f"{PATH}/revert", {})
    assert (back.status, back.json["settings"]["version"]) == (200, 3)
    assert predict(api, "Paris").json["predictions"][0]["label"] == "no"
    for wrong in ({"threshold": 2}, {"threads": 0}, {"workers": 1}, {}):
        refused = change(**wrong)
        assert refused.status == 422, refused.text
        assert refused.json["errors"][0]["location"].startswith("body.settings")
    assert api.post(f"{PATH}/revert", {"version": 9}).status == 404
    actions = [
        entry["action"] for entry in api.get("/v1/audit").json["items"] if entry["target_resource"] == "endpoint"
    ]
    assert actions[:2] == ["endpoint.settings"] * 2


def test_viewers_read_the_history_and_change_nothing(api: Api) -> None:
    viewer = api.as_role("viewer")
    assert [event["action"] for event in viewer.get(f"{PATH}/history").json["items"]] == ["deployed", "created"]
    for action in ("promote", "rollback", "revert"):
        assert viewer.post(f"{PATH}/{action}", {} if action == "revert" else None).status == 403
        assert api.as_stranger().post(f"{PATH}/{action}", {} if action == "revert" else None).status == 404


def test_the_sdk_rolls_out_promotes_and_rolls_back(api: Api, client: aimass.Client) -> None:
    endpoint = client.endpoints.deploy("adult@3", rollout={"strategy": "shadow", "percent": 100})
    assert (endpoint.status, endpoint.serving and endpoint.serving.ref) == ("ROLLING_OUT", "adult@1")
    assert endpoint.predict({"age": 39, "city": "Paris"}).model_version == 1
    assert endpoint.promote().serving == endpoint.rollout.model  # type: ignore[union-attr]
    assert endpoint.predict({"age": 39, "city": "Paris"}).model_version == 3
    back = endpoint.rollback()
    assert (back.serving and back.serving.ref, back.previous and back.previous.ref) == ("adult@1", "adult@3")
    assert [event.action for event in back.history()][:4] == ["rolled_back", "promoted", "rollout_started", "updating"]
    assert back.set(threshold=0.3).predict({"age": 39, "city": "Paris"}).predictions[0].label == "yes"
    assert client.endpoints.get("adult").revert().settings.threshold is None
    with pytest.raises(ConflictError, match="nothing to promote"):
        endpoint.promote()
    with pytest.raises(InvalidRequestError):
        client.endpoints.set("adult", threads=0)
    with pytest.raises(NotFoundError):
        client.endpoints.deploy("adult@3", name="nobody", rollout={})


def test_the_sdk_waits_for_the_end_of_a_rollout(api: Api, client: aimass.Client) -> None:
    endpoint = client.endpoints.deploy("adult@2", rollout={"percent": 100, "guards": {"min_requests": 1}})
    predict(api, "Paris")
    follow(api)
    with pytest.raises(UnavailableError, match="Rolled back from adult@2 at 100 % to adult@1"):
        endpoint.wait_rollout(timeout_seconds=120)


def test_the_command_line(api: Api, run: Run) -> None:
    ran = run("deploy", "adult@3", "--canary", "10", "--step", "20", "--every", "60s", "--guard", "p95-ms=50")
    assert ran.code == 0, ran.err
    assert "adult@3 canary at 10 %" in ran.out
    plan = api.get(PATH).json["rollout"]["plan"]
    assert (plan["step_percent"], plan["every_seconds"], plan["guards"]["max_p95_ms"]) == (20, 60, 50)
    shown = run("endpoints", "get", "adult")
    assert "0 requests, 0 failed" in shown.out
    assert "adult@3 canary at 30 %" in run("endpoints", "shift", "adult", "30").out
    assert api.get(PATH).json["rollout"]["percent"] == 30
    assert "adult@3" in run("endpoints", "promote", "adult").out
    ran = run("endpoints", "rollback", "adult")
    assert "Rolled back from adult@3 to adult@1" in ran.err
    assert "rollout_started" in run("endpoints", "history", "adult").out
    ran = run("endpoints", "set", "adult", "threshold=0.3", "capture.percent=5", "capture.hidden=age,city")
    assert ran.code == 0, ran.err
    assert "percent 5" in ran.out
    settings = json.loads(run("endpoints", "settings", "adult", "-o", "json").out)
    assert (settings["threshold"], settings["capture"]["hidden"]) == (0.3, ["age", "city"])
    assert run("endpoints", "revert", "adult", "--to", "1").code == 0
    assert api.get(PATH).json["settings"]["threshold"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("deploy", "adult@3", "--step", "20"), "belongs to a rollout"),
        (("deploy", "adult@3", "--canary", "10", "--shadow", "10"), "give one of --canary, --shadow"),
        (("deploy", "adult@3", "--canary", "10", "--guard", "speed=1"), "write each of error-rate, p95-ms"),
        (("deploy", "adult@3", "--canary", "10", "--every", "soon"), "is no duration"),
        (("endpoints", "set", "adult", "workers=2"), "is no setting"),
        (("endpoints", "set", "adult", "threads"), "is no setting"),
        (("endpoints", "set", "adult", "threads=1", "threads=2"), "comes more than once"),
    ],
)
def test_wrong_usage_says_what_to_write(run: Run, arguments: tuple[str, ...], words: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert words in " ".join(ran.err.replace("│", " ").split())
