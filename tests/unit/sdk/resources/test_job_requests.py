"""Requests for jobs, from the arguments of the SDK."""

from typing import Any

import pytest

from aimass.resources import job_requests
from aimass_core.domain.distributions import FloatDistribution
from aimass_core.domain.jobs import JobCreate
from aimass_core.domain.study_specs import AutotrainSpec, Candidate, SearchSpec
from aimass_core.domain.training import TrainSpec
from aimass_core.errors import InvalidRequestError

SPACE = {"learning_rate": {"type": "float", "low": 1e-3, "high": 1.0, "log": True}}


def search(**arguments: Any) -> JobCreate:
    return job_requests.to_search("adult", **{"algorithm": None, "candidates": None, "objectives": None, **arguments})


def spec_of(request: JobCreate) -> SearchSpec:
    assert isinstance(request.spec, SearchSpec)
    return request.spec


def test_options_go_where_they_belong() -> None:
    request = job_requests.to_train(
        "adult",
        algorithm="xgboost",
        hyperparameters={"max_depth": 3},
        features="auto",
        test="adult-test",
        validation=None,
        vcpus=4,
        max_seconds=120,
        max_cost_usd=None,
        depends_on=["job_" + "0" * 27],
        folds=5,
    )
    assert isinstance(request.spec, TrainSpec)
    assert request.spec.features is not None
    assert (request.spec.features.default, request.spec.test, request.spec.folds) == ("auto", "adult-test", 5)
    assert (request.compute.vcpus, request.max_seconds, request.max_cost_usd) == (4, 120, None)
    assert len(request.depends_on) == 1


def test_one_algorithm_is_one_candidate_with_all_that_is_said_of_it() -> None:
    spec = spec_of(
        search(
            algorithm="mlp", framework="torch", space=SPACE, hyperparameters={"dropout": 0.1}, features="auto", seed=3
        )
    )
    (candidate,) = spec.candidates
    assert candidate.name == "mlp-torch"
    assert candidate.space is not None
    assert candidate.space["learning_rate"] == FloatDistribution(type="float", low=1e-3, high=1.0, log=True)
    assert candidate.hyperparameters == {"dropout": 0.1}
    assert candidate.features is not None
    assert spec.seed == 3
    assert [objective.metric for objective in spec.objectives] == [None]


def test_spaces_may_be_made_of_the_contracts_own_classes() -> None:
    space = {"learning_rate": FloatDistribution(type="float", low=0.1, high=0.2)}
    assert spec_of(search(algorithm="xgboost", space=space)).candidates[0].space == space


def test_candidates_may_be_names_mappings_and_models() -> None:
    spec = spec_of(
        search(
            candidates=["lightgbm", {"algorithm": "xgboost", "space": SPACE}, Candidate(algorithm="linear")],
            objectives=["roc_auc", {"metric": "latency_ms", "direction": "minimize"}],
            num_workers=4,
        )
    )
    assert [candidate.algorithm for candidate in spec.candidates] == ["lightgbm", "xgboost", "linear"]
    assert [objective.metric for objective in spec.objectives] == ["roc_auc", "latency_ms"]
    assert spec.num_workers == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "either one algorithm or several"),
        ({"algorithm": "xgboost", "candidates": ["mlp"]}, "either one algorithm or several"),
        ({"candidates": []}, "either one algorithm or several"),
        ({"candidates": ["mlp", "xgboost"], "space": SPACE}, "space: of several candidates each has its own"),
    ],
)
def test_what_contradicts_itself_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        search(**arguments)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"space": {"max_depth": {"type": "int", "low": 5, "high": 2}}}, "space.max_depth"),
        ({"sampler": "magic"}, "sampler"),
        ({"max_trials": 0}, "max_trials"),
        ({"num_workers": 101}, "num_workers"),
        ({"max_model_bytes": 0}, "max_model_bytes"),
        ({"surprise": 1}, "surprise"),
        ({"max_seconds": 5}, "max_seconds"),
        ({"objectives": ["a", "b", "c", "d"]}, "objectives"),
    ],
)
def test_e5_faults_are_named_before_anything_is_sent(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        search(algorithm="xgboost", **arguments)
    assert [field in detail.location for detail in caught.value.details] == [True]


def test_autotrain_has_no_candidates_of_the_callers() -> None:
    request = job_requests.to_autotrain("adult@3", preset="small", algorithms=["xgboost"], max_latency_ms=0.5)
    assert isinstance(request.spec, AutotrainSpec)
    assert (request.spec.dataset, request.spec.preset, request.spec.algorithms) == ("adult@3", "small", ["xgboost"])
    assert request.max_seconds == 3600
    with pytest.raises(InvalidRequestError):
        job_requests.to_autotrain("adult", preset="quick")
