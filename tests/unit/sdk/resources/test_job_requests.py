"""Requests for jobs, from the arguments of the SDK."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from aimass.resources import job_requests
from aimass.resources.datasets import DatasetVersion
from aimass.resources.models import Model, ModelVersion
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.datasets import DatasetVersionStatus, WriteMode
from aimass_core.domain.decomposition import DecomposeSpec, PartSpec
from aimass_core.domain.distributions import FloatDistribution
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.jobs import JobCreate, ModelRef
from aimass_core.domain.signatures import Task
from aimass_core.domain.study_specs import AutotrainSpec, Candidate, SearchSpec
from aimass_core.domain.training import LearningSpec, TrainSpec
from aimass_core.errors import InvalidRequestError

SPACE = {"learning_rate": {"type": "float", "low": 1e-3, "high": 1.0, "log": True}}
_AT = datetime(2026, 11, 23, tzinfo=UTC)
_RESOURCE: dict[str, Any] = {"id": "x", "workspace_id": "ws_1", "created_at": _AT, "updated_at": _AT, "created_by": "k"}
MODEL = Model(**_RESOURCE, name="other")
VERSION = ModelVersion(
    **_RESOURCE,
    model_id="mdl_1",
    model_name="adult",
    number=3,
    job_id="job_1",
    algorithm="xgboost",
    task=Task.BINARY,
    metrics={},
    primary_metric="roc_auc",
    artifacts=[],
    digest="d" * 64,
    model_bytes=1,
)
DATA = DatasetVersion(
    **_RESOURCE,
    dataset_id="ds_1",
    dataset_name="adult",
    number=2,
    status=DatasetVersionStatus.READY,
    mode=WriteMode.REPLACE,
)


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


def test_models_are_named_by_text_version_or_what_a_job_made() -> None:
    made = ModelRef(model_id="mdl_1", model_name="adult-net", number=2)
    request = job_requests.to_fuse(["adult@1", VERSION, made, MODEL], vcpus=2)
    assert isinstance(request.spec, FuseSpec)
    assert request.spec.members == ["adult@1", "adult@3", "adult-net@2", "other"]
    assert request.compute.vcpus == 2


def test_compression_is_bounded_by_limits_and_judged_by_data() -> None:
    request = job_requests.to_compress(
        VERSION,
        max_model_bytes=50_000,
        max_metric_drop=None,
        device="lambda-512mb",
        methods=["quantization", "factorization"],
        data={"dataset": DATA, "target": "income"},
        max_seconds=300,
        depends_on=["job_" + "0" * 27],
    )
    spec = request.spec
    assert isinstance(spec, CompressSpec)
    assert (spec.parent, spec.max_model_bytes, spec.max_metric_drop) == ("adult@3", 50_000, 0.01)
    assert (spec.device, spec.methods) == ("lambda-512mb", ["quantization", "factorization"])
    assert spec.data is not None
    assert (spec.data.dataset, spec.data.target) == ("adult@2", "income")
    assert (request.max_seconds, len(request.depends_on)) == (300, 1)


@pytest.mark.parametrize(
    "data", ["adult@2", {"dataset": "adult@2"}, LearningSpec(dataset="adult@2"), {"dataset": "adult@2", "test": None}]
)
def test_data_that_judges_may_be_a_dataset_or_fields(data: Any) -> None:
    spec = job_requests.to_compress("adult", data=data).spec
    assert isinstance(spec, CompressSpec)
    assert spec.data == LearningSpec(dataset="adult@2")


def test_parts_of_a_decomposition_may_be_names_or_have_hyperparameters() -> None:
    request = job_requests.to_decompose(
        "letter",
        method="hierarchy",
        num_experts=5,
        expert={"algorithm": "mlp", "hyperparameters": {"hidden": [16]}},
        gate="linear",
        single=VERSION,
        features=None,
        test="letter-test",
        folds=None,
    )
    spec = request.spec
    assert isinstance(spec, DecomposeSpec)
    assert spec.expert == PartSpec(algorithm="mlp", hyperparameters={"hidden": [16]})
    assert spec.gate == PartSpec(algorithm="linear")
    assert (spec.single, spec.num_experts, spec.test) == ("adult@3", 5, "letter-test")


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: job_requests.to_compress("adult", max_model_bytes=0), "max_model_bytes"),
        (lambda: job_requests.to_compress("adult", max_latency_ms=-1.0), "max_latency_ms"),
        (lambda: job_requests.to_compress("adult", max_metric_drop=1.5), "max_metric_drop"),
        (lambda: job_requests.to_compress("adult", methods=["zip"]), "methods.0"),
        (lambda: job_requests.to_compress("adult", methods=[]), "methods"),
        (lambda: job_requests.to_compress("adult", device="lambda-4tb"), "device"),
        (lambda: job_requests.to_compress("adult", data={"target": "income"}), "data.dataset"),
        (lambda: job_requests.to_compress("Not A Name"), "parent"),
        (lambda: job_requests.to_compress("adult@0"), "parent"),
        (lambda: job_requests.to_fuse(["adult"]), "members"),
        (lambda: job_requests.to_fuse(["adult", "adult"], method="magic"), "method"),
        (lambda: job_requests.to_fuse(["adult", "adult"], out_of_fold=1), "out_of_fold"),
        (lambda: job_requests.to_decompose("letter", num_experts=1), "num_experts"),
        (lambda: job_requests.to_decompose("letter", expert={"hyperparameters": {}}), "expert.algorithm"),
        (lambda: job_requests.to_decompose("letter", surprise=1), "surprise"),
    ],
)
def test_faults_of_model_jobs_are_named_before_anything_is_sent(build: Callable[[], JobCreate], field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        build()
    assert [detail.location.endswith(field) for detail in caught.value.details] == [True]
