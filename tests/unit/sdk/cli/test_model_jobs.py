"""What `aimass compress`, `fuse` and `decompose` make of their options."""

from typing import Any

import pytest
import typer

from aimass.cli.model_jobs import to_data, to_parts

NONE: dict[str, Any] = {"dataset": None, "target": None, "validation": None, "test": None, "exclude": None}


def test_data_is_what_its_options_say() -> None:
    assert to_data(NONE) is None
    assert to_data({**NONE, "dataset": "adult"}) == {"dataset": "adult"}
    given = {**NONE, "dataset": "adult", "target": ["income"], "test": "held-back", "exclude": ["id"]}
    assert to_data(given) == {"dataset": "adult", "test": "held-back", "target": "income", "exclude_columns": ["id"]}


@pytest.mark.parametrize(("name", "value"), [("target", ["income"]), ("validation", "other"), ("exclude", ["id"])])
def test_options_of_data_that_is_not_named_are_refused(name: str, value: Any) -> None:
    with pytest.raises(typer.BadParameter, match="name it too, with --dataset") as caught:
        to_data({**NONE, name: value})
    assert caught.value.param_hint == f"--{name}"


def test_hyperparameters_belong_to_the_experts_or_to_the_gate() -> None:
    fixed = {"hidden": [16], "gate.depth": 3}
    assert to_parts("mlp", "xgboost", framework="torch", fixed=fixed) == (
        {"algorithm": "mlp", "framework": "torch", "hyperparameters": {"hidden": [16]}},
        {"algorithm": "xgboost", "hyperparameters": {"depth": 3}},
    )
    assert to_parts(None, None, framework=None, fixed={}) == (None, None)


@pytest.mark.parametrize(
    ("framework", "fixed", "words"),
    [
        ("torch", {}, "--algorithm"),
        (None, {"hidden": 16}, "--algorithm"),
        (None, {"gate.depth": 3}, "gate.depth is of the gate's algorithm: name that with --gate-algorithm"),
    ],
)
def test_hyperparameters_of_no_algorithm_are_refused(framework: str | None, fixed: dict[str, Any], words: str) -> None:
    with pytest.raises(typer.BadParameter, match=words):
        to_parts(None, None, framework=framework, fixed=fixed)
