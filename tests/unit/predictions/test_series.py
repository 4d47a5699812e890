"""Series are served as rows and as tensors; what cannot be one is refused, and spoils no other row."""

import json
from typing import Any

import numpy as np
import pytest

from aimass_core.inference import limits
from tests.factories.served_models import FORECAST, SERIES, deploy, forecast_model, series_model
from tests.unit.predictions.bench import Answer, Bench


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, model=series_model(), signature=SERIES)
    return made


def infer(bench: Bench, **series: Any) -> Answer:
    inputs = [
        {"name": name, "datatype": "FP32", "shape": list(np.array(data, dtype=object).shape), "data": data}
        for name, data in series.items()
    ]
    return bench.send("POST", "/v2/models/adult/infer", body=json.dumps({"inputs": inputs}).encode())


def test_rows_of_different_lengths_are_answered(bench: Bench) -> None:
    document = bench.predict(
        {"left": [1, 2, 3], "right": [1, None, 2.5]},
        {"left": "[1, 2]", "right": ["1", 0]},
        {"left": [4]},
        {"left": [1e300, 1], "right": [0, 0]},
    ).json
    assert [each["value"] for each in document["predictions"]] == [41.0, 13.0, 4.0, 1.0]
    assert [each["error"] for each in document["predictions"]] == [None] * 4


def test_lists_in_csv_cells_are_series(bench: Bench) -> None:
    body = b'left,right\n"[1, 2]","[0, 1]"\n,"[3]"\n"[1 2]","[3]"\n'
    answer = bench.send("POST", "/v1/endpoints/adult/predict", body=body, headers={"Content-Type": "text/csv"})
    first, second, third = answer.json["predictions"]
    assert (first["value"], second["value"]) == (13.0, 30.0)
    assert "'[1 2]' is not a list of numbers" in third["error"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"left": [1, 2], "right": [1]}, "the same length, with null where a value is missing: left 2, right 1"),
        ({"left": []}, "left: the series is empty"),
        ({"left": 5}, "left: '5' is not a list of numbers; write it as [1.5, 2, null]"),
        ({"left": [[1, 2]]}, "left: value 1 of the series: [1, 2] is not a number"),
        ({"left": [1, True]}, "left: value 2 of the series: True is not a number"),
        ({"left": {"a": 1}}, "is not a list of numbers"),
        ({"left": [0] * 100_000}, "left: the series has 100000 values; at most 65536 are taken"),
    ],
)
def test_a_row_that_is_no_series_spoils_no_other(bench: Bench, row: dict[str, Any], message: str) -> None:
    good, bad = bench.predict({"left": [1], "right": [2]}, row).json["predictions"]
    assert good["value"] == 21.0
    assert message in bad["error"]
    assert bad["value"] is None


def test_strange_and_missing_series_are_answered_with_a_warning(bench: Bench) -> None:
    document = bench.predict({"left": [1, 500, 600], "right": [0, 0, 0]}, {"left": None}, {"left": [None, None]}).json
    first, second, third = document["predictions"]
    assert first["value"] == 1101.0
    assert first["warnings"] == ["left: 500 is outside of the training data (-100 to 100)"]
    assert second["warnings"] == third["warnings"]
    assert "every value is missing" in second["warnings"][0]


def test_rows_of_very_different_lengths_do_not_blow_up(bench: Bench) -> None:
    answer = bench.predict({"left": [0] * 60_000}, *[{"left": [0]}] * 200)
    assert answer.status == 413
    assert "the long ones apart" in answer.json["detail"]


def test_many_values_are_run_in_parts_with_the_same_answers(bench: Bench) -> None:
    num_steps = limits.MAX_VALUES_AT_ONCE // 8
    rows = [{"left": [index] + [0] * (num_steps - 1), "right": [0] * num_steps} for index in range(11)]
    document = bench.predict(*rows).json
    assert [each["value"] for each in document["predictions"]] == [float(index) for index in range(11)]


def test_tensors_are_answered(bench: Bench) -> None:
    answer = infer(bench, left=[[1, 2], [3, None]], right=[[0, 1], [0, 0]])
    assert answer.json["outputs"][0]["data"] == [13.0, 3.0]


def test_binary_tensors_are_answered(bench: Bench) -> None:
    left, right = np.array([[1, 2, np.nan]], "<f4"), np.array([[3, 0, np.nan]], "<f4")
    inputs = [
        {"name": name, "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}}
        for name in ("left", "right")
    ]
    header = json.dumps({"inputs": inputs}).encode()
    answer = bench.send(
        "POST",
        "/v2/models/adult/infer",
        body=header + left.tobytes() + right.tobytes(),
        headers={"Inference-Header-Content-Length": str(len(header))},
    )
    assert answer.json["outputs"][0]["data"] == [33.0]


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ([1, 2], [1, 2], "must be FP32 of shape [any, any], not FP32 of shape [2]"),
        ([[[1]]], [[[1]]], "not FP32 of shape [1, 1, 1]"),
        ([[1, 2]], [[1]], "differ in their number of steps: 'left' 2, 'right' 1"),
        ([[0] * 70_000], [[0] * 70_000], "70000 steps; at most 65536"),
        ([[]], [[]], "its shape [1, 0] has none"),
    ],
)
def test_tensors_of_a_wrong_shape_are_refused(bench: Bench, left: Any, right: Any, message: str) -> None:
    answer = infer(bench, left=left, right=right)
    assert answer.status == 400
    assert message in answer.error


@pytest.fixture
def forecaster() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, model=forecast_model(), signature=FORECAST)
    return made


def test_a_forecast_has_one_value_for_each_step(forecaster: Bench) -> None:
    document = forecaster.predict({"sales": [1, 2, 4]}, {"sales": [1, 2]}, {"sales": [1, 2, 3, 4]}, {}).json
    first, short, long, empty = document["predictions"]
    assert first["values"] == [5.0, 6.0]
    assert (first["value"], first["label"]) == (None, None)
    assert short["error"] == "sales: the series has 2 values; the model takes exactly 3, the latest ones"
    assert "4 values; the model takes exactly 3" in long["error"]
    assert empty["error"] == "the model's forecast has values that are not numbers"


def test_the_rows_of_a_table_are_the_steps_of_one_series(forecaster: Bench) -> None:
    wanted = forecaster.predict({"sales": [1, 2, 4]}).json["predictions"]
    document = forecaster.predict({"sales": 9, "day": "Monday"}, {"sales": 1}, {"sales": "2"}, {"sales": 4}).json
    assert document["predictions"] == wanted
    assert "the 4 rows were taken as the steps of one series" in document["warnings"][-1]
    assert "made from the last 3" in document["warnings"][-1]
    (short,) = forecaster.predict({"sales": 1}, {"sales": 2}).json["predictions"]
    assert short["error"] == "sales: the series has 2 values; the model takes exactly 3, the latest ones"
    (strange,) = forecaster.predict({"sales": 1}, {"sales": "two"}, {"sales": 3}).json["predictions"]
    assert "value 2 of the series: 'two' is not a number" in strange["error"]


def test_a_forecast_as_tensors(forecaster: Bench) -> None:
    answer = infer(forecaster, sales=[[1, 2, 4], [0, 0, 0]])
    assert answer.json["outputs"][0] == {"name": "value", "datatype": "FP32", "shape": [2, 2], "data": [5, 6, 1, 2]}
    assert "must be FP32 of shape [any, 3]" in infer(forecaster, sales=[[1, 2]]).error
