"""Models and their versions: registered once per job, held while something needs them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.batch_predictions import PredictSpec
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Artifact, CollectSpec, IngestSpec, Job, ModelRef, ReportSpec
from aimass_core.domain.models import ArtifactName, Model, ModelUpdate, ModelVersion, ModelVersionDetail
from aimass_core.domain.recipes import PrepareSpec
from aimass_core.domain.signatures import Card, Signature
from aimass_core.domain.transfers import ExportSpec, ImportWorkspaceSpec
from aimass_core.errors import (
    AlreadyExistsError,
    ConflictError,
    InternalError,
    NotFoundError,
    StaleRevisionError,
    UnavailableError,
)
from aimass_core.ports import Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import audit, job_models, job_results, platform, records
from aimass_core.services.job_results import KeyOf

_MAX_WRITES = 12
_MAX_NAME = 63
_WITHOUT_MODEL = (IngestSpec, PrepareSpec, PredictSpec, CollectSpec, ReportSpec, ExportSpec, ImportWorkspaceSpec)


@dataclass(frozen=True, slots=True)
class VersionKey:
    """Which version of which model."""

    model_id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    """What a job registers: its model, or a part of it, each once."""

    model_name: str
    part: str | None = None

    def reservation(self, job: Job) -> keys.RowKey:
        """The row that keeps the number for it."""
        return keys.row(job.workspace_id, "job_model", job.id, *([self.part] if self.part else []))


def register(
    ports: Ports, job: Job, artifacts: Sequence[Artifact], *, key_of: KeyOf, metrics: Mapping[str, float]
) -> ModelRef:
    """Makes the model version of a job from verified artifacts; called again, it answers the same one.

    The number is reserved for the job first, so the copies below it are the job's alone; the version's row comes last,
    so it never names bytes that are not there. The parts of a decomposition become versions in the same way, before the
    whole that names them. Raises ResultError where the copied bytes are not the job's.
    """
    parts = {
        name: _register(
            ports,
            job,
            job_results.model_artifacts(artifacts, folder=job_results.part_folder(name)),
            key_of=key_of,
            slot=_Slot(model_name=_part_name(_model_name(job), name), part=name),
        )
        for name in job_results.part_names(job, artifacts)
    }
    fields = {"metrics": metrics, "parents": job_models.parents_of(job), "parts": parts}
    slot = _Slot(model_name=_model_name(job))
    return _register(ports, job, job_results.model_artifacts(artifacts), key_of=key_of, slot=slot, **fields)


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
    """Deletes a model with all its versions. Raises ConflictError while one of them is held (see `delete_version`)."""
    model = get(ports, principal, id_or_name)
    versions = _all_versions(ports, principal, model)
    _require_free(ports, versions)
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
    return records.get_version(ports, ModelVersion, model, number)


def get_version_detail(ports: Ports, principal: Principal, id_or_name: str, number: int) -> ModelVersionDetail:
    """One version with its signature, its card and links to its artifacts."""
    version = get_version(ports, principal, id_or_name, number)
    audit.record_read(ports, principal, "model_version.artifacts.read", version)
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
    """Deletes one version, then its bytes. Models that were made of it stand on their own, and still name it.

    Raises ConflictError while it is held: by an endpoint, by a job that works on it and has not ended, by the
    decomposition of which it is a part, or by a fusion that is served with its members apart.
    """
    version = get_version(ports, principal, id_or_name, number)
    _require_free(ports, [version])
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


def _register(
    ports: Ports, job: Job, artifacts: Mapping[ArtifactName, Artifact], *, key_of: KeyOf, slot: _Slot, **fields: Any
) -> ModelRef:
    principal = platform.principal("job_events", job.workspace_id)
    reserved = _reserve_number(ports, principal, job, slot)
    model = records.get(ports, Model, job.workspace_id, reserved.model_id)
    ref = ModelRef(model_id=model.id, model_name=model.name, number=reserved.number)
    version_key = keys.row(job.workspace_id, ModelVersion.resource, reserved.model_id, reserved.number)
    if ports.registry.get(version_key) is not None:
        return ref
    copied = [
        _copy_artifact(ports, job, artifact, name=name, source_key=key_of(artifact), target=reserved)
        for name, artifact in artifacts.items()
    ]
    known = {**records.new_fields(ports, principal, ModelVersion), "number": reserved.number, "part": slot.part}
    commit_version(ports, principal, _build_version(ports, job, model, {**known, **fields}, copied))
    return ref


def _reserve_number(ports: Ports, principal: Principal, job: Job, slot: _Slot) -> VersionKey:
    reservation = slot.reservation(job)
    for _ in range(_MAX_WRITES):
        row = ports.registry.get(reservation)
        if row is not None:
            reserved = VersionKey(str(row.data["model_id"]), int(row.data["number"]))
            if ports.registry.get(keys.row(job.workspace_id, Model.resource, reserved.model_id)) is not None:
                return reserved
            ports.registry.write(Delete(key=reservation, expected=row.revision))  # the model was deleted meanwhile
        model = _find_or_create_model(ports, principal, slot.model_name)
        number = model.last_number + 1
        new_row = Row(key=reservation, data={"model_id": model.id, "number": number}, revision=1)
        try:
            records.save(ports, model, model.id, last_number=number, also=[Put(row=new_row)])
        except (StaleRevisionError, WriteConflictError):
            continue
        return VersionKey(model.id, number)
    raise UnavailableError("The model changes too quickly. Try again.")


def _find_or_create_model(ports: Ports, principal: Principal, name: str) -> Model:
    try:
        return records.find(ports, Model, principal.workspace_id, name)
    except NotFoundError:
        model = Model(**records.new_fields(ports, principal, Model), name=name)
    try:
        return records.create(ports, principal, model, name=name)
    except AlreadyExistsError:
        return records.find(ports, Model, principal.workspace_id, name)


def _copy_artifact(
    ports: Ports, job: Job, artifact: Artifact, *, name: ArtifactName, source_key: str, target: VersionKey
) -> Artifact:
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
        **{"metrics": card.to_metrics(), **fields},
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
        latency_ms=card.latency_ms,
    )


def commit_version(ports: Ports, principal: Principal, version: ModelVersion) -> None:
    """Writes the row of a version whose bytes are in place. Idempotent."""
    row = records.to_row(version, version.model_id, version.number)
    also = [Put(row=row), records.audit(ports, principal, "model_version.create", version)]
    for _ in range(_MAX_WRITES):
        if ports.registry.get(row.key) is not None:
            return
        model = records.get(ports, Model, version.workspace_id, version.model_id)
        latest = max(model.latest_version or 0, version.number)
        try:
            records.save(ports, model, model.id, latest_version=latest, also=[*also, *_hold_members(ports, version)])
        except (StaleRevisionError, WriteConflictError):
            continue
        return
    raise UnavailableError(f"The model {version.model_name!r} changes too quickly. Try again.")


def _hold_members(ports: Ports, version: ModelVersion) -> list[Write]:
    """A fusion that is served with its members apart cannot do without them."""
    if not any(artifact.name == ArtifactName.FUSION for artifact in version.artifacts):
        return []
    fusion = ModelRef(model_id=version.model_id, model_name=version.model_name, number=version.number)
    writes: list[Write] = []
    for parent in version.parents:
        member = records.get(ports, ModelVersion, version.workspace_id, parent.model_id, parent.number)
        held = member.model_copy(update={"fusions": [*member.fusions, fusion], "revision": member.revision + 1})
        writes.append(Put(row=records.to_row(held, parent.model_id, parent.number), expected=member.revision))
    return writes


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


def _require_free(ports: Ports, versions: Sequence[ModelVersion]) -> None:
    """NOTE: the versions were read before this looks for jobs, and a job changes what it is given when it is submitted:
    so who comes later is met by the revision that is deleted."""
    users = job_models.list_users(ports, versions[0].workspace_id) if versions else {}
    for version in versions:
        name = f"Version {version.number} of {version.model_name!r}"
        if version.endpoints:
            raise ConflictError(
                f"{name} is held by the endpoints {', '.join(version.endpoints)}. Delete them, or let them serve "
                "another version, first."
            )
        if job_id := users.get((version.model_id, version.number)):
            raise ConflictError(
                f"{name} is held by the job {job_id}, which works on it. Wait for it, or stop it (aimass jobs stop "
                f"{job_id}), first."
            )
        if fusion := next((each for each in version.fusions if _exists(ports, version, each)), None):
            raise ConflictError(
                f"{name} is a member of the fusion {fusion.model_name}@{fusion.number}, which is served with its "
                "members apart. Delete that first."
            )
        if version.part is not None:
            _require_no_whole(ports, version, name=name)


def _require_no_whole(ports: Ports, part: ModelVersion, *, name: str) -> None:
    job = records.get(ports, Job, part.workspace_id, part.job_id)
    if not job.status.is_terminal:
        raise ConflictError(f"{name} is a part of what the job {job.id} makes. Wait until it has ended.")
    whole = job.model_version
    if whole is not None and _exists(ports, part, whole):
        raise ConflictError(
            f"{name} is {part.part!r} of the decomposition {whole.model_name}@{whole.number}. Delete that first."
        )


def _exists(ports: Ports, beside: ModelVersion, ref: ModelRef) -> bool:
    key = keys.row(beside.workspace_id, ModelVersion.resource, ref.model_id, ref.number)
    return ports.registry.get(key) is not None


def _model_name(job: Job) -> str:
    if isinstance(job.spec, _WITHOUT_MODEL):
        raise InternalError(f"The job {job.id} is a {job.kind} job: it makes no model.")
    if job.spec.model is not None:
        return job.spec.model
    first = next(iter(job.channels.values()), None)
    return job.kind if first is None else first.dataset_name


def _part_name(model_name: str, part: str) -> str:
    ending = f"-{part}"
    return model_name[: _MAX_NAME - len(ending)] + ending


def _object(version: ModelVersion, name: str) -> str:
    return keys.model_object(version.workspace_id, version.model_id, version.number, name)
