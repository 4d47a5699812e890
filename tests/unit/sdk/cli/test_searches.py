"""What `aimass search` makes of its options."""

from pathlib import Path
from typing import Any

import pytest
import typer

from aimass.cli.searches import read_spaces, to_candidates, to_objective
from aimass_core.errors import InvalidRequestError

DEPTH = "max_depth: {type: int, low: 2, high: 10}\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "space.yaml"
    path.write_text(text)
    return path


def test_space_of_one_algorithm_is_at_the_top_or_under_its_name(tmp_path: Path) -> None:
    expected = {"xgboost": {"max_depth": {"type": "int", "low": 2, "high": 10}}}
    assert read_spaces(write(tmp_path, DEPTH), ["xgboost"]) == expected
    assert read_spaces(write(tmp_path, f"xgboost:\n  {DEPTH}"), ["xgboost"]) == expected


def test_spaces_of_several_algorithms_are_under_their_names_and_one_may_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, f"xgboost:\n  {DEPTH}")
    assert list(read_spaces(path, ["xgboost", "lightgbm"])) == ["xgboost"]
    with pytest.raises(typer.BadParameter, match="at the top: xgboost, lightgbm; it has max_depth"):
        read_spaces(write(tmp_path, DEPTH), ["xgboost", "lightgbm"])


@pytest.mark.parametrize(
    ("text", "location", "words"),
    [
        ("max_depth: {type: int, low: 10, high: 2}", "max_depth", "low is 10 and high is 2: low must not be greater"),
        ("learning_rate: {type: float, low: 0, high: 1, log: true}", "learning_rate", "log needs a low above 0"),
        ("booster: {type: categorical, choices: []}", "booster.choices", "at least 1 item"),
        ("max_depth: {type: magic}", "max_depth", "'magic'"),
        ("max_depth: {low: 1, high: 2}", "max_depth", "type"),
        ("max_depth: 3", "max_depth", "dictionary"),
        ("max_depth: {type: int, low: 1, high: 2, logs: true}", "max_depth.logs", "not permitted"),
        ("x: {type: int, low: 1, high: 2, when: {booster: dart}}", "x.when.booster", "list"),
    ],
)
def test_e5_wrong_distribution_is_refused_with_its_name(tmp_path: Path, text: str, location: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"space\.yaml is no search space") as caught:
        read_spaces(write(tmp_path, text), ["xgboost"])
    (detail,) = caught.value.details
    assert detail.location == location
    assert words in detail.message


def test_e5_fault_among_several_algorithms_names_the_algorithm(tmp_path: Path) -> None:
    path = write(tmp_path, f"lightgbm:\n  {DEPTH}xgboost:\n  max_depth: {{type: int, low: 3, high: 1}}\n")
    with pytest.raises(InvalidRequestError) as caught:
        read_spaces(path, ["xgboost", "lightgbm"])
    assert [detail.location for detail in caught.value.details] == ["xgboost.max_depth"]


def test_e5_empty_space_and_a_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="NoneType"):
        read_spaces(write(tmp_path, ""), ["xgboost"])
    with pytest.raises(typer.BadParameter, match="it has nothing"):
        read_spaces(write(tmp_path, "{}"), ["xgboost", "mlp"])
    assert read_spaces(write(tmp_path, "{}"), ["xgboost"]) == {"xgboost": {}}, "the server says what is missing in it"
    with pytest.raises(InvalidRequestError) as caught:
        read_spaces(write(tmp_path, "xgboost: [1]"), ["xgboost"])
    assert "dictionary" in caught.value.details[0].message


def test_10k_categories_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    choices = ", ".join(map(str, range(10_000)))
    with pytest.raises(InvalidRequestError) as caught:
        read_spaces(write(tmp_path, f"max_depth: {{type: categorical, choices: [{choices}]}}"), ["xgboost"])
    assert "at most 1000 items" in caught.value.details[0].message


def test_fixed_hyperparameters_belong_to_the_algorithm_that_they_name() -> None:
    one = to_candidates(["mlp"], spaces={}, fixed={"dropout": 0.1}, framework="torch", features=None)
    assert one == [{"algorithm": "mlp", "framework": "torch", "hyperparameters": {"dropout": 0.1}}]
    space: dict[str, Any] = {"num_leaves": {"type": "int", "low": 7, "high": 255}}
    several = to_candidates(
        ["xgboost", "lightgbm"], spaces={"lightgbm": space}, fixed={"xgboost.max_depth": 3}, features="auto"
    )
    assert several == [
        {"algorithm": "xgboost", "features": "auto", "hyperparameters": {"max_depth": 3}},
        {"algorithm": "lightgbm", "features": "auto", "space": space},
    ]
    for key in ("max_depth", "mlp.max_depth"):
        with pytest.raises(typer.BadParameter, match=r"xgboost\.max_depth="):
            to_candidates(["xgboost", "lightgbm"], spaces={}, fixed={key: 3})


def test_one_algorithm_is_tried_in_several_frameworks(tmp_path: Path) -> None:
    path = write(tmp_path, f"mlp:tensorflow:\n  {DEPTH}")
    names = ["mlp", "mlp:tensorflow"]
    several = to_candidates(
        names, spaces=read_spaces(path, names), fixed={"mlp:tensorflow.dropout": 0.1, "mlp.dropout": 0}, framework=None
    )
    assert several == [
        {"algorithm": "mlp", "hyperparameters": {"dropout": 0}},
        {
            "algorithm": "mlp",
            "framework": "tensorflow",
            "hyperparameters": {"dropout": 0.1},
            "space": {"max_depth": {"type": "int", "low": 2, "high": 10}},
        },
    ]
    frameworks = [found.get("framework") for found in to_candidates(names, spaces={}, fixed={}, framework="torch")]
    assert frameworks == ["torch", "tensorflow"], "the option is of those that name none"


def test_objectives_may_have_a_direction() -> None:
    assert to_objective("roc_auc") == {"metric": "roc_auc"}
    assert to_objective("latency_ms:minimize") == {"metric": "latency_ms", "direction": "minimize"}
