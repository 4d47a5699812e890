"""Models and their versions: registered once per training job, held while an endpoint serves them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Artifact, Job, ModelRef, PrepareSpec
from aimass_core.domain.models import ArtifactName, Model, ModelUpdate, ModelVersion, ModelVersionDetail
from aimass_core.domain.signatures import Card, Signature
from aimass_core.errors import (
    AlreadyExistsError,
    ConflictError,
    InternalError,
    NotFoundError,
    StaleRevisionError,
    UnavailableError,
)
from aimass_core.ports import Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import job_results, platform, records
from aimass_core.services.job_results import KeyOf

_MAX_WRITES = 12


@dataclass(frozen=True, slots=True)
class VersionKey:
    """Which version of which model."""

    model_id: str
    number: int


def register(
    ports: Ports, job: Job, artifacts: Sequence[Artifact], *, key_of: KeyOf, metrics: Mapping[str, float]
) -> ModelRef:
    """Makes the model version of a job from verified artifacts; called again, it answers the same one.

    The number is reserved for the job first, so the copies below it are the job's alone; the version's row comes last,
    so it never names bytes that are not there. Raises ResultError where the copied bytes are not the job's.
    """
    principal = platform.principal("job_events", job.workspace_id)
    reserved = _reserve_number(ports, principal, job)
    model = records.get(ports, Model, job.workspace_id, reserved.model_id)
    ref = ModelRef(model_id=model.id, model_name=model.name, number=reserved.number)
    version_key = keys.row(job.workspace_id, ModelVersion.resource, reserved.model_id, reserved.number)
    if ports.registry.get(version_key) is not None:
        return ref
    copied = [
        _copy_artifact(ports, job, artifact, source_key=key_of(artifact), target=reserved)
        for artifact in job_results.model_artifacts(artifacts).values()
    ]
    fields = records.new_fields(ports, principal, ModelVersion)
    version = _build_version(ports, job, model, fields | {"number": reserved.number, "metrics": metrics}, copied)
    _commit_version(ports, principal, version)
    return ref


def list_models(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[Model], str | None]:
    """A page of the workspace's models, newest first."""
    return records.list_page(ports, Model, principal.workspace_id, limit=limit, start=start)


def get(ports: Ports, principal: Principal, id_or_name: str) -> Model:
    """One model. Raises NotFoundError."""
    return records.find(ports, Model, principal.workspace_id, id_or_name)


def update(ports: Ports, principal: Principal, id_or_name: str, request: ModelUpdate, *, revision: int) -> Model:
    """Changes the description. Raises StaleRevisionError where `revision` is not the stored one."""
    model = get(ports, principal, id_or_name)
    records.require_revision(model, revision)
    return records.save(ports, model, model.id, principal=principal, description=request.description)


def delete(ports: Ports, principal: Principal, id_or_name: str) -> None:
    """Deletes a model with all its versions. Raises ConflictError while an endpoint holds one of them."""
    model = get(ports, principal, id_or_name)
    versions = _all_versions(ports, principal, model)
    for version in versions:
        _require_free(version)
    for version in versions:
        _delete_version(ports, principal, version)
    model = records.get(ports, Model, principal.workspace_id, model.id)
    name_key = keys.name_row(principal.workspace_id, Model.resource, model.name)
    model_key = keys.row(principal.workspace_id, Model.resource, model.id)
    try:
        ports.registry.write(
            Delete(key=model_key, expected=model.revision),
            Delete(key=name_key, expected=1),
            records.audit(ports, principal, "model.delete", model),
        )
    except WriteConflictError as error:
        raise ConflictError(f"The model {model.name!r} got a new version in this moment. Delete it again.") from error


def list_versions(
    ports: Ports, principal: Principal, id_or_name: str, *, limit: int, start: str | None = None
) -> tuple[list[ModelVersion], str | None]:
    """A page of a model's versions, newest first."""
    model = get(ports, principal, id_or_name)
    return records.list_page(ports, ModelVersion, principal.workspace_id, model.id, limit=limit, start=start)


def get_version(ports: Ports, principal: Principal, id_or_name: str, number: int | None = None) -> ModelVersion:
    """One version; without a number the latest. Raises NotFoundError."""
    model = get(ports, principal, id_or_name)
    number = number or model.latest_version
    if number is None:
        raise NotFoundError(f"The model {model.name!r} has no version.")
    return records.get(ports, ModelVersion, principal.workspace_id, model.id, number)


def get_version_detail(ports: Ports, principal: Principal, id_or_name: str, number: int) -> ModelVersionDetail:
    """One version with its signature, its card and links to its artifacts."""
    version = get_version(ports, principal, id_or_name, number)
    links = {
        artifact.name: ports.lake.sign_get(
            _object(version, artifact.name),
            expires_seconds=job_results.LINK_SECONDS,
            download_name=f"{version.model_name}-{version.number}-{artifact.name}",
        )
        for artifact in version.artifacts
    }
    return ModelVersionDetail(
        **version.model_dump(),
        signature=load_signature(ports, version),
        card=Card.model_validate_json(ports.lake.get(_object(version, ArtifactName.CARD))),
        links=links,
    )


def load_signature(ports: Ports, version: ModelVersion) -> Signature:
    """What the version takes and gives."""
    return Signature.model_validate_json(ports.lake.get(_object(version, ArtifactName.SIGNATURE)))


def delete_version(ports: Ports, principal: Principal, id_or_name: str, number: int) -> None:
    """Deletes one version, then its bytes. Raises ConflictError while an endpoint holds it."""
    version = get_version(ports, principal, id_or_name, number)
    _require_free(version)
    _delete_version(ports, principal, version)


def hold_writes(
    ports: Ports, workspace_id: str, endpoint_id: str, *, before: Iterable[VersionKey], after: Iterable[VersionKey]
) -> list[Write]:
    """What an endpoint writes beside itself, so that the versions which it names cannot be deleted.

    Raises NotFoundError where one of them is gone already.
    """
    former, wanted = set(before), set(after)
    writes: list[Write] = []
    for key in sorted(former ^ wanted, key=lambda key: (key.model_id, key.number)):
        version = records.get(ports, ModelVersion, workspace_id, key.model_id, key.number)
        others = [held_by for held_by in version.endpoints if held_by != endpoint_id]
        holders = [*others, endpoint_id] if key in wanted else others
        changed = version.model_copy(update={"endpoints": holders, "revision": version.revision + 1})
        writes.append(Put(row=records.to_row(changed, key.model_id, key.number), expected=version.revision))
    return writes


def _reserve_number(ports: Ports, principal: Principal, job: Job) -> VersionKey:
    reservation = keys.row(job.workspace_id, "job_model", job.id)
    for _ in range(_MAX_WRITES):
        row = ports.registry.get(reservation)
        if row is not None:
            reserved = VersionKey(str(row.data["model_id"]), int(row.data["number"]))
            if ports.registry.get(keys.row(job.workspace_id, Model.resource, reserved.model_id)) is not None:
                return reserved
            ports.registry.write(Delete(key=reservation, expected=row.revision))  # the model was deleted meanwhile
        model = _find_or_create_model(ports, principal, job)
        number = model.last_number + 1
        new_row = Row(key=reservation, data={"model_id": model.id, "number": number}, revision=1)
        try:
            records.save(ports, model, model.id, last_number=number, also=[Put(row=new_row)])
        except (StaleRevisionError, WriteConflictError):
            continue
        return VersionKey(model.id, number)
    raise UnavailableError("The model changes too quickly. Try again.")


def _find_or_create_model(ports: Ports, principal: Principal, job: Job) -> Model:
    name = _model_name(job)
    try:
        return records.find(ports, Model, job.workspace_id, name)
    except NotFoundError:
        model = Model(**records.new_fields(ports, principal, Model), name=name)
    try:
        return records.create(ports, principal, model, name=name)
    except AlreadyExistsError:
        return records.find(ports, Model, job.workspace_id, name)


def _copy_artifact(ports: Ports, job: Job, artifact: Artifact, *, source_key: str, target: VersionKey) -> Artifact:
    name = artifact.name.removeprefix(job_results.MODEL_FOLDER)
    key = keys.model_object(job.workspace_id, target.model_id, target.number, name)
    ports.lake.copy(source_key, key)
    if job_results.read_digest(ports, key) != artifact.sha256:
        raise job_results.changed(job, artifact)
    return artifact.model_copy(update={"name": name})


def _build_version(
    ports: Ports, job: Job, model: Model, fields: dict[str, Any], artifacts: list[Artifact]
) -> ModelVersion:
    card_key = keys.model_object(job.workspace_id, model.id, fields["number"], ArtifactName.CARD)
    card = Card.model_validate_json(ports.lake.get(card_key))
    graph = next(artifact for artifact in artifacts if artifact.name == ArtifactName.MODEL)
    return ModelVersion(
        **fields,
        model_id=model.id,
        model_name=model.name,
        job_id=job.id,
        algorithm=card.algorithm,
        task=card.task,
        primary_metric=card.primary_metric,
        datasets=job.channels,
        artifacts=artifacts,
        digest=graph.sha256,
        model_bytes=graph.num_bytes,
    )


def _commit_version(ports: Ports, principal: Principal, version: ModelVersion) -> None:
    row = records.to_row(version, version.model_id, version.number)
    also = [Put(row=row), records.audit(ports, principal, "model_version.create", version)]
    for _ in range(_MAX_WRITES):
        if ports.registry.get(row.key) is not None:
            return
        model = records.get(ports, Model, version.workspace_id, version.model_id)
        latest = max(model.latest_version or 0, version.number)
        try:
            records.save(ports, model, model.id, latest_version=latest, also=also)
        except (StaleRevisionError, WriteConflictError):
            continue
        return
    raise UnavailableError(f"The model {version.model_name!r} changes too quickly. Try again.")


def _delete_version(ports: Ports, principal: Principal, version: ModelVersion) -> None:
    key = keys.row(version.workspace_id, ModelVersion.resource, version.model_id, version.number)
    model = records.get(ports, Model, version.workspace_id, version.model_id)
    changes: dict[str, Any] = {}
    if model.latest_version == version.number:
        page = ports.registry.query(
            key.partition, keys.row_prefix(ModelVersion.resource, model.id), limit=1, start=key.sort, newest_first=True
        )
        changes["latest_version"] = int(page.rows[0].data["number"]) if page.rows else None
    audit = records.audit(ports, principal, "model_version.delete", version, number=version.number)
    try:
        records.save(ports, model, model.id, also=[Delete(key=key, expected=version.revision), audit], **changes)
    except (StaleRevisionError, WriteConflictError) as error:
        raise ConflictError(
            f"Version {version.number} of {version.model_name!r} is being used in this moment. Read it again."
        ) from error
    for artifact in version.artifacts:
        ports.lake.delete(_object(version, artifact.name))


def _all_versions(ports: Ports, principal: Principal, model: Model) -> list[ModelVersion]:
    versions: list[ModelVersion] = []
    start: str | None = None
    while True:
        page, start = records.list_page(ports, ModelVersion, principal.workspace_id, model.id, limit=100, start=start)
        versions += page
        if start is None:
            return versions


def _require_free(version: ModelVersion) -> None:
    if version.endpoints:
        raise ConflictError(
            f"Version {version.number} of {version.model_name!r} is held by the endpoints "
            f"{', '.join(version.endpoints)}. Delete them, or let them serve another version, first."
        )


def _model_name(job: Job) -> str:
    if isinstance(job.spec, PrepareSpec):
        raise InternalError(f"The job {job.id} is a {job.kind} job: it makes no model.")
    if job.spec.model is not None:
        return job.spec.model
    first = next(iter(job.channels.values()), None)
    return job.kind if first is None else first.dataset_name


def _object(version: ModelVersion, name: str) -> str:
    return keys.model_object(version.workspace_id, version.model_id, version.number, name)
