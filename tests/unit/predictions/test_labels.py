"""A multi-label model answers rows with the labels that apply, and tensors with a truth value for each label."""

import json

import pytest

from tests.factories.served_models import LABELLED, deploy, labels_model
from tests.unit.predictions.bench import Bench


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, model=labels_model(), signature=LABELLED)
    return made


def test_rows_are_answered_with_the_labels_that_apply_the_likeliest_first(bench: Bench) -> None:
    first, second, third, fourth, fifth = bench.predict(
        {"x": 1.0}, {"x": -3.0}, {"x": 0.0}, {"x": "old"}, {"x": None}
    ).json["predictions"]
    assert first["labels"] == ["higher", "high"]
    assert first["probabilities"] == pytest.approx({"low": 0.1192029, "high": 0.5, "higher": 0.7310586})
    assert first["label"] is first["probability"] is first["value"] is None
    assert second["labels"] == ["low"]
    assert (third["labels"], third["error"]) == ([], None)
    assert (fourth["labels"], fourth["error"]) == (None, "x: 'old' is not a number")
    assert fifth["error"] == "the model's probabilities are not numbers"


def test_tensors_have_a_truth_value_for_each_label(bench: Bench) -> None:
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 1], "data": [1.0, -3.0]}]}
    answer = bench.send("POST", "/v2/models/adult/infer", body=json.dumps(body).encode()).json
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert (outputs["label"]["datatype"], outputs["label"]["shape"]) == ("BOOL", [2, 3])
    assert outputs["label"]["data"] == [False, True, True, True, False, False]
