"""The Open Inference Protocol in JSON, and everything that may be wrong with a request."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.factories.served_models import deploy, table_probability
from tests.unit.predictions.bench import Bench, age, city


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, number=3)
    return made


def outputs_of(document: dict[str, Any]) -> dict[str, Any]:
    return {output["name"]: output for output in document["outputs"]}


def test_inference_answers_with_names_version_and_id(bench: Bench) -> None:
    answer = bench.infer(age(39, None), city("Oslo", "Rome"), id="42")
    assert answer.status == 200
    document = answer.json
    assert document["model_name"] == "adult"
    assert document["model_version"] == "3"
    assert document["id"] == "42"
    outputs = outputs_of(document)
    assert outputs["label"] == {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["yes", "yes"]}
    assert outputs["probabilities"]["shape"] == [2, 2]
    wanted = [table_probability(39, "Oslo"), table_probability(None, "Rome")]
    assert outputs["probabilities"]["data"][1::2] == pytest.approx(wanted, abs=1e-6)


def test_nested_data_is_the_same_as_flat(bench: Bench) -> None:
    flat = bench.infer(age(20, 30), city("Oslo", "Rome"))
    nested = bench.infer(age(20, 30, data=[[20], [30]]), city("Oslo", "Rome", data=[["Oslo"], ["Rome"]]))
    assert nested.status == 200
    assert nested.json == flat.json


def test_only_the_outputs_that_are_asked_for_come(bench: Bench) -> None:
    answer = bench.infer(age(39), city("Oslo"), outputs=[{"name": "probabilities"}])
    assert list(outputs_of(answer.json)) == ["probabilities"]


def test_version_is_part_of_the_path(bench: Bench) -> None:
    body = {"inputs": [age(39), city("Oslo")]}
    assert bench.post("/v2/models/adult/versions/3/infer", body).json["model_version"] == "3"
    answer = bench.post("/v2/models/adult/versions/2/infer", body)
    assert answer.status == 404
    assert "serves version 3, not 2" in answer.error


def test_g12_values_unlike_training_are_answered_with_warnings(bench: Bench) -> None:
    answer = bench.infer(age(39, 200, None), city("Paris", "Oslo", None))
    assert answer.status == 200
    warnings = answer.json["parameters"]["warnings"]
    assert "row 0: city: 'Paris' did not occur in training" in warnings
    assert "row 1: age: 200 is outside of the training data (17 to 90)" in warnings
    assert "row 2: every value is missing" in warnings


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([age(39)], ["'city' is missing", "BYTES of shape [any, 1]"]),
        ([age(39), city("Oslo"), {**city("x"), "name": "zip"}], ["no input 'zip'", "'age', 'city'"]),
        ([age(39), age(39), city("Oslo")], ["'age' comes more than once"]),
        ([age(39, datatype="INT64"), city("Oslo")], ["'age' must be FP32 of shape [any, 1], not INT64"]),
        ([age(39, shape=[1]), city("Oslo")], ["'age' must be FP32 of shape [any, 1]", "shape [1]"]),
        ([age(39, shape=[-1, 1]), city("Oslo")], ["shape [-1, 1]"]),
        ([age(39, shape=[1, 2]), city("Oslo")], ["shape [1, 2]"]),
        ([age(39, shape=[2, 1]), city("Oslo")], ["does not hold 1 values"]),
        ([age("39"), city("Oslo")], ["numbers", "'39' (str)"]),
        ([age(True), city("Oslo")], ["'True' (bool)"]),
        ([age(1e39), city("Oslo")], ["infinite, or too large"]),
        ([age(10**400), city("Oslo")], ["too large"]),
        ([age(39), city(5)], ["strings", "'5' (int)"]),
        ([age(), city()], ["at least one row"]),
        ([age(39, 40), city("Oslo")], ["differ in their number of rows: 'age' 2, 'city' 1"]),
        ([age([39], 40), city("Oslo", "Rome")], ["mixes lists and values"]),
        ([{**age(39), "data": None}, city("Oslo")], ["'age'", "no list of data"]),
        ([{**age(39), "data": {"0": 39}}, city("Oslo")], ["'age'", "no list of data"]),
    ],
    ids=str,
)
def test_g1_wrong_input_is_refused_with_its_name_and_what_it_should_be(
    bench: Bench, inputs: list[dict[str, Any]], words: list[str]
) -> None:
    answer = bench.infer(*inputs)
    assert answer.status == 400
    for word in words:
        assert word in answer.error


def test_g1_a_million_rows_are_refused_before_they_are_looked_at(bench: Bench) -> None:
    answer = bench.infer(age(1.0, shape=[1_000_000, 1]), city("Oslo", shape=[1_000_000, 1]))
    assert answer.status == 413
    assert "at most 10000" in answer.error


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"outputs": [{"name": "logits"}]}, "no output 'logits'"),
        ({"outputs": [{"name": "label", "parameters": {"classification": 2}}]}, "cannot be given as classes"),
        ({"outputs": [{"name": "probabilities", "parameters": {"classification": "2"}}]}, "number of classes"),
        ({"outputs": [{"name": "probabilities", "parameters": {"classification": -1}}]}, "number of classes"),
        ({"outputs": [{"name": "label", "parameters": {"binary_data": 1}}]}, "must be true or false"),
        ({"parameters": {"binary_data_output": "yes"}}, "must be true or false"),
        ({"parameters": {"sequence_id": 7}}, "sequence"),
        ({"surprise": 1}, "surprise"),
        ({"id": 7}, "id"),
        ({"inputs": None}, "inputs"),
        ({"inputs": []}, "'age' is missing"),
    ],
    ids=str,
)
def test_what_is_not_served_is_refused_and_not_ignored(bench: Bench, fields: dict[str, Any], word: str) -> None:
    answer = bench.infer(age(39), city("Oslo"), **fields)
    assert answer.status == 400
    assert word in answer.error


def test_hints_without_effect_are_told(bench: Bench) -> None:
    answer = bench.infer(age(39), city("Oslo"), parameters={"priority": 1, "timeout": 1000})
    assert "priority, timeout have no effect" in answer.json["parameters"]["warnings"]


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b'{"inputs": [{"data": [NaN]}]}', b"\xff\xfe", b'{"id":"a","id":"b"}'], ids=str
)
def test_body_that_is_no_request_is_refused(bench: Bench, body: bytes) -> None:
    answer = bench.send("POST", "/v2/models/adult/infer", body=body)
    assert answer.status == 400
    assert answer.error


def test_g2_oversized_body_is_refused_before_it_is_parsed(bench: Bench) -> None:
    answer = bench.send("POST", "/v2/models/adult/infer", body=b" " * (6 * 1024**2 + 1))
    assert answer.status == 413


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2", 200),
        ("/v2/health/live", 200),
        ("/v2/health/ready", 200),
        ("/v2/models/adult", 200),
        ("/v2/models/adult/versions/3", 200),
        ("/v2/models/adult/ready", 200),
        ("/v2/models/adult/versions/3/ready", 200),
        ("/v2/models/adult/config", 200),
        ("/v2/models/adult/stats", 200),
        ("/v2/models/stats", 200),
        ("/v2/models/nobody", 404),
        ("/v2/models/nobody/ready", 404),
        ("/v2/models/adult/versions/4/ready", 404),
        ("/v2/models/adult/versions/zero", 404),
        ("/v2/models/adult/load", 404),
        ("/v2/models", 404),
        ("/v2/models/", 404),
        ("/v2/logging", 200),
        ("/v2/trace/setting", 200),
        ("/v2/models/adult/trace/setting", 200),
        ("/v2/models/nobody/trace/setting", 404),
        ("/v2/repository/models/adult/load", 405),
        ("/v2/repository/models/adult/unload", 405),
        ("/v2/repository/models/adult/reload", 404),
        ("/v2/models/adult/infer", 405),
        ("/v2/repository/index", 405),
    ],
)
def test_every_address_answers_as_the_protocol_says(bench: Bench, path: str, status: int) -> None:
    answer = bench.get(path)
    assert answer.status == status
    assert ("error" in answer.json) == (status >= 400)


def test_metadata_names_inputs_and_outputs(bench: Bench) -> None:
    assert bench.get("/v2/models/adult").json == {
        "name": "adult",
        "versions": ["3"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "age", "datatype": "FP32", "shape": [-1, 1]},
            {"name": "city", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
        ],
    }


def test_statistics_count_what_was_asked_and_say_of_whom(bench: Bench) -> None:
    bench.infer(age(39, 40), city("Oslo", "Rome"))
    bench.infer(age(39), city("Oslo"))
    document = bench.get("/v2/models/adult/stats").json
    (entry,) = document["model_stats"]
    assert entry["inference_count"] == 3
    assert entry["execution_count"] == 2
    assert entry["inference_stats"]["success"]["count"] == 2
    assert entry["inference_stats"]["success"]["ns"] >= entry["inference_stats"]["compute_infer"]["ns"] > 0
    assert document["parameters"]["scope"] == "process"
    assert bench.get("/v2/models/stats").json == document


def test_index_lists_the_endpoints_of_the_workspace(bench: Bench) -> None:
    deploy(bench.ports, "ws_other", name="hidden")
    entries = bench.post("/v2/repository/index", {"ready": True}).json
    assert entries == [{"name": "adult", "state": "READY", "version": "3", "reason": ""}]
    assert bench.send("POST", "/v2/repository/index").json == entries
    assert bench.post("/v2/repository/index", {"ready": "yes"}).status == 400


def test_model_of_another_workspace_does_not_exist(bench: Bench) -> None:
    for method, path in (
        ("GET", "/v2/models/adult"),
        ("POST", "/v2/models/adult/infer"),
        ("GET", "/v2/models/adult/ready"),
    ):
        strange = bench.send(method, path, body=b"{}" if method == "POST" else b"", workspace_id="ws_other")
        missing = bench.send(method, path.replace("adult", "nobody"), workspace_id="ws_other")
        assert strange.status == missing.status == 404
        assert strange.error.replace("adult", "nobody") == missing.error


def test_without_an_authorizer_only_health_is_answered(bench: Bench) -> None:
    assert bench.send("GET", "/v2/health/live", workspace_id=None).json == {"live": True}
    assert bench.send("GET", "/v2/health/ready", workspace_id=None).json == {"ready": True}
    for path in ("/v2", "/v2/models/adult", "/v2/models/stats", "/v2/x"):
        assert bench.send("GET", path, workspace_id=None).status == 401


def test_fault_of_ours_shows_nothing_of_its_inside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Callable[..., Any]:
        raise RuntimeError("/var/task/secret arn:aws:s3:::lake")

    monkeypatch.setattr(bench.endpoints, "find", broken)
    answer = bench.infer(age(39), city("Oslo"))
    assert answer.status == 500
    assert "secret" not in json.dumps(answer.json)
    assert answer.error.startswith("Something went wrong on our side")
