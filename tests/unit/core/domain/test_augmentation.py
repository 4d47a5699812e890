"""Augmentation as a job declares it: refused by the API where it could not be done."""

from typing import Any

import pytest

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.augmentation.steps import Strength
from aimass_core.domain.jobs import TrainSpec, from_hyperparameters, to_hyperparameters
from aimass_core.errors import InvalidRequestError


def _check(algorithm: str, **spec: Any) -> TrainSpec:
    made = TrainSpec.model_validate({"dataset": "some", "algorithm": algorithm} | spec)
    made.check()
    return made


AUGMENTED = [
    (name, framework)
    for name, spec in registry.load_all().items()
    if "augmentation" in spec.hyperparameters.model_fields
    for framework in spec.implementations
]


@pytest.mark.parametrize(("algorithm", "framework"), AUGMENTED)
def test_augmentation_is_refused_by_the_frameworks_that_do_not_do_it(algorithm: str, framework: str) -> None:
    options: dict[str, Any] = {"framework": framework} | ({"horizon": 2} if algorithm == "nlinear" else {})
    _check(algorithm, **options, hyperparameters={"augmentation": "none"})
    if framework == "torch":
        _check(algorithm, **options, hyperparameters={"augmentation": "light"})
        return
    with pytest.raises(InvalidRequestError, match=f"augmentation in torch alone, not in {framework}") as refused:
        _check(algorithm, **options, hyperparameters={"augmentation": "light"})
    assert refused.value.details[0].location == "body.spec.hyperparameters.augmentation"


def test_there_is_one_algorithm_at_least_that_a_framework_does_not_augment() -> None:
    assert {("cnn", "tensorflow"), ("mlp", "tensorflow"), ("fcn", "torch"), ("rnn", "torch")} <= set(AUGMENTED)


@pytest.mark.parametrize(
    ("algorithm", "steps"),
    [
        ("cnn", [{"name": "rotate", "degrees": 10}, {"name": "mixup"}]),
        ("mlp", [{"name": "noise", "deviation": 0.1, "probability": 0.5}]),
        ("rnn", [{"name": "drop"}, {"name": "time_warp", "knots": 3}]),
        ("fcn", [{"name": "crop", "min_share": 0.8}]),
    ],
)
def test_steps_are_part_of_a_job_and_come_through_its_two_forms(algorithm: str, steps: list[dict[str, Any]]) -> None:
    spec = _check(algorithm, hyperparameters={"augmentation": steps})
    assert TrainSpec.model_validate_json(spec.model_dump_json()) == spec
    assert from_hyperparameters(to_hyperparameters(spec)) == spec
    resolved: Any = spec.resolve_hyperparameters()
    assert [step.name for step in resolved.augmentation] == [step["name"] for step in steps]
    assert resolved.model_validate_json(resolved.model_dump_json()) == resolved


def test_a_forecast_is_refused_what_would_change_what_it_goes_on_from() -> None:
    _check("nlinear", horizon=2, hyperparameters={"augmentation": [{"name": "jitter"}, {"name": "mixup"}]})
    assert _check("nlinear", horizon=2, hyperparameters={"augmentation": Strength.STRONG.value})
    with pytest.raises(InvalidRequestError, match=r"'scale' would change .* jitter, cutout, mixup"):
        _check("nlinear", horizon=2, hyperparameters={"augmentation": [{"name": "jitter"}, {"name": "scale"}]})


@pytest.mark.parametrize("algorithm", ["xgboost", "lightgbm", "catboost", "random_forest", "linear", "mlp"])
def test_rare_classes_of_tables_are_resampled_for_every_algorithm(algorithm: str) -> None:
    assert _check(algorithm, resample="smote").resample == "smote"
    assert _check(algorithm, resample="smote", task="binary")
    for task in ("regression", "multilabel"):
        if task in registry.find(algorithm).tasks:
            with pytest.raises(InvalidRequestError, match=f"choice of one class, and this task is {task}"):
                _check(algorithm, resample="smote", task=task)


@pytest.mark.parametrize("option", [{"resample": "smote"}, {"features": {"default": "auto"}}])
@pytest.mark.parametrize(("algorithm", "kinds"), [("cnn", "images"), ("rnn", "text or series"), ("fcn", "series")])
def test_what_is_for_tables_is_refused_for_other_data(algorithm: str, kinds: str, option: dict[str, Any]) -> None:
    (name,) = option
    with pytest.raises(InvalidRequestError, match=f"{name} is for the rows of tables, and {algorithm} .* {kinds}"):
        _check(algorithm, **option)
