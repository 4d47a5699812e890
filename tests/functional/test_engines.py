"""Engines from the outside: an endpoint moves to containers and back at one address, by HTTP, SDK and command line."""

from pathlib import Path
from typing import Any, cast

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

import aimass
from aimass.errors import WaitTimeoutError
from aimass_core.adapters.memory import MemoryPredictor
from aimass_core.errors import UnavailableError
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from aimass_core.services import endpoints
from functions.predictions.app import make_handler
from tests.factories.hosts import Containers
from tests.factories.served_models import register_fusion, register_versions, table_model
from tests.functional.gateway import Answer, Api, Context, Gateway
from tests.functional.terminal import Run
from tests.functional.test_jobs import owner_of
from tests.functional.transport import InProcessTransport

PATH = "/v1/endpoints/adult"
ROWS = [{"age": 40, "city": "Rome"}]


class Stack(Gateway):
    """An API after each of whose requests containers come up and dispatch hears of it, unless `is_held`."""

    containers: Containers
    is_held = False

    def send(self, *args: Any, **options: Any) -> Answer:
        answer = super().send(*args, **options)
        for status in () if self.is_held else ("CREATING", "UPDATING"):
            for row in self.ports.registry.query_status(f"ENDPOINT#{status}", limit=10):
                for _ in range(2):
                    endpoints.activate(self.ports, row.data["workspace_id"], row.data["id"])
                    self.containers.start_all()
        return answer


@pytest.fixture
def gateway(tmp_path: Path) -> Stack:
    made = Stack()
    made.containers = Containers(made.ports, tmp_path / "containers")
    serving = ServingEndpoints(made.ports, ModelStore(made.ports, tmp_path / "function"), endpoint_ttl_seconds=0.0)
    made.predictions = handler = make_handler(lambda: serving)
    made.ports.predictor = MemoryPredictor(lambda payload: handler(payload, cast(LambdaContext, Context())))
    return made


@pytest.fixture
def client(api: Api, transport: InProcessTransport) -> aimass.Client:
    return aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test")


def test_http_moves_an_endpoint_and_its_address_stays(api: Api) -> None:
    register_versions(api.ports, owner_of(api), table_model(), table_model(scale=1.0))
    made = api.post("/v1/endpoints", {"model": "adult@1", "engine": {"kind": "container", "instances": 2}})
    assert made.status == 202, made.text
    served = api.get(PATH).json["serving"]
    assert served["engine"] == {"kind": "container", "instance_type": None, "instances": 2}
    there = api.post(f"{PATH}/predict", {"rows": ROWS}).json
    revision = api.get(PATH).json["revision"]
    assert api.patch(PATH, {"engine": {"kind": "lambda"}}, revision=revision).status == 202
    found = api.get(PATH).json
    assert (found["status"], found["serving"]["host"], found["previous"]["host"]) == ("READY", None, served["host"])
    assert api.post(f"{PATH}/predict", {"rows": ROWS}).json == there
    assert api.post(f"{PATH}/rollback").status == 200
    assert api.get(PATH).json["serving"]["host"] == served["host"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"engine": {"kind": "container", "instance_type": "m5"}}, "body.engine.instance_type"),
        ({"engine": {"kind": "distributed"}}, "nothing to distribute"),
        ({"engine": {"kind": "lambda", "instances": 3}}, "the engine lambda has no machines"),
        ({"engine": {"kind": "container"}, "settings": {"threads": 2}}, "give one of"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(api: Api, body: dict[str, Any], words: str) -> None:
    register_versions(api.ports, owner_of(api), table_model())
    api.post("/v1/endpoints", {"model": "adult@1"})
    refused = api.patch(PATH, body, revision=api.get(PATH).json["revision"])
    assert refused.status == 422
    assert words in refused.text


def test_sdk_and_command_line_deploy_and_move(api: Api, run: Run, client: aimass.Client) -> None:
    register_versions(api.ports, owner_of(api), table_model(), table_model(scale=1.0))
    shown = run("deploy", "adult@1", "--engine", "container", "--instance-type", "ml.m5.xlarge")
    assert shown.code == 0, shown.err
    assert "container, 1 x ml.m5.xlarge" in shown.out
    endpoint = client.endpoints.deploy("adult@2")
    assert endpoint.serving is not None
    assert endpoint.serving.engine.instance_type == "ml.m5.xlarge", "another version stays on its engine"
    assert endpoint.predict(ROWS).model_version == 2
    updated = run("endpoints", "update", "adult", "--engine", "container", "--instances", "3")
    assert "container, 3 x ml.c5.large" in updated.out
    moved = client.endpoints.move("adult", "lambda")
    assert moved.serving is not None
    assert moved.serving.host is None
    listed = run("endpoints", "list")
    assert "lambda" in listed.out
    refused = run("endpoints", "update", "adult")
    assert refused.code == 2
    assert "either weights or an engine" in refused.err


def test_the_sdk_waits_for_machines_as_long_as_it_is_told(api: Api, gateway: Stack, client: aimass.Client) -> None:
    register_versions(api.ports, owner_of(api), table_model())
    gateway.is_held = True
    with pytest.raises(WaitTimeoutError, match="still CREATING"):
        client.endpoints.deploy("adult@1", engine="container", timeout_seconds=0)


def test_partial_answers_of_members_apart_are_marked(api: Api, gateway: Stack, client: aimass.Client) -> None:
    register_fusion(api.ports, owner_of(api), [0.75, 0.25])
    endpoint = client.endpoints.deploy("adult@9", engine="distributed", instance_type="ml.c5.large")
    assert endpoint.predict(ROWS).warnings == []
    endpoint.set(fan_out={"quorum": 1})
    gateway.containers.faults[2] = UnavailableError("nobody is there")
    assert endpoint.predict(ROWS).warnings == ["answered without the member adult@2: nobody is there"]
