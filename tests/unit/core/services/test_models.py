"""Model versions: made once, held by endpoints, deleted with their bytes."""

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoints import EndpointCreate
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.models import ArtifactName, ModelUpdate
from aimass_core.errors import ConflictError, NotFoundError, StaleRevisionError
from aimass_core.services import dispatch, endpoints, job_results, models
from tests.factories.platform import (
    add_job,
    artifact_key,
    leave_result,
    new_principal,
    reload,
    tell,
)


def train(ports: MemoryPorts, principal: Principal, *, model: bytes = b"onnx") -> Job:
    job = add_job(ports, principal)
    job = dispatch.dispatch(ports, job.workspace_id, job.id)
    leave_result(ports, job, model=model)
    return tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)


def test_version_detail_has_card_signature_and_links(ports: MemoryPorts, principal: Principal) -> None:
    job = train(ports, principal)
    detail = models.get_version_detail(ports, principal, "adult", 1)
    assert (detail.job_id, detail.algorithm, detail.primary_metric) == (job.id, "xgboost", "roc_auc")
    assert detail.signature.labels == ["no", "yes"]
    assert detail.links.keys() == set(ArtifactName) - {ArtifactName.FUSION, ArtifactName.EXPERTS}
    assert detail.datasets == job.channels
    assert detail.latency_ms == detail.card.latency_ms == 0.5


def test_registering_again_answers_the_same_version(ports: MemoryPorts, principal: Principal) -> None:
    job = train(ports, principal)
    result = job_results.load_verified(ports, job, attempt=1)
    again = models.register(
        ports,
        job,
        result.artifacts,
        key_of=lambda artifact: job_results.artifact_key(job, result, artifact),
        metrics=result.metrics,
    )
    assert again == job.model_version
    assert models.get(ports, principal, "adult").last_number == 1


def test_registered_bytes_do_not_follow_a_later_change_of_the_jobs(ports: MemoryPorts, principal: Principal) -> None:
    job = train(ports, principal)
    ports.lake.put(artifact_key(job, "model/model.onnx"), b"evil")
    version = models.get_version(ports, principal, "adult", 1)
    key = keys.model_object(job.workspace_id, version.model_id, 1, "model.onnx")
    assert job_results.read_digest(ports, key) == version.digest


def test_update_needs_the_current_revision(ports: MemoryPorts, principal: Principal) -> None:
    train(ports, principal)
    model = models.get(ports, principal, "adult")
    updated = models.update(ports, principal, "adult", ModelUpdate(description="income"), revision=model.revision)
    assert updated.description == "income"
    with pytest.raises(StaleRevisionError):
        models.update(ports, principal, "adult", ModelUpdate(description="x"), revision=model.revision)


def test_deleted_version_is_gone_with_its_bytes_and_its_number(ports: MemoryPorts, principal: Principal) -> None:
    train(ports, principal)
    job = train(ports, principal)
    models.delete_version(ports, principal, "adult", 2)
    model = models.get(ports, principal, "adult")
    assert model.latest_version == 1
    assert list(ports.lake.list(f"models/{job.workspace_id}/{model.id}/00000002/")) == []
    assert reload(ports, job).model_version is not None, "the job remembers"
    assert train(ports, principal).model_version == job.model_version.model_copy(  # type: ignore[union-attr]
        update={"number": 3}
    )


def test_version_that_an_endpoint_holds_cannot_be_deleted(ports: MemoryPorts, principal: Principal) -> None:
    train(ports, principal)
    endpoint = endpoints.create(ports, principal, EndpointCreate(model="adult"))
    with pytest.raises(ConflictError, match=endpoint.id):
        models.delete_version(ports, principal, "adult", 1)
    with pytest.raises(ConflictError, match=endpoint.id):
        models.delete(ports, principal, "adult")
    endpoints.delete(ports, principal, "adult")
    models.delete_version(ports, principal, "adult", 1)
    assert models.get(ports, principal, "adult").latest_version is None


def test_delete_that_races_a_deploy_is_refused(ports: MemoryPorts, principal: Principal) -> None:
    train(ports, principal)
    seen = models.get_version(ports, principal, "adult", 1)
    endpoints.create(ports, principal, EndpointCreate(model="adult"))
    with pytest.raises(ConflictError, match="being used"):
        models._delete_version(ports, principal, seen)
    assert models.get_version(ports, principal, "adult", 1).endpoints


def test_deleted_model_frees_its_name(ports: MemoryPorts, principal: Principal) -> None:
    train(ports, principal)
    train(ports, principal)
    models.delete(ports, principal, "adult")
    with pytest.raises(NotFoundError):
        models.get(ports, principal, "adult")
    assert list(ports.lake.list(f"models/{principal.workspace_id}/")) == []
    assert train(ports, principal).model_version is not None


def test_models_of_another_workspace_are_not_found(ports: MemoryPorts, principal: Principal) -> None:
    train(ports, principal)
    with pytest.raises(NotFoundError):
        models.get(ports, new_principal(), models.get(ports, principal, "adult").id)
