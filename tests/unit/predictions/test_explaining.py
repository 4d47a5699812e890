"""Explanations: Shapley values that others agree with, of columns, patches, stretches and words."""

import json
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Datatype, TensorSpec
from aimass_core.inference.explaining import shapley
from aimass_core.inference.explaining.parts import parts_of
from tests.factories.served_models import (
    IMAGES,
    SERIES,
    TABLE,
    deploy,
    image_model,
    series_model,
    signature_of,
    table_probability,
)
from tests.unit.predictions.bench import Bench, age, city

TYPICAL = TABLE.model_copy(
    update={
        "inputs": [
            TABLE.inputs[0].model_copy(update={"typical": 20.0}),
            TABLE.inputs[1].model_copy(update={"typical": "Oslo"}),
        ]
    }
)
Row = NDArray[np.float64]


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, signature=TYPICAL)
    return made


def interacting(rows: Row) -> Row:
    """With products of three, so that no order of the players is as good as another."""
    shifted = np.roll(rows, 1, axis=1)
    return np.asarray(
        np.tanh((rows * shifted * np.roll(rows, 2, axis=1)).sum(axis=1)) + rows @ np.arange(rows.shape[1])
    )


@pytest.mark.parametrize("num_players", [1, 2, 7, 10])
def test_exact_values_are_those_of_the_definition(num_players: int) -> None:
    own, typical = np.random.default_rng(1).normal(size=(2, num_players))
    found = shapley.explain(lambda masks: interacting(np.where(masks, own, typical)), num_players)
    wanted = np.zeros(num_players)
    for player in range(num_players):
        for number in range(2**num_players):
            members = np.array([bool(number >> place & 1) for place in range(num_players)])
            if members[player]:
                continue
            size = int(members.sum())
            weight = math.factorial(size) * math.factorial(num_players - size - 1) / math.factorial(num_players)
            with_player = members | (np.arange(num_players) == player)
            pair = interacting(np.where(np.stack([members, with_player]), own, typical))
            wanted[player] += weight * (pair[1] - pair[0])
    assert found.errors is None
    np.testing.assert_allclose(found.values, wanted, atol=1e-12)


def test_sampled_values_add_up_and_come_with_errors_that_hold() -> None:
    own, typical = np.random.default_rng(2).normal(size=(2, 14))

    def value(masks: NDArray[np.bool_]) -> Row:
        return interacting(np.where(masks, own, typical))

    found, exact = shapley.explain(value, 14), shapley._enumerate(value, 14)
    assert found.errors is not None
    assert found.values.sum() == pytest.approx(found.answer - found.base)
    assert (np.abs(found.values - exact.values) <= 4 * found.errors + 1e-12).all()
    assert found.errors.max() < 0.1


def test_sampled_values_of_pairs_are_exact() -> None:
    own, typical = np.random.default_rng(3).normal(size=(2, 30))

    def value(masks: NDArray[np.bool_]) -> Row:
        rows = np.where(masks, own, typical)
        return np.asarray((rows * np.roll(rows, 1, axis=1)).sum(axis=1))

    pairs = own * np.roll(own, 1) - typical * np.roll(typical, 1)
    alone = [value((np.arange(30) == player)[None])[0] - value(np.zeros((1, 30), bool))[0] for player in range(30)]
    last = [value(np.ones((1, 30), bool))[0] - value((np.arange(30) != player)[None])[0] for player in range(30)]
    found = shapley.explain(value, 30)
    np.testing.assert_allclose(found.values, (np.array(alone) + np.array(last)) / 2, atol=1e-9)
    assert found.values.sum() == pytest.approx(pairs.sum())


def test_trees_are_explained_as_the_shap_library_explains_them() -> None:
    shap, xgboost = pytest.importorskip("shap"), pytest.importorskip("xgboost")
    random = np.random.default_rng(4)
    rows = random.normal(size=(400, 8)).astype(np.float32)
    target = rows[:, 0] * rows[:, 1] + np.sin(rows[:, 2]) + rows[:, 3]
    trees = xgboost.train(
        {"max_depth": 5, "nthread": 1, "base_score": 0.0}, xgboost.DMatrix(rows, target), num_boost_round=30
    )
    typical, own = np.median(rows, axis=0), rows[7]
    wanted = shap.TreeExplainer(trees, typical[None], feature_perturbation="interventional").shap_values(own[None])[0]
    found = shapley.explain(lambda masks: trees.inplace_predict(np.where(masks, own, typical)), 8)
    np.testing.assert_allclose(found.values, wanted, atol=1e-5)


def test_columns_of_a_row_add_up_to_its_answer(bench: Bench) -> None:
    answer = bench.send(
        "POST",
        "/v1/endpoints/adult/predict",
        query={"explain": "true"},
        body=json.dumps({"rows": [{"age": 60, "city": "Rome"}, {"age": 20, "city": "Oslo"}]}).encode(),
    )
    assert answer.status == 200, answer.body
    first, second = (prediction["explanation"] for prediction in answer.json["predictions"])
    base, own = table_probability(20, "Oslo"), table_probability(60, "Rome")
    of_age = (table_probability(60, "Oslo") - base + own - table_probability(20, "Rome")) / 2
    of_city = (table_probability(20, "Rome") - base + own - table_probability(60, "Oslo")) / 2
    assert first["explains"] == "probability of yes"
    assert first["is_exact"]
    assert (first["base"], first["answer"]) == pytest.approx((base, own), abs=1e-6)
    assert [each["part"] for each in first["contributions"]] == ["city", "age"]
    assert [each["value"] for each in first["contributions"]] == pytest.approx([of_city, of_age], abs=1e-6)
    assert second["contributions"] == []
    assert second["base"] == second["answer"]


def test_rows_that_cannot_be_read_have_no_explanation(bench: Bench) -> None:
    body = json.dumps({"rows": [{"age": "old", "city": "Rome"}, {"age": 21, "city": "Rome"}]}).encode()
    answer = bench.send("POST", "/v1/endpoints/adult/predict", query={"explain": "true"}, body=body)
    first, second = answer.json["predictions"]
    assert first["error"]
    assert first["explanation"] is None
    assert len(second["explanation"]["contributions"]) == 2


def test_the_protocol_has_them_as_a_parameter(bench: Bench) -> None:
    answer = bench.infer(age(60.0), city("Rome"), parameters={"explain": True})
    (explanation,) = json.loads(answer.json["parameters"]["explanations"])
    assert [each["part"] for each in explanation["contributions"]] == ["city", "age"]
    assert "parameters" not in bench.infer(age(60.0), city("Rome")).json


@pytest.mark.parametrize("word", ["yes", "", "1"])
def test_what_is_neither_true_nor_false_is_refused(bench: Bench, word: str) -> None:
    answer = bench.send("POST", "/v1/endpoints/adult/predict", query={"explain": word}, body=b'{"rows": [{"age": 1}]}')
    assert (answer.status, "true or false" in answer.json["detail"]) == (400, True)


def test_too_many_rows_are_refused_before_they_are_run(bench: Bench) -> None:
    body = json.dumps({"rows": [{"age": 1}] * 101}).encode()
    answer = bench.send("POST", "/v1/endpoints/adult/predict", query={"explain": "true"}, body=body)
    assert answer.status == 422
    assert "at most 100" in answer.json["detail"]


def test_patches_of_an_image_say_where_it_is_bright() -> None:
    bench = Bench()
    deploy(bench.ports, bench.workspace_id, name="light", model=image_model(), signature=IMAGES)
    image = np.zeros((4, 6, 1), np.uint8)
    image[2, 5] = 240
    body = json.dumps({"rows": [{"image": image.tolist()}]}).encode()
    answer = bench.send("POST", "/v1/endpoints/light/predict", query={"explain": "true"}, body=body)
    explanation = answer.json["predictions"][0]["explanation"]
    assert explanation["contributions"][0]["part"] == "image[2:3,5:6]"
    total = sum(each["value"] for each in explanation["contributions"])
    assert total == pytest.approx(explanation["answer"] - explanation["base"], abs=1e-4)


def test_stretches_of_a_series_say_which_one_counts() -> None:
    bench = Bench()
    deploy(bench.ports, bench.workspace_id, name="sums", model=series_model(), signature=SERIES)
    body = json.dumps({"rows": [{"left": [0, 0, 0, 5], "right": [1, 1, None, 9]}]}).encode()
    answer = bench.send("POST", "/v1/endpoints/sums/predict", query={"explain": "true"}, body=body)
    best = answer.json["predictions"][0]["explanation"]["contributions"]
    assert [(each["part"], each["value"]) for each in best[:2]] == [("right[3:4]", 80.0), ("left[3:4]", 5.0)]


def test_words_of_a_text_are_its_parts() -> None:
    spec = signature_of(ColumnType.STRING).inputs[0]
    parts = parts_of(spec, np.array(["never again, really"], dtype=np.object_))
    assert parts.names == ["string: never", "string: again,", "string: really"]
    masks = np.array([[True, False, True], [False, False, False]])
    assert parts.build(masks).tolist() == [["never really"], [""]]


def test_a_missing_value_stands_in_where_nothing_typical_is_known() -> None:
    spec = TensorSpec(name="x", datatype=Datatype.FP32, shape=[-1, 1], column_type=ColumnType.NUMBER)
    assert parts_of(spec, np.array([np.nan], np.float32)).names == []
    built = parts_of(spec, np.array([3.0], np.float32)).build(np.array([[True], [False]]))
    np.testing.assert_array_equal(built, [[3.0], [np.nan]])
