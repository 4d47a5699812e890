"""What an attempt left: the result that it wrote last, with every artifact checked before anybody relies on it."""

import hashlib
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from pydantic import BaseModel, ValidationError

from aimass_core.domain import keys
from aimass_core.domain.jobs import (
    Artifact,
    ArtifactLink,
    EventFile,
    Failure,
    Job,
    JobArtifacts,
    JobKind,
    JobResult,
    JobTensorBoard,
)
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.reports import Report
from aimass_core.domain.signatures import Card, Golden, Signature
from aimass_core.ports import BlobNotFoundError, Ports

KeyOf = Callable[[Artifact], str]
"""Where an artifact lies in the lake."""

MODEL_FOLDER = "model/"
LINK_SECONDS = 900

_CONTENTS: dict[ArtifactName, type[BaseModel]] = {
    ArtifactName.SIGNATURE: Signature,
    ArtifactName.CARD: Card,
    ArtifactName.GOLDEN: Golden,
    ArtifactName.REPORT_DATA: Report,
}
# What is served; a trial of a study leaves no more.
SERVED = frozenset({ArtifactName.MODEL, ArtifactName.SIGNATURE, ArtifactName.CARD, ArtifactName.GOLDEN})
# Containers of earlier releases leave no report data, and jobs run on while the platform is updated.
_OF_RESULT = SERVED | {ArtifactName.REPORT}


class ResultError(Exception):
    """A job's result is not what its success promised."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.cause)
        self.failure = failure


def has_result(ports: Ports, job: Job, *, attempt: int) -> bool:
    """Whether an attempt has come to its end."""
    return ports.lake.head(_result_key(job, attempt)) is not None


def find(ports: Ports, job: Job, *, attempt: int) -> JobResult | None:
    """`result.json` of an attempt. None where it is absent; raises ResultError where it is unreadable."""
    try:
        body = ports.lake.get(_result_key(job, attempt))
    except BlobNotFoundError:
        return None
    try:
        return JobResult.model_validate_json(body)
    except ValidationError as error:
        raise _invalid(job, "result.json", str(error)) from error


def load_verified(ports: Ports, job: Job, *, attempt: int) -> JobResult:
    """The result of an attempt that ended well. Raises ResultError unless every artifact is there, as it says."""
    result = find(ports, job, attempt=attempt)
    if result is None:
        raise _missing(job, "result.json")
    verify(
        ports,
        job,
        result.artifacts,
        key_of=lambda artifact: artifact_key(job, result, artifact),
        required=_OF_RESULT if makes_model(job, result) else frozenset(),
    )
    return result


def verify(
    ports: Ports, job: Job, artifacts: Sequence[Artifact], *, key_of: KeyOf, required: AbstractSet[ArtifactName]
) -> None:
    """Raises ResultError unless every artifact is there, as it says, and among them the required ones of a model."""
    for artifact in artifacts:
        _verify(ports, job, artifact, key=key_of(artifact))
    if required:
        _verify_model(ports, job, artifacts, key_of=key_of, required=required)


def makes_model(job: Job, result: JobResult) -> bool:
    """Whether a model version comes of it: of a training or a study always, of a script where its container has put
    one there."""
    if job.kind is JobKind.SCRIPT:
        return any(artifact.name == MODEL_FOLDER + ArtifactName.MODEL for artifact in result.artifacts)
    return job.kind is not JobKind.PREPARE


def model_artifacts(artifacts: Sequence[Artifact]) -> dict[ArtifactName, Artifact]:
    """Those that make a model version, by their name in it."""
    found = {artifact.name: artifact for artifact in artifacts}
    return {name: found[MODEL_FOLDER + name] for name in ArtifactName if MODEL_FOLDER + name in found}


def artifact_key(job: Job, result: JobResult, artifact: Artifact) -> str:
    """Where an artifact of a result lies in the lake."""
    return keys.job_attempt(job.workspace_id, job.id, result.attempt, artifact.name)


def read_digest(ports: Ports, key: str) -> str | None:
    """The SHA-256 of an object: S3's own where it has one, else over its bytes. None where there is no object."""
    info = ports.lake.head(key)
    if info is None:
        return None
    return info.sha256 or hashlib.sha256(ports.lake.get(key)).hexdigest()


def changed(job: Job, artifact: Artifact) -> ResultError:
    """For bytes that are not those which the result names."""
    return _invalid(job, artifact.name, f"its SHA-256 is not {artifact.sha256}")


def list_artifacts(ports: Ports, job: Job) -> JobArtifacts:
    """What the job left, with short-lived links; empty until it has succeeded."""
    result = find(ports, job, attempt=job.attempt)
    if result is None:
        return JobArtifacts(artifacts=[])
    links = [
        ArtifactLink(
            **artifact.model_dump(),
            url=sign(ports, artifact_key(job, result, artifact), artifact),
        )
        for artifact in result.artifacts
    ]
    return JobArtifacts(artifacts=links)


def sign(ports: Ports, key: str, artifact: Artifact) -> str:
    """A short-lived link to an artifact."""
    name = artifact.name.rpartition("/")[2]
    return ports.lake.sign_get(key, expires_seconds=LINK_SECONDS, download_name=name)


def list_event_files(ports: Ports, job: Job) -> JobTensorBoard:
    """TensorBoard's files until now, with short-lived links."""
    prefix = keys.job_tensorboard(job.workspace_id, job.id)
    files = [
        EventFile(
            name=info.key.removeprefix(prefix),
            num_bytes=info.num_bytes,
            url=ports.lake.sign_get(info.key, expires_seconds=LINK_SECONDS),
        )
        for info in ports.lake.list(prefix)
    ]
    return JobTensorBoard(files=files)


def _result_key(job: Job, attempt: int) -> str:
    return keys.job_attempt(job.workspace_id, job.id, attempt, "result.json")


def _verify(ports: Ports, job: Job, artifact: Artifact, *, key: str) -> None:
    info = ports.lake.head(key)
    if info is None:
        raise _missing(job, artifact.name)
    if info.num_bytes != artifact.num_bytes or info.sha256 not in (None, artifact.sha256):
        raise _invalid(job, artifact.name, f"it should have {artifact.num_bytes} bytes and SHA-256 {artifact.sha256}")


def _verify_model(
    ports: Ports, job: Job, left: Sequence[Artifact], *, key_of: KeyOf, required: AbstractSet[ArtifactName]
) -> None:
    artifacts = model_artifacts(left)
    for name in ArtifactName:
        if name in required and name not in artifacts:
            raise _missing(job, MODEL_FOLDER + name)
    for name, contents in _CONTENTS.items():
        if name not in artifacts:
            continue
        body = ports.lake.get(key_of(artifacts[name]))
        try:
            contents.model_validate_json(body)
        except ValidationError as error:
            raise _invalid(job, MODEL_FOLDER + name, str(error)) from error


def _missing(job: Job, name: str) -> ResultError:
    return ResultError(
        Failure(
            code="artifact_missing",
            cause=f"The process ended well (exit code 0) but left no {name}. Read its log with: aimass jobs logs "
            f"{job.id}",
            exit_code=0,
        )
    )


def _invalid(job: Job, name: str, reason: str) -> ResultError:
    return ResultError(
        Failure(
            code="artifact_invalid",
            cause=f"The process ended well (exit code 0) but its {name} is not as it should be: {reason[:500]}. "
            f"Retry it with: aimass jobs retry {job.id}",
            exit_code=0,
        )
    )
