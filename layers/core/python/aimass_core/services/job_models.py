"""Which registered models a job works on: references are resolved, pinned by digest, and held while the job lasts."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.batch_predictions import PredictSpec
from aimass_core.domain.common import split_ref
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.decomposition import DecomposeSpec
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.jobs import AnySpec, Job, JobKind, ModelRef, PinnedModel
from aimass_core.domain.models import ArtifactName, Model, ModelVersion
from aimass_core.domain.signatures import Signature
from aimass_core.errors import ConflictError, ErrorDetail, InvalidRequestError, NotFoundError
from aimass_core.ports import BlobNotFoundError, Ports, Put, Write
from aimass_core.services import job_states, records

PARENT, SINGLE, PREDICTOR = "parent", "single", "predictor"
_MEMBER = "member-"
# What a container is given of a model.
_GIVEN = (ArtifactName.MODEL, ArtifactName.SIGNATURE, ArtifactName.CARD, ArtifactName.GOLDEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenModel:
    """A model version that a job is given, as it is now. `location` is where the request names it."""

    role: str
    location: str
    version: ModelVersion
    signature: Signature

    @property
    def name(self) -> str:
        """`adult@3`."""
        return f"{self.version.model_name}@{self.version.number}"

    def to_pin(self) -> PinnedModel:
        """What the job keeps of it."""
        version = self.version
        return PinnedModel(
            model_id=version.model_id, model_name=version.model_name, number=version.number, digest=version.digest
        )

    def refuse(self, message: str) -> InvalidRequestError:
        """An error about it."""
        return InvalidRequestError(message, details=[ErrorDetail(location=self.location, message=message)])


def resolve(ports: Ports, workspace_id: str, spec: AnySpec) -> list[GivenModel]:
    """The models that a spec names; of most kinds of jobs none.

    Raises NotFoundError for an unknown model or version, InvalidRequestError for a member that is named twice,
    ConflictError where a model's files are not those that were registered.
    """
    given: list[GivenModel] = []
    for role, location, reference in _references(spec):
        version = _find_version(ports, workspace_id, reference, location=location)
        signature = _load_signature(ports, version)
        model = GivenModel(role=role, location=location, version=version, signature=signature)
        former = next((other for other in given if other.name == model.name), None)
        if former is not None:
            raise model.refuse(
                f"{model.name} is a member twice: {former.location} is the same model version. Leave one of them out."
            )
        given.append(model)
    return given


def hold_writes(ports: Ports, job: Job) -> list[Write]:
    """What is written beside a job, so that the versions that it works on cannot be deleted in the same moment.

    Raises ConflictError where one is gone, or is not the one that was pinned.
    """
    writes: list[Write] = []
    for pin in job.models.values():
        version = _get_pinned(ports, job.workspace_id, pin)
        held = version.model_copy(
            update={"last_job_id": job.id, "updated_at": job.created_at, "revision": version.revision + 1}
        )
        writes.append(Put(row=records.to_row(held, pin.model_id, pin.number), expected=version.revision))
    return writes


def list_users(ports: Ports, workspace_id: str) -> dict[tuple[str, int], str]:
    """By model id and number, a job that has not ended and works on that version."""
    users: dict[tuple[str, int], str] = {}
    for job_id in job_states.list_active_ids(ports, workspace_id):
        job = records.get(ports, Job, workspace_id, job_id)
        users |= {(pin.model_id, pin.number): job.id for pin in job.models.values()}
    return users


def parents_of(job: Job) -> list[ModelRef]:
    """What the model of a job is made of. One that it is only compared with is no parent."""
    if job.kind not in (JobKind.COMPRESS, JobKind.FUSE):
        return []
    roles = sorted(job.models, key=lambda role: int(role.removeprefix(_MEMBER)) if role.startswith(_MEMBER) else 0)
    return [ModelRef.model_validate(job.models[role].model_dump()) for role in roles]


def to_model_config(ports: Ports, job: Job) -> dict[str, dict[str, Any]]:
    """The models of a job as `inputdataconfig.json` has them, beside the channels: where each file lies, its SHA-256.

    Raises InvalidRequestError where one is gone.
    """
    try:
        versions = {role: _get_pinned(ports, job.workspace_id, pin) for role, pin in job.models.items()}
    except ConflictError as error:
        raise InvalidRequestError(error.message) from error
    return {
        role: {
            "TrainingInputMode": "File",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
            "model": f"{version.model_name}@{version.number}",
            "files": {
                artifact.name: {"key": _object(version, artifact.name), "sha256": artifact.sha256}
                for artifact in version.artifacts
                if artifact.name in _GIVEN
            },
        }
        for role, version in versions.items()
    }


def _references(spec: AnySpec) -> Iterator[tuple[str, str, str]]:
    """Role, location and reference."""
    match spec:
        case CompressSpec(parent=parent):
            yield PARENT, "body.spec.parent", parent
        case FuseSpec(members=members):
            for index, member in enumerate(members):
                yield f"{_MEMBER}{index + 1}", f"body.spec.members.{index}", member
        case PredictSpec(model=model):
            yield PREDICTOR, "body.spec.model", model
        case DecomposeSpec(single=str(single)):
            yield SINGLE, "body.spec.single", single


def _find_version(ports: Ports, workspace_id: str, reference: str, *, location: str) -> ModelVersion:
    name, number = split_ref(reference)
    try:
        model = records.find(ports, Model, workspace_id, name)
    except NotFoundError as error:
        raise _unknown(location, f"{error.message} See them with: aimass models list") from error
    if number is None and model.latest_version is None:
        raise _unknown(location, f"The model {model.name!r} has no version.")
    wanted = number or model.latest_version
    row = ports.registry.get(keys.row(workspace_id, ModelVersion.resource, model.id, int(wanted or 0)))
    if row is None:
        latest = f"the newest is {model.latest_version}" if model.latest_version else "it has none"
        raise _unknown(location, f"The model {model.name!r} has no version {wanted}; {latest}.")
    return ModelVersion.model_validate(row.data)


def _load_signature(ports: Ports, version: ModelVersion) -> Signature:
    """FAULTS F8: as it was registered, or not at all."""
    known = next(artifact for artifact in version.artifacts if artifact.name == ArtifactName.SIGNATURE)
    try:
        body = ports.lake.get(_object(version, ArtifactName.SIGNATURE))
    except BlobNotFoundError:
        body = b""
    if hashlib.sha256(body).hexdigest() != known.sha256:
        raise ConflictError(
            f"signature.json of {version.model_name}@{version.number} is not the one that was registered. Take another "
            "version, or train it again."
        )
    return Signature.model_validate_json(body)


def _get_pinned(ports: Ports, workspace_id: str, pin: PinnedModel) -> ModelVersion:
    name = f"{pin.model_name}@{pin.number}"
    row = ports.registry.get(keys.row(workspace_id, ModelVersion.resource, pin.model_id, pin.number))
    if row is None:
        raise ConflictError(f"The model version {name} that the job works on was deleted. Submit a new job.")
    version = ModelVersion.model_validate(row.data)
    if version.digest != pin.digest:
        raise ConflictError(f"The model version {name} is not the one that the job was given. Submit a new job.")
    return version


def _unknown(location: str, message: str) -> NotFoundError:
    return NotFoundError(message, details=[ErrorDetail(location=location, message=message)])


def _object(version: ModelVersion, name: str) -> str:
    return keys.model_object(version.workspace_id, version.model_id, version.number, name)
