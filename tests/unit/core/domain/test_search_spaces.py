"""Search spaces are held against what algorithms accept; what does not vary is settled before a trial is asked for."""

from typing import Any

import pytest
from pydantic import ValidationError

from aimass_core.domain.algorithms import registry
from aimass_core.domain.distributions import MAX_CHOICES, has_value, snap
from aimass_core.domain.search_spaces import check_grid, check_space, constant_value, resolve_space
from aimass_core.domain.study_specs import Candidate
from aimass_core.errors import InvalidRequestError

FLOAT, INT, CATEGORICAL = {"type": "float"}, {"type": "int"}, {"type": "categorical"}


def _candidate(algorithm: str, space: dict[str, Any] | None = None, **fields: Any) -> Candidate:
    return Candidate.model_validate({"algorithm": algorithm, "space": space, **fields})


def _check(algorithm: str, space: dict[str, Any] | None, framework: str | None = None, **fixed: Any) -> None:
    candidate = _candidate(algorithm, space, framework=framework)
    spec = candidate.resolve_algorithm()
    check_space(spec, candidate.resolve_framework(), candidate.space, fixed=fixed, location="at")


@pytest.mark.parametrize(
    ("distribution", "words"),
    [
        ({**FLOAT, "low": 0.3, "high": 0.1}, "low is 0.3 and high is 0.1"),
        ({**INT, "low": 5, "high": 4}, "low is 5 and high is 4"),
        ({**FLOAT, "low": 0.0, "high": 1.0, "log": True}, "log needs a low above 0, and it is 0.0"),
        ({**INT, "low": 0, "high": 8, "log": True}, "log needs a low above 0, and it is 0"),
        ({**FLOAT, "low": -1.0, "high": 1.0, "log": True}, "log needs a low above 0, and it is -1.0"),
        ({**FLOAT, "low": 0.1, "high": 1.0, "log": True, "step": 0.1}, "log and step exclude each other"),
        ({**FLOAT, "low": 0.1, "high": 1.05, "step": 0.1}, "take 1 as high"),
        ({**INT, "low": 1, "high": 10, "step": 4}, "take 9 as high"),
        ({**FLOAT, "low": 0.0, "high": 1e300, "step": 1e-300}, "leave step out"),
        ({**FLOAT, "low": -1.7e308, "high": 1.7e308}, "too wide"),
        ({**FLOAT, "low": 0.1, "high": float("inf")}, "finite number"),
        ({**FLOAT, "low": float("nan"), "high": 1.0}, "finite number"),
        ({**INT, "low": 1, "high": 10**400}, "less than or equal to"),
        ({**INT, "low": 1.5, "high": 4}, "valid integer"),
        ({**INT, "low": "1", "high": 4}, "valid integer"),
        ({**CATEGORICAL, "choices": []}, "at least 1 item"),
        ({**CATEGORICAL, "choices": [1, 2, 1]}, "one comes twice"),
        ({**CATEGORICAL, "choices": list(range(10_000))}, f"at most {MAX_CHOICES} items"),
        ({**FLOAT, "low": 0.1}, "Field required"),
        ({"low": 0.1, "high": 0.2}, "discriminator 'type'"),
        ({**FLOAT, "low": 0.1, "high": 0.2, "max": 3}, "not permitted"),
    ],
)
def test_e5_a_distribution_that_contradicts_itself_is_refused(distribution: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        _candidate("xgboost", {"learning_rate": distribution})
    assert caught.value.errors()[0]["loc"][:2] == ("space", "learning_rate")


@pytest.mark.parametrize(
    ("algorithm", "space", "location", "words"),
    [
        ("xgboost", {"max_dept": {**INT, "low": 1, "high": 4}}, "at.max_dept", "did you mean 'max_depth'"),
        ("cnn", {"resample": {**CATEGORICAL, "choices": [None, "smote"]}}, "at.resample", "no hyperparameter"),
        ("xgboost", {"max_depth": {**INT, "low": 0, "high": 4}}, "at.max_depth", "low is 0: .*greater than or equal"),
        ("xgboost", {"max_depth": {**INT, "low": 2, "high": 40}}, "at.max_depth", "high is 40: .*less than or equal"),
        ("xgboost", {"max_depth": {**FLOAT, "low": 2, "high": 4}}, "at.max_depth", "whole number: take type int"),
        ("xgboost", {"subsample": {**FLOAT, "low": 0.0, "high": 1}}, "at.subsample", "low is 0.0: .*greater than 0"),
        ("xgboost", {"subsample": {**CATEGORICAL, "choices": [0.5, "1"]}}, "at.subsample", 'choice "1": .*number'),
        ("mlp", {"hidden": {**CATEGORICAL, "choices": [[64], []]}}, "at.hidden", r"choice \[\]: .*at least 1 item"),
        ("mlp", {"hidden": {**INT, "low": 1, "high": 64}}, "at.hidden", "low is 1: .*valid (list|array)"),
        ("mlp", {"optimizer": {**CATEGORICAL, "choices": ["adam", "lion"]}}, "at.optimizer", '"lion": .*sgd'),
        (
            "cnn",
            {"augmentation": {**CATEGORICAL, "choices": ["light", [{"name": "spin"}]]}},
            "at.augmentation",
            "spin.*rotate",
        ),
        ("xgboost", {"features": {**INT, "low": 1, "high": 4}}, "at.features", "take type categorical"),
        ("xgboost", {"features": {**CATEGORICAL, "choices": [{"default": "magic"}]}}, "at.features", "magic.*auto"),
        ("xgboost", {"resample": {**CATEGORICAL, "choices": [None, "rose"]}}, "at.resample", '"rose": .*smote'),
        ("xgboost", {}, "at", "it is empty"),
        ("xgboost", {"max_depth": {**INT, "low": 2, "high": 4, "when": {"x": [1]}}}, "at.max_depth.when", "'x'"),
        (
            "mlp",
            {"momentum": {**FLOAT, "low": 0, "high": 0.9, "when": {"optimizer": []}}},
            "at.momentum.when",
            "no value of optimizer",
        ),
        (
            "mlp",
            {"momentum": {**FLOAT, "low": 0, "high": 0.9, "when": {"optimizer": ["sgd"]}}},
            "at.momentum.when",
            'never there, as optimizer is "adamw"',
        ),
        (
            "mlp",
            {
                "optimizer": {**CATEGORICAL, "choices": ["adam", "adamw"]},
                "momentum": {**FLOAT, "low": 0, "high": 0.9, "when": {"optimizer": ["sgd"]}},
            },
            "at.momentum.when",
            'optimizer is never "sgd"',
        ),
        (
            "rnn",
            {
                "layers": {**INT, "low": 0, "high": 4, "step": 2},
                "cell": {**CATEGORICAL, "choices": ["lstm", "gru"], "when": {"layers": [2, 3]}},
            },
            "at.cell.when",
            "layers is never 3",
        ),
        (
            "xgboost",
            {
                "max_depth": {**INT, "low": 2, "high": 4, "when": {"max_bin": [64]}},
                "max_bin": {**INT, "low": 64, "high": 128, "when": {"max_depth": [3]}},
            },
            "at.max_depth.when",
            "in a circle",
        ),
        (
            "xgboost",
            {"max_depth": {**INT, "low": 2, "high": 4, "when": {"max_depth": [3]}}},
            "at.max_depth.when",
            "in a circle: max_depth needs max_depth",
        ),
    ],
)
def test_e5_what_the_algorithm_does_not_accept_is_refused_by_field(
    algorithm: str, space: dict[str, Any], location: str, words: str
) -> None:
    with pytest.raises(InvalidRequestError, match=words) as caught:
        _check(algorithm, space)
    assert location in [detail.location for detail in caught.value.details]


def test_e5_every_fault_has_a_detail() -> None:
    space = {
        "max_depth": {**INT, "low": 0, "high": 40},
        "learnig_rate": {**FLOAT, "low": 0.1, "high": 0.2},
        "subsample": {**FLOAT, "low": 0.5, "high": 1},
        "reg_lambda": {**FLOAT, "low": 1, "high": 2},
    }
    with pytest.raises(InvalidRequestError) as caught:
        _check("xgboost", space, reg_lambda=1.0)
    locations = [detail.location for detail in caught.value.details]
    assert locations == ["at.max_depth", "at.max_depth", "at.learnig_rate", "at.reg_lambda"]


def test_e5_what_is_fixed_or_lacking_cannot_vary_as_well() -> None:
    space = {"augmentation": {**CATEGORICAL, "choices": ["none", "light"]}}
    _check("cnn", space)
    with pytest.raises(InvalidRequestError, match='fixed to "light" and varied'):
        _check("cnn", space, augmentation="light")
    with pytest.raises(InvalidRequestError, match="in torch alone, not in tensorflow"):
        _check("cnn", space, framework="tensorflow")


def test_e5_nothing_to_vary_is_an_empty_space() -> None:
    _check("linear", None)
    with pytest.raises(InvalidRequestError, match="all of it is fixed"):
        _check("linear", None, l2=1.0)


@pytest.mark.parametrize("name", registry.load_all())
def test_own_spaces_are_valid_and_hold_the_default(name: str) -> None:
    spec = registry.find(name)
    for framework in spec.implementations if spec.space else ():
        check_space(spec, framework, None, fixed={})
        space = resolve_space(_candidate(name, framework=framework))
        assert not set(space) & set(spec.implementations[framework].lacks)
        for hyperparameter, distribution in space.items():
            default = constant_value(spec, hyperparameter, {})
            assert has_value(distribution, snap(distribution, default)), hyperparameter


def test_every_built_in_algorithm_brings_a_space() -> None:
    built_in = {"xgboost", "lightgbm", "catboost", "random_forest", "linear", "mlp", "cnn", "rnn", "fcn", "nlinear"}
    assert {name for name in built_in if not registry.find(name).space} == set()


def test_the_own_space_leaves_out_what_is_fixed_and_settles_its_conditions() -> None:
    whole = resolve_space(_candidate("rnn"))
    assert whole["cell"].when == {"layers": [1, 2]}
    deep = resolve_space(_candidate("rnn", hyperparameters={"layers": 1, "hidden": 64}))
    assert set(whole) - set(deep) == {"layers", "hidden"}
    assert deep["cell"].when == {}
    flat = resolve_space(_candidate("rnn", hyperparameters={"layers": 0}))
    assert set(whole) - set(flat) == {"layers", "cell", "bidirectional", "hidden"}


def test_conditions_come_after_what_they_depend_on() -> None:
    space = {
        "momentum": {**FLOAT, "low": 0, "high": 0.9, "when": {"optimizer": ["sgd"]}},
        "optimizer": {**CATEGORICAL, "choices": ["adam", "sgd"], "when": {"schedule": ["step"]}},
        "schedule": {**CATEGORICAL, "choices": ["step", "cosine"]},
    }
    _check("mlp", space)
    assert list(resolve_space(_candidate("mlp", space))) == ["schedule", "optimizer", "momentum"]


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"learning_rate": {**FLOAT, "low": 0.1, "high": 0.2}}, "learning_rate: it has no grid"),
        ({"num_rounds": {**INT, "low": 1, "high": 5000}}, "num_rounds: it has no grid"),
        (
            {name: {**INT, "low": 1, "high": 16} for name in ("max_depth", "num_rounds", "early_stopping_rounds")}
            | {"max_bin": {**INT, "low": 16, "high": 64}},
            "has 200704 points",
        ),
        (None, "learning_rate: it has no grid"),
    ],
)
def test_a_grid_is_finite(space: dict[str, Any] | None, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        check_grid([_candidate("xgboost", space)])


def test_a_grid_has_no_conditions() -> None:
    cell = {**CATEGORICAL, "choices": ["lstm", "gru"], "when": {"layers": [1]}}
    with pytest.raises(InvalidRequestError, match="cell: a grid has all hyperparameters in every trial"):
        check_grid([_candidate("rnn", {"layers": {**INT, "low": 0, "high": 1}, "cell": cell})])
    with pytest.raises(InvalidRequestError, match="a grid is of one candidate"):
        check_grid([_candidate("xgboost"), _candidate("linear")])
