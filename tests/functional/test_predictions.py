"""Stock clients against the real handlers: Triton's with its defaults over a real socket, the SDK, and plain JSON."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

import aimass
from aimass_core.domain.common import utc_now
from aimass_core.inference.serving.endpoints import ServingEndpoints
from aimass_core.inference.serving.store import ModelStore
from functions.predictions.app import make_handler
from tests.factories.served_models import IMAGES, deploy, image_model, table_probability
from tests.functional.gateway import Api, Gateway
from tests.functional.transport import InProcessTransport
from tests.unit.batch_jobs.channel_files import encode_png

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    made = Gateway()
    endpoints = ServingEndpoints(made.ports, ModelStore(made.ports, tmp_path), endpoint_ttl_seconds=2.0)
    made.predictions = make_handler(lambda: endpoints)
    return made


@pytest.fixture
def deployed(api: Api) -> Api:
    deploy(api.ports, api.workspace.id, number=3)
    return api


@pytest.fixture
def address(gateway: Gateway) -> Iterator[str]:
    """The gateway on a port of 127.0.0.1."""

    class Bridge(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing."""

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            answer = gateway.send(self.command, self.path, headers=dict(self.headers.items()), body=body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bridge)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(address: str) -> Iterator[triton.InferenceServerClient]:
    made = triton.InferenceServerClient(address)
    yield made
    made.close()


def headers_of(api: Api) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.token}"}


def to_inputs(ages: list[float], cities: list[str], *, binary: bool = True) -> list[triton.InferInput]:
    inputs = []
    for name, datatype, values in (
        ("age", "FP32", np.array(ages, np.float32)),
        ("city", "BYTES", np.array([city.encode() for city in cities], np.object_)),
    ):
        tensor = triton.InferInput(name, [len(values), 1], datatype)
        tensor.set_data_from_numpy(values.reshape(-1, 1), binary_data=binary)
        inputs.append(tensor)
    return inputs


def test_tritonclient_with_its_defaults(client: triton.InferenceServerClient, deployed: Api) -> None:
    headers = headers_of(deployed)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("adult", headers=headers)
    assert client.is_model_ready("adult", "3", headers=headers)
    assert not client.is_model_ready("adult", "4", headers=headers)
    assert not client.is_model_ready("nobody", headers=headers)
    assert client.get_server_metadata(headers=headers)["name"] == "aimass"
    metadata = client.get_model_metadata("adult", headers=headers)
    assert [each["name"] for each in metadata["inputs"]] == ["age", "city"]
    config = client.get_model_config("adult", headers=headers)
    assert [each["data_type"] for each in config["input"]] == ["TYPE_FP32", "TYPE_STRING"]

    answer = client.infer("adult", to_inputs([39, np.nan], ["Oslo", "Rome"]), headers=headers, request_id="7")
    assert answer.as_numpy("label").tolist() == [b"yes", b"yes"]
    wanted = [table_probability(39, "Oslo"), table_probability(None, "Rome")]
    assert answer.as_numpy("probabilities")[:, 1] == pytest.approx(wanted, abs=1e-6)
    assert answer.get_response()["id"] == "7"
    assert answer.get_response()["model_version"] == "3"

    statistics = client.get_inference_statistics("adult", headers=headers)
    assert statistics["model_stats"][0]["inference_count"] == 2
    assert client.get_model_repository_index(headers=headers)[0]["name"] == "adult"


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_tritonclient_gets_the_same_in_every_form(
    client: triton.InferenceServerClient, deployed: Api, *, binary_in: bool, binary_out: bool
) -> None:
    outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("probabilities", "label")]
    answer = client.infer(
        "adult",
        to_inputs([39], ["Åre"], binary=binary_in),
        model_version="3",
        outputs=outputs,
        headers=headers_of(deployed),
    )
    assert answer.as_numpy("probabilities")[0, 1] == pytest.approx(table_probability(39, "Åre"), abs=1e-6)
    assert answer.as_numpy("label")[0] == (b"no" if binary_out else "no")


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_tritonclient_compresses_both_ways(client: triton.InferenceServerClient, deployed: Api, algorithm: str) -> None:
    answer = client.infer(
        "adult",
        to_inputs([39.0] * 500, ["Oslo"] * 500),
        headers=headers_of(deployed),
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )
    assert answer.as_numpy("probabilities")[:, 1] == pytest.approx([table_probability(39, "Oslo")] * 500, abs=1e-6)


def test_tritonclient_asks_for_classes_and_manages_models(client: triton.InferenceServerClient, deployed: Api) -> None:
    headers = headers_of(deployed)
    outputs = [triton.InferRequestedOutput("probabilities", class_count=1)]
    answer = client.infer("adult", to_inputs([39], ["Oslo"]), outputs=outputs, headers=headers)
    assert answer.as_numpy("probabilities")[0, 0].endswith(b":1:yes")
    client.load_model("adult", headers=headers)
    client.unload_model("adult", headers=headers)
    assert client.is_model_ready("adult", headers=headers)
    assert client.get_log_settings(headers=headers)["log_info"] is True
    assert client.get_trace_settings("adult", headers=headers)["trace_level"] == ["OFF"]
    with pytest.raises(InferenceServerException, match="cannot be changed"):
        client.update_log_settings({"log_verbose_level": 4}, headers=headers)


def test_tritonclient_asks_many_at_once(address: str, deployed: Api) -> None:
    with triton.InferenceServerClient(address, concurrency=4) as client:
        asked = [client.async_infer("adult", to_inputs([n], ["Oslo"]), headers=headers_of(deployed)) for n in range(12)]
        answers = [each.get_result().as_numpy("probabilities")[0, 1] for each in asked]
    assert answers == pytest.approx([table_probability(n, "Oslo") for n in range(12)], abs=1e-6)


def test_tritonclient_shows_what_is_wrong(client: triton.InferenceServerClient, deployed: Api) -> None:
    headers = headers_of(deployed)
    with pytest.raises(InferenceServerException, match=r"\[400\] The input 'city' is missing"):
        client.infer("adult", to_inputs([39], ["Oslo"])[:1], headers=headers)
    with pytest.raises(InferenceServerException, match=r"\[404\]"):
        client.infer("nobody", to_inputs([39], ["Oslo"]), headers=headers)
    with pytest.raises(InferenceServerException, match=r"\[404\]"):
        client.infer("adult", to_inputs([39], ["Oslo"]), headers=headers_of(deployed.as_stranger()))
    with pytest.raises(InferenceServerException, match=r"\[401\]"):
        client.infer("adult", to_inputs([39], ["Oslo"]))


def test_sdk_json_and_csv_get_the_same_answer(deployed: Api, transport: InProcessTransport) -> None:
    rows = [{"age": 39, "city": "Oslo"}, {"age": 20, "city": "Rome"}]
    with aimass.Client(transport=transport, api_key=deployed.token, base_url="http://aimass.test") as sdk:
        typed = sdk.endpoints.predict("adult", rows)
    plain = deployed.post("/v1/endpoints/adult/predict", {"rows": rows})
    assert plain.json == typed.model_dump(mode="json")
    text = b"age,city\n39,Oslo\n20,Rome\n"
    headers: dict[str, str | list[str]] = {"Content-Type": "text/csv"}
    csv = deployed.request("POST", "/v1/endpoints/adult/predict", body=text, headers=headers)
    assert csv.json == plain.json
    assert [each.probability for each in typed.predictions] == pytest.approx(
        [table_probability(39, "Oslo"), table_probability(20, "Rome")], abs=1e-6
    )


def test_sdk_sends_images_as_bytes_of_a_frame_and_of_records(deployed: Api, transport: InProcessTransport) -> None:
    deploy(deployed.ports, deployed.workspace.id, name="light", model=image_model(), signature=IMAGES)
    images = [encode_png(np.full((4, 6), value, np.uint8)) for value in (0, 50, 250)]
    frame = pd.DataFrame({"image": images, "name": ["a", None, "c"], 7: [1, 2, 3]})
    with aimass.Client(transport=transport, api_key=deployed.token, base_url="http://aimass.test") as sdk:
        of_frame = sdk.endpoints.predict("light", frame)
        of_records = sdk.endpoints.predict("light", [{"image": image} for image in images])
        with pytest.raises(TypeError, match="is a datetime, which no row can have"):
            sdk.endpoints.predict("light", [{"image": utc_now()}])
    assert [each.value for each in of_frame.predictions] == [0, 50, 250]
    assert of_records.predictions == of_frame.predictions
    assert frame["image"].tolist() == images


def test_viewers_may_predict_and_nobody_else_may(deployed: Api) -> None:
    body = {"rows": [{"age": 1}]}
    assert deployed.as_role("viewer").post("/v1/endpoints/adult/predict", body).status == 200
    assert deployed.as_nobody().post("/v1/endpoints/adult/predict", body).status == 401
    assert deployed.as_stranger().post("/v1/endpoints/adult/predict", body).status == 404


def test_key_with_a_limit_is_told_when_to_come_again(deployed: Api) -> None:
    now = utc_now()
    deployed.ports.clock = lambda: now
    limits = {"max_requests_per_second": 0.2, "max_requests_per_day": 1_000}
    made = deployed.post("/v1/api-keys", {"name": "slow", "role": "viewer", **limits})
    assert made.json["max_requests_per_second"] == 0.2
    slow = Api(gateway=deployed.gateway, workspace=deployed.workspace, token=made.json["secret"])
    body = {"rows": [{"age": 1}]}
    answers = [slow.post("/v1/endpoints/adult/predict", body) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    refused = answers[-1]
    assert refused.code == "quota_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 11
    assert "0.2 requests a second" in slow.get("/v2/models/adult").json["error"]
    assert deployed.post("/v1/endpoints/adult/predict", body).status == 200
    assert deployed.post("/v1/api-keys", {"name": "none", "role": "viewer", "max_requests_per_day": 0}).status == 422


def test_an_endpoint_answers_guests_by_its_id_until_the_grant_is_taken_back(deployed: Api) -> None:
    stranger = deployed.as_stranger()
    endpoint_id = deployed.get("/v1/endpoints/adult").json["id"]
    path, body = f"/v1/endpoints/{endpoint_id}/predict", {"rows": [{"age": 39.0, "hours": 40.0, "city": "north"}]}
    own = deployed.post(path, body)
    assert own.status == 200, own.text
    assert stranger.post(path, body).status == 404
    assert deployed.put(f"/v1/endpoints/adult/grants/{stranger.workspace.id}", {"verb": "read"}).status == 200
    answered = stranger.post(path, body)
    assert (answered.status, answered.json["predictions"]) == (200, own.json["predictions"])
    assert stranger.post("/v1/endpoints/adult/predict", body).status == 404, "names are of a workspace"
    other = deployed.as_stranger()
    assert other.post(path, body).status == 404
