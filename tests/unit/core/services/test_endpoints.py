"""A bad candidate never serves, and never takes the place of one that does."""

import math
from collections.abc import Mapping
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryPredictor
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoints import Endpoint, EndpointCreate, EndpointStatus, EndpointUpdate
from aimass_core.domain.jobs import JobStatus
from aimass_core.errors import (
    AlreadyExistsError,
    InternalError,
    NotFoundError,
    StaleRevisionError,
    UnavailableError,
)
from aimass_core.services import dispatch, endpoints, models
from tests.factories.platform import (
    GOLDEN,
    add_dataset,
    add_job,
    add_version,
    leave_result,
    new_ports,
    new_principal,
    tell,
)


class ScriptedPredictor:
    """Answers by the number of the model version; the golden answer where nothing else is said."""

    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(payload)
        answer = self.answers.get(payload["number"], {"outputs": GOLDEN.outputs})
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Mapping)
        return answer


@pytest.fixture
def predictor() -> ScriptedPredictor:
    return ScriptedPredictor()


@pytest.fixture
def ports(predictor: ScriptedPredictor) -> MemoryPorts:
    ports = new_ports()
    ports.predictor = MemoryPredictor(predictor)
    return ports


@pytest.fixture
def principal(ports: MemoryPorts) -> Principal:
    """With two versions of the model `adult`."""
    principal = new_principal()
    add_version(ports, principal, add_dataset(ports, principal))
    for body in (b"first", b"second"):
        job = add_job(ports, principal)
        job = dispatch.dispatch(ports, job.workspace_id, job.id)
        leave_result(ports, job, model=body)
        tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    return principal


def deploy(ports: MemoryPorts, principal: Principal, model: str = "adult@1") -> Endpoint:
    endpoint = endpoints.create(ports, principal, EndpointCreate(model=model))
    return endpoints.activate(ports, endpoint.workspace_id, endpoint.id)


def update(ports: MemoryPorts, principal: Principal, model: str) -> Endpoint:
    revision = endpoints.get(ports, principal, "adult").revision
    endpoint = endpoints.update(ports, principal, "adult", EndpointUpdate(model=model), revision=revision)
    return endpoints.activate(ports, endpoint.workspace_id, endpoint.id)


def test_endpoint_is_ready_after_the_golden_answer(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor
) -> None:
    created = endpoints.create(ports, principal, EndpointCreate(model="adult"))
    assert (created.name, created.status, created.serving) == ("adult", EndpointStatus.CREATING, None)
    ready = endpoints.activate(ports, created.workspace_id, created.id)
    assert ready.status is EndpointStatus.READY
    assert ready.serving == created.candidate
    assert ready.serving is not None
    assert ready.serving.number == 2, "without a number the latest"
    assert predictor.asked == [
        {
            "workspace_id": principal.workspace_id,
            "model_id": ready.serving.model_id,
            "number": 2,
            "digest": ready.serving.digest,
            "inputs": GOLDEN.inputs,
        }
    ]
    assert endpoints.activate(ports, created.workspace_id, created.id) == ready, "idempotent"
    detail = endpoints.to_detail(ports, ready)
    assert (detail.infer_path, detail.predict_path) == ("/v2/models/adult/infer", "/v1/endpoints/adult/predict")
    assert detail.signature is not None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": {"code": "digest_mismatch", "message": "The model's bytes changed."}}, "bytes changed"),
        ({"outputs": {"label": ["no"], "probabilities": [[0.25, 0.75]]}}, "label.0. is 'no' instead of 'yes'"),
        ({"outputs": {"label": ["yes"], "probabilities": [[0.26, 0.74]]}}, "0.26 instead of 0.25"),
        ({"outputs": {"label": ["yes"], "probabilities": [[0.25]]}}, "1 values instead of 2"),
        ({"outputs": {"label": ["yes"], "probabilities": [[None, 0.75]]}}, "None instead of 0.25"),
        ({"outputs": {"label": ["yes"], "probabilities": [[math.nan, 0.75]]}}, "nan instead of 0.25"),
        ({"outputs": {"label": ["yes"]}}, "'probabilities'"),
        ({}, "has not"),
    ],
)
def test_wrong_answer_fails_the_endpoint(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor, answer: Any, words: str
) -> None:
    predictor.answers[1] = answer
    failed = deploy(ports, principal)
    assert (failed.status, failed.serving) == (EndpointStatus.FAILED, None)
    assert words.replace(".0.", "[0]") in (failed.status_reason or "")


def test_predictions_function_that_breaks_on_the_model_rejects_it(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor
) -> None:
    predictor.answers[1] = InternalError("The predictions function broke: out of memory")
    failed = deploy(ports, principal)
    assert failed.status is EndpointStatus.FAILED
    assert "out of memory" in (failed.status_reason or "")


def test_answer_within_the_tolerance_is_right(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor
) -> None:
    predictor.answers[1] = {"outputs": {"label": ["yes"], "probabilities": [[0.25004, 0.74996]], "extra": [1]}}
    assert deploy(ports, principal).status is EndpointStatus.READY


def test_bad_update_leaves_the_former_version_serving(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor
) -> None:
    serving = deploy(ports, principal).serving
    predictor.answers[2] = {"outputs": {"label": ["no"], "probabilities": [[0.9, 0.1]]}}
    after = update(ports, principal, "adult@2")
    assert (after.status, after.serving, after.candidate) == (EndpointStatus.READY, serving, None)
    assert "adult@1 still serves" in (after.status_reason or "")
    assert models.get_version(ports, principal, "adult", 2).endpoints == []
    models.delete_version(ports, principal, "adult", 2)


def test_good_update_replaces_and_frees_the_former_version(ports: MemoryPorts, principal: Principal) -> None:
    endpoint = deploy(ports, principal)
    after = update(ports, principal, "adult@2")
    assert after.serving is not None
    assert (after.status, after.serving.number, after.status_reason) == (EndpointStatus.READY, 2, None)
    assert models.get_version(ports, principal, "adult", 1).endpoints == []
    assert models.get_version(ports, principal, "adult", 2).endpoints == [endpoint.id]


def test_update_to_the_same_version_keeps_its_hold(ports: MemoryPorts, principal: Principal) -> None:
    endpoint = deploy(ports, principal)
    update(ports, principal, "adult@1")
    assert models.get_version(ports, principal, "adult", 1).endpoints == [endpoint.id]


def test_failed_endpoint_can_be_given_another_version(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor
) -> None:
    predictor.answers[1] = {"error": {"code": "broken", "message": "broken"}}
    deploy(ports, principal)
    assert update(ports, principal, "adult@2").status is EndpointStatus.READY


def test_verification_of_a_candidate_that_was_replaced_meanwhile_changes_nothing(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor
) -> None:
    endpoint = endpoints.create(ports, principal, EndpointCreate(model="adult@1"))

    def replace_meanwhile(payload: Mapping[str, Any]) -> Mapping[str, Any]:
        if payload["number"] == 1:
            request = EndpointUpdate(model="adult@2")
            endpoints.update(ports, principal, "adult", request, revision=endpoint.revision)
        return {"outputs": GOLDEN.outputs}

    ports.predictor = MemoryPredictor(replace_meanwhile)
    after = endpoints.activate(ports, endpoint.workspace_id, endpoint.id)
    assert after.candidate is not None
    assert (after.status, after.serving, after.candidate.number) == (EndpointStatus.CREATING, None, 2)


def test_predictions_function_that_cannot_be_asked_is_tried_again(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor
) -> None:
    predictor.answers[1] = UnavailableError("throttled")
    with pytest.raises(UnavailableError):
        deploy(ports, principal)
    assert endpoints.get(ports, principal, "adult").status is EndpointStatus.CREATING


@pytest.mark.parametrize("body", [None, b"{", b'{"inputs": 1}'])
def test_damaged_golden_request_is_a_failure(ports: MemoryPorts, principal: Principal, body: bytes | None) -> None:
    version = models.get_version(ports, principal, "adult", 1)
    key = keys.model_object(principal.workspace_id, version.model_id, 1, "golden.json")
    ports.lake.delete(key) if body is None else ports.lake.put(key, body)
    assert "golden" in (deploy(ports, principal).status_reason or "")


def test_names_are_unique_and_freed_by_delete(ports: MemoryPorts, principal: Principal) -> None:
    deploy(ports, principal)
    with pytest.raises(AlreadyExistsError):
        deploy(ports, principal)
    endpoints.delete(ports, principal, "adult")
    assert models.get_version(ports, principal, "adult", 1).endpoints == []
    with pytest.raises(NotFoundError):
        endpoints.get(ports, principal, "adult")
    deploy(ports, principal)


def test_stale_update_is_refused(ports: MemoryPorts, principal: Principal) -> None:
    endpoint = deploy(ports, principal)
    with pytest.raises(StaleRevisionError):
        endpoints.update(ports, principal, "adult", EndpointUpdate(model="adult@2"), revision=endpoint.revision - 1)


def test_model_of_another_workspace_is_not_found(ports: MemoryPorts, principal: Principal) -> None:
    with pytest.raises(NotFoundError):
        endpoints.create(ports, new_principal(), EndpointCreate(model="adult"))
