"""The binary tensor extension, byte by byte, and what may be wrong with it."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from tests.factories.served_models import deploy, table_probability
from tests.unit.predictions.bench import Answer, Bench


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id)
    return made


def texts(*values: str | bytes) -> bytes:
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def floats(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


def send(
    bench: Bench,
    ages: bytes,
    cities: bytes,
    *,
    num_rows: int = 1,
    header: str | None = None,
    sizes: tuple[Any, Any] | None = None,
    rest: bytes = b"",
    **fields: Any,
) -> Answer:
    age_size, city_size = sizes or (len(ages), len(cities))
    document = {
        "inputs": [
            {
                "name": "age",
                "datatype": "FP32",
                "shape": [num_rows, 1],
                "parameters": {"binary_data_size": age_size},
            },
            {
                "name": "city",
                "datatype": "BYTES",
                "shape": [num_rows, 1],
                "parameters": {"binary_data_size": city_size},
            },
        ],
        **fields,
    }
    head = json.dumps(document).encode()
    length = str(len(head)) if header is None else header
    headers = {"Inference-Header-Content-Length": length} if length else {}
    return bench.send("POST", "/v2/models/adult/infer", body=head + ages + cities + rest, headers=headers)


def test_binary_in_and_out(bench: Bench) -> None:
    answer = send(bench, floats(39, np.nan), texts("Oslo", "Rome"), num_rows=2, parameters={"binary_data_output": True})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    label, probabilities = json.loads(answer.body[:length])["outputs"]
    assert "data" not in label
    raw = answer.body[length:]
    assert raw[: label["parameters"]["binary_data_size"]] == texts("yes", "yes")
    scores = np.frombuffer(raw[label["parameters"]["binary_data_size"] :], "<f4")
    assert scores.nbytes == probabilities["parameters"]["binary_data_size"]
    assert scores[1::2] == pytest.approx([table_probability(39, "Oslo"), table_probability(None, "Rome")], abs=1e-6)


def test_each_output_is_binary_or_json_as_it_is_asked_for(bench: Bench) -> None:
    outputs = [{"name": "label"}, {"name": "probabilities", "parameters": {"binary_data": True}}]
    answer = send(bench, floats(39), texts("Oslo"), outputs=outputs)
    length = int(answer.headers["inference-header-content-length"])
    label, probabilities = json.loads(answer.body[:length])["outputs"]
    assert label["data"] == ["yes"]
    assert probabilities["parameters"] == {"binary_data_size": 8}
    assert len(answer.body) == length + 8


def test_binary_input_answers_in_json_by_default(bench: Bench) -> None:
    answer = send(bench, floats(39), texts("Oslo"))
    assert answer.headers["content-type"] == "application/json"
    assert "inference-header-content-length" not in answer.headers
    assert answer.json["outputs"][0]["data"] == ["yes"]


@pytest.mark.parametrize("header", ["0", "-1", "1.5", "abc", "99999999", "0x10", "²", "7", ""])
def test_wrong_header_length_is_refused(bench: Bench, header: str) -> None:
    answer = send(bench, floats(39.1), texts("Oslo"), header=header)
    assert answer.status == 400
    assert answer.error


@pytest.mark.parametrize(
    ("ages", "cities", "changes", "words"),
    [
        (floats(39)[:3], texts("Oslo"), {}, "'age' must be FP32 of shape [any, 1]; its shape [1, 1] needs 4 bytes"),
        (floats(39, 40), texts("Oslo"), {}, "needs 4 bytes, and 8 were sent"),
        (floats(np.inf), texts("Oslo"), {}, "infinite"),
        (floats(39), texts("Oslo", "Rome"), {}, "'city' must be BYTES of shape [any, 1]; its shape [1, 1] does not"),
        (floats(39), texts("Oslo")[:-1], {}, "its bytes end within an element"),
        (floats(39), b"\x01\x00", {}, "its bytes end within an element"),
        (floats(39), struct.pack("<I", 2**32 - 1) + b"x", {}, "its bytes end within an element"),
        (floats(39), texts(b"\xff\xfe"), {}, "element 0 is not UTF-8"),
        (floats(39), texts("Oslo"), {"rest": b"more"}, "4 bytes follow the JSON that belong to no input"),
        (floats(39), texts("Oslo"), {"sizes": (4, 800)}, "only 8 bytes are left"),
        (floats(39), texts("Oslo"), {"sizes": (-4, 8)}, "must be a number of bytes"),
        (floats(39), texts("Oslo"), {"sizes": (True, 8)}, "must be a number of bytes"),
        (floats(39), texts("Oslo"), {"sizes": ("4", 8)}, "must be a number of bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_bytes_are_refused(bench: Bench, ages: bytes, cities: bytes, changes: dict[str, Any], words: str) -> None:
    answer = send(bench, ages, cities, **changes)
    assert answer.status == 400
    assert words in answer.error


def test_every_cut_of_a_binary_body_is_refused(bench: Bench) -> None:
    document = {
        "inputs": [
            {"name": "age", "datatype": "FP32", "shape": [1, 1], "parameters": {"binary_data_size": 4}},
            {"name": "city", "datatype": "BYTES", "shape": [1, 1], "parameters": {"binary_data_size": 8}},
        ]
    }
    head = json.dumps(document).encode()
    body = head + floats(39) + texts("Oslo")
    headers = {"inference-header-content-length": str(len(head))}
    for length in range(len(body)):
        assert bench.send("POST", "/v2/models/adult/infer", body=body[:length], headers=headers).status == 400
    assert bench.send("POST", "/v2/models/adult/infer", body=body, headers=headers).status == 200


def test_data_and_bytes_together_are_refused(bench: Bench) -> None:
    tensor = {"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [39], "parameters": {"binary_data_size": 4}}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    answer = bench.send("POST", "/v2/models/adult/infer", body=head + floats(39), headers=headers)
    assert answer.status == 400
    assert "both data and binary_data_size" in answer.error
