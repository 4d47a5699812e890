"""Large inputs by name, large answers by link, and answers that come later."""

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from aimass_core.adapters.memory import MemoryPredictor
from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.predictions import DeferredPrediction, DeferredStatus, PredictionInputCreate
from aimass_core.domain.signatures import Datatype
from aimass_core.errors import NotFoundError
from aimass_core.inference.limits import MAX_ANSWER_BYTES
from aimass_core.ports import SignedUrl
from aimass_core.services import predictions
from tests.factories.served_models import deploy, echo_model, echo_signature
from tests.unit.predictions.bench import Answer, Bench, age, city

LATER = {"prefer": "respond-async"}
ROWS = {"rows": [{"age": 39, "city": "Oslo"}]}


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, number=3)
    made.ports.predictor = MemoryPredictor(lambda payload: made.handler(payload, made.context))  # type: ignore[arg-type]
    return made


def run_started(bench: Bench) -> None:
    predictor = bench.ports.predictor
    assert isinstance(predictor, MemoryPredictor)
    predictor.run_started()


def caller_of(bench: Bench, workspace_id: str | None = None) -> Principal:
    workspace_id = workspace_id or bench.workspace_id
    return Principal(workspace_id=workspace_id, workspace_name="team", actor="key_1", role=Role.VIEWER)


def look(bench: Bench, answer: Answer) -> DeferredPrediction:
    assert answer.status == 202, answer.body
    assert answer.headers["location"] == f"/v1/predictions/{answer.json['id']}"
    return predictions.get(bench.ports, caller_of(bench), answer.json["id"])


def fetch(bench: Bench, url: str) -> bytes:
    """What a signed URL of the memory store leads to."""
    return bench.ports.lake.get(url.partition("?")[0].removeprefix("memory://lake/"))


def send_input(bench: Bench, body: bytes) -> str:
    asked = PredictionInputCreate(sha256=hashlib.sha256(body).hexdigest(), num_bytes=len(body))
    made = predictions.create_input(bench.ports, caller_of(bench), asked)
    assert made.request is not None
    signed = SignedUrl(method=made.request.method, url=made.request.url, headers=made.request.headers)
    assert bench.ports.lake.redeem(signed, body) == 200
    assert predictions.create_input(bench.ports, caller_of(bench), asked).request is None
    return asked.sha256


# --- later -----------------------------------------------------------------------------------------------------------


def test_prediction_is_answered_later_with_what_it_would_have_been_answered_now(bench: Bench) -> None:
    now = bench.post("/v1/endpoints/adult/predict", ROWS)
    asked = bench.post("/v1/endpoints/adult/predict", ROWS, **LATER)
    assert asked.headers["preference-applied"] == "respond-async"
    assert look(bench, asked).status is DeferredStatus.SUBMITTED
    run_started(bench)
    found = look(bench, asked)
    assert found.status is DeferredStatus.SUCCEEDED
    assert found.answer is not None
    assert found.answer.num_bytes == len(now.body)
    assert fetch(bench, found.answer.url) == now.body


def test_protocol_and_its_tensors_are_answered_later_too(bench: Bench) -> None:
    outputs = {"parameters": {"binary_data_output": True}}
    now = bench.infer(age(39), city("Oslo"), **outputs)
    asked = bench.post("/v2/models/adult/infer", {"inputs": [age(39), city("Oslo")], **outputs}, **LATER)
    run_started(bench)
    answer = look(bench, asked).answer
    assert answer is not None
    assert fetch(bench, answer.url) == now.body
    assert answer.content_type == "application/octet-stream"
    assert str(answer.header_bytes) == now.headers["inference-header-content-length"]


def test_what_is_wrong_with_a_request_is_told_later(bench: Bench) -> None:
    asked = bench.post("/v2/models/adult/infer", {"inputs": [age(39)]}, **LATER)
    run_started(bench)
    found = look(bench, asked)
    assert (found.status, found.code) == (DeferredStatus.FAILED, "invalid_request")
    assert "'city' is missing" in (found.status_reason or "")
    assert found.answer is None


def test_g14_client_that_was_cut_off_and_comes_again_with_its_key_is_answered_and_counted_once(bench: Bench) -> None:
    calls: list[Any] = []
    bench.ports.predictor = MemoryPredictor(lambda p: (calls.append(p), bench.handler(p, bench.context))[1])  # type: ignore[arg-type]
    headers = {**LATER, "idempotency-key": "one"}
    first, again = (bench.post("/v1/endpoints/adult/predict", ROWS, **headers) for _ in range(2))
    assert first.json == again.json
    run_started(bench)
    answered = look(bench, first)
    objects = list(bench.ports.lake.list(f"{keys.PREDICTIONS_PREFIX}{bench.workspace_id}/"))
    for payload in list(calls):
        bench.handler(payload, bench.context)  # type: ignore[arg-type]
    third = bench.post("/v1/endpoints/adult/predict", ROWS, **headers)
    assert look(bench, third).model_dump(exclude={"answer"}) == answered.model_dump(exclude={"answer"})
    assert list(bench.ports.lake.list(f"{keys.PREDICTIONS_PREFIX}{bench.workspace_id}/")) == objects
    other = bench.post("/v1/endpoints/adult/predict", {"rows": [{"age": 1}]}, **headers)
    assert other.json["id"] != first.json["id"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/nobody/infer", 404),
        ("/v1/endpoints/nobody/predict", 404),
        ("/v2/repository/index", 400),
        ("/v1/endpoints/adult/other", 422),
    ],
)
def test_what_cannot_be_answered_later_is_refused_at_once(bench: Bench, path: str, status: int) -> None:
    assert bench.post(path, {}, **LATER).status == status
    assert not list(bench.ports.lake.list(keys.PREDICTIONS_PREFIX))


def test_nothing_is_deferred_without_a_caller(bench: Bench) -> None:
    answer = bench.send("POST", "/v2/models/adult/infer", headers=LATER, workspace_id=None)
    assert answer.status == 401


def test_credentials_are_not_kept(bench: Bench) -> None:
    bench.post("/v1/endpoints/adult/predict", ROWS, **LATER, authorization="Bearer aim_secret", cookie="c=secret")
    kept = [bench.ports.lake.get(blob.key) for blob in bench.ports.lake.list(keys.PREDICTIONS_PREFIX)]
    assert kept
    assert not [body for body in kept if b"secret" in body]


def test_prediction_of_another_workspace_or_of_yesterday_does_not_exist(bench: Bench) -> None:
    asked = bench.post("/v1/endpoints/adult/predict", ROWS, **LATER)
    with pytest.raises(NotFoundError):
        predictions.get(bench.ports, caller_of(bench, "ws_other"), asked.json["id"])
    made = look(bench, asked)
    bench.ports.clock = lambda: made.created_at + timedelta(days=1, seconds=1)
    with pytest.raises(NotFoundError, match="kept for a day"):
        look(bench, asked)


def test_prediction_that_nobody_answered_has_failed_after_an_hour(bench: Bench) -> None:
    asked = bench.post("/v1/endpoints/adult/predict", ROWS, **LATER)
    made = look(bench, asked)
    bench.ports.clock = lambda: made.created_at + timedelta(minutes=59)
    assert look(bench, asked).status is DeferredStatus.SUBMITTED
    bench.ports.clock = lambda: made.created_at + timedelta(minutes=61)
    found = look(bench, asked)
    assert (found.status, found.code) == (DeferredStatus.FAILED, "deadline_exceeded")
    assert "Send fewer rows" in (found.status_reason or "")


# --- inputs ----------------------------------------------------------------------------------------------------------


def test_body_may_come_apart_from_its_request(bench: Bench) -> None:
    body = json.dumps(ROWS).encode()
    direct = bench.post("/v1/endpoints/adult/predict", ROWS)
    named = {"x-aimass-input": send_input(bench, body)}
    assert bench.send("POST", "/v1/endpoints/adult/predict", headers=named).body == direct.body
    later = bench.send("POST", "/v1/endpoints/adult/predict", headers={**named, **LATER})
    run_started(bench)
    answer = look(bench, later).answer
    assert answer is not None
    assert fetch(bench, answer.url) == direct.body


def test_larger_body_than_lambda_takes_is_answered(bench: Bench) -> None:
    rows = [{"age": 39, "city": "Oslo", "note": "x" * 800} for _ in range(10_000)]
    body = json.dumps({"rows": rows}).encode()
    assert len(body) > 8_000_000
    answer = bench.send("POST", "/v1/endpoints/adult/predict", headers={"x-aimass-input": send_input(bench, body)})
    assert answer.status == 200
    assert len(answer.json["predictions"]) == 10_000


@pytest.mark.parametrize(
    ("body", "name", "status", "word"),
    [
        (b"{}", "0" * 64, 400, "has a body, and names an input"),
        (b"", "0" * 64, 409, "has not arrived"),
        (b"", "../secrets", 400, "must be a SHA-256"),
    ],
)
def test_input_that_is_not_there_is_refused(bench: Bench, body: bytes, name: str, status: int, word: str) -> None:
    answer = bench.send("POST", "/v2/models/adult/infer", body=body, headers={"x-aimass-input": name})
    assert answer.status == status
    assert word in answer.error


def test_input_of_another_workspace_is_not_there(bench: Bench) -> None:
    sha256 = send_input(bench, json.dumps(ROWS).encode())
    deploy(bench.ports, "ws_other")
    headers = {"x-aimass-input": sha256}
    answer = bench.send("POST", "/v1/endpoints/adult/predict", headers=headers, workspace_id="ws_other")
    assert answer.status == 409


# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def echo() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, model=echo_model(Datatype.BYTES), signature=echo_signature(Datatype.BYTES))
    return made


def ask_back(echo: Bench, num_bytes: int, **fields: Any) -> Answer:
    data = ["x" * (num_bytes // 2)] * 2
    tensor = {"name": "in_BYTES", "datatype": "BYTES", "shape": [1, 2], "data": data}
    body = json.dumps({"inputs": [tensor], **fields}).encode()
    return echo.send("POST", "/v2/models/adult/infer", headers={"x-aimass-input": send_input(echo, body)})


def test_g13_answer_that_is_too_large_is_a_link(echo: Bench) -> None:
    answer = ask_back(echo, MAX_ANSWER_BYTES + 1_000)
    assert answer.status == 303
    assert answer.headers["location"] == answer.json["result_url"]
    assert "at most" in answer.json["error"].lower()
    content = fetch(echo, answer.json["result_url"])
    assert len(content) == answer.json["num_bytes"] > MAX_ANSWER_BYTES
    assert len(json.loads(content)["outputs"][0]["data"][0]) == MAX_ANSWER_BYTES // 2 + 500


def test_g13_binary_answer_is_a_link_as_soon_as_its_base64_would_be_too_large(echo: Bench) -> None:
    binary = {"parameters": {"binary_data_output": True}}
    assert ask_back(echo, MAX_ANSWER_BYTES // 4 * 3 - 1_000, **binary).status == 200
    answer = ask_back(echo, MAX_ANSWER_BYTES // 4 * 3 + 1_000, **binary)
    assert answer.status == 303
    content = fetch(echo, answer.json["result_url"])
    head = json.loads(content[: int(answer.headers["inference-header-content-length"])])
    assert head["outputs"][0]["parameters"]["binary_data_size"] == len(content) - answer.json["header_bytes"]


def test_g13_large_answer_of_rows_says_how_many_are_answered_directly(bench: Bench) -> None:
    rows = {"rows": [{"age": 10**9 + number, "city": "\U0001f600" * 300} for number in range(10_000)]}
    plain = bench.send(
        "POST", "/v1/endpoints/adult/predict", headers={"x-aimass-input": send_input(bench, json.dumps(rows).encode())}
    )
    assert plain.status == 303
    content = fetch(bench, plain.json["result_url"])
    assert len(json.loads(content)["predictions"]) == 10_000
    fits = int(0.9 * 10_000 * MAX_ANSWER_BYTES / len(content))
    assert f"At most {fits} rows per request" in plain.json["detail"]


def test_numpy_and_base64_agree_on_the_size_of_an_answer() -> None:
    for length in np.random.default_rng(0).integers(0, 100, 50):
        assert 4 * -(-int(length) // 3) == len(base64.b64encode(bytes(int(length))))
