"""MLflow's forms of rows and answers, and images that are sent as they are."""

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.factories.served_models import (
    FORECAST,
    IMAGES,
    LABELLED,
    SERIES,
    deploy,
    forecast_model,
    image_model,
    labels_model,
    series_model,
)
from tests.unit.predictions.bench import Answer, Bench

ROWS = [{"age": 39, "city": "Oslo"}, {"age": 20, "city": "Rome"}]


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, number=3)
    return made


def invoke(bench: Bench, document: Any) -> Answer:
    return bench.post("/v1/endpoints/adult/invocations", document)


@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"index": [7, 8], "columns": ["city", "age"], "data": [["Oslo", 39], ["Rome", 20]]}},
        {"dataframe_records": ROWS},
        {"instances": ROWS},
        {"instances": [[39, "Oslo"], [20, "Rome"]]},
        {"inputs": {"age": [39, 20], "city": ["Oslo", "Rome"]}},
        {"inputs": ROWS, "params": {}},
    ],
    ids=str,
)
def test_every_form_gets_the_same_predictions(bench: Bench, document: Any) -> None:
    wanted = [each["label"] for each in bench.predict(*ROWS).json["predictions"]]
    answer = invoke(bench, document)
    assert answer.json == {"predictions": wanted, "model_name": "adult", "model_version": 3}


@pytest.mark.filterwarnings("ignore:Operation with range")
def test_forms_as_mlflow_itself_writes_them(bench: Bench) -> None:
    pandas = pytest.importorskip("pandas")
    serving = pytest.importorskip("mlflow.models.utils")
    frame = pandas.DataFrame(ROWS)
    wanted = [each["label"] for each in bench.predict(*ROWS).json["predictions"]]
    written = json.loads(serving.convert_input_example_to_serving_input(frame))
    assert invoke(bench, written).json["predictions"] == wanted


def test_csv_is_taken_too(bench: Bench) -> None:
    answer = bench.send(
        "POST", "/v1/endpoints/adult/invocations", body=b"city,age\nOslo,39\n", headers={"Content-Type": "text/csv"}
    )
    assert answer.json["predictions"] == ["yes"]


def test_g6_row_that_cannot_be_read_is_null_and_told(bench: Bench) -> None:
    document = invoke(bench, {"instances": [{"age": "old"}, {"age": 200, "city": "Oslo"}, {"zip": 1}]}).json
    assert document["predictions"][0] is None
    assert document["errors"] == {"0": "age: 'old' is not a number"}
    assert document["warnings"]["request"] == ["columns that the model does not use were ignored: 'zip'"]
    assert "outside of the training data" in document["warnings"]["1"][0]


@pytest.mark.parametrize(
    ("model", "signature", "instances", "wanted"),
    [
        (labels_model, LABELLED, [{"x": 4}], [["higher", "high"]]),
        (labels_model, LABELLED, [-4], [["low"]]),
        (forecast_model, FORECAST, [[1, 2, 3]], [[4.0, 5.0]]),
        (series_model, SERIES, [[[1, 2], [3, None]]], [33.0]),
        (image_model, IMAGES, [[[51] * 6] * 4], [51.0]),
    ],
    ids=["labels", "one column", "forecast", "series", "image"],
)
def test_other_kinds_of_models_answer_in_their_terms(model: Any, signature: Any, instances: Any, wanted: Any) -> None:
    bench = Bench()
    deploy(bench.ports, bench.workspace_id, model=model(), signature=signature)
    (found,) = invoke(bench, {"instances": instances}).json["predictions"]
    assert found == (pytest.approx(wanted[0], abs=1e-5) if isinstance(wanted[0], float) else wanted[0])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "The body has 0 of"),
        ({"instances": [], "inputs": []}, "The body has 2 of"),
        ({"instances": []}, "instances has no rows"),
        ({"instances": {"age": 1}}, "instances must be a list of rows, not dict"),
        ({"instances": [[1]]}, "Row 0 of instances has 1 values; the 2 columns are: age, city"),
        ({"instances": [{"age": 1}, 5]}, "Row 0 of instances is no list"),
        ({"dataframe_records": [[1]]}, "dataframe_records must be"),
        ({"dataframe_split": {"columns": ["age", "age"], "data": []}}, "dataframe_split must be"),
        ({"dataframe_split": {"columns": ["age"], "data": [[1, 2]]}}, "Row 0 of dataframe_split has 2 values"),
        ({"inputs": {"age": [1], "city": []}}, "age: 1, city: 0"),
        ({"inputs": {"age": 1}}, "age: None"),
        ({"inputs": {}}, "they are none"),
        ({"instances": ROWS, "params": {"temperature": 1}}, "takes no params"),
        ({"instances": ROWS, "signature_name": "x"}, "'signature_name' is not known"),
    ],
    ids=str,
)
def test_what_has_none_of_the_forms_is_refused(bench: Bench, document: Any, words: str) -> None:
    answer = invoke(bench, document)
    assert answer.status == 422
    assert words in answer.json["detail"]


def test_too_many_rows_are_refused(bench: Bench) -> None:
    assert invoke(bench, {"instances": [[1, "Oslo"]] * 10_001}).status == 413


def send_image(bench: Bench, body: bytes, content_type: str) -> Answer:
    return bench.send("POST", "/v1/endpoints/adult/predict", body=body, headers={"Content-Type": content_type})


def write_image(format_name: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((8, 12, 3), 102, np.uint8)).save(file, format_name)
    return file.getvalue()


@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
def test_image_as_it_is(format_name: str) -> None:
    bench = Bench()
    deploy(bench.ports, bench.workspace_id, model=image_model(), signature=IMAGES)
    answer = send_image(bench, write_image(format_name), f"image/{format_name.lower()}")
    assert answer.json["predictions"][0]["value"] == pytest.approx(102, abs=1)
    broken = send_image(bench, write_image(format_name)[:-30], f"image/{format_name.lower()}")
    assert broken.json["predictions"][0]["error"].startswith("image: the image is neither a PNG nor a JPEG file")
    assert "or one image as image/png" in send_image(bench, b"GIF89a", "image/gif").json["detail"]


def test_image_for_a_model_that_takes_none_is_refused(bench: Bench) -> None:
    answer = send_image(bench, write_image("PNG"), "image/png")
    assert answer.status == 415
    assert "Send application/json or text/csv." in answer.json["detail"]
