"""What an attempt left: the result that it wrote last, with every artifact checked before anybody relies on it."""

import hashlib
import re
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from pydantic import BaseModel, ValidationError

from aimass_core.domain import keys
from aimass_core.domain.jobs import (
    Artifact,
    ArtifactLink,
    EventFile,
    Failure,
    FailureRecord,
    Job,
    JobArtifacts,
    JobKind,
    JobResult,
    JobTensorBoard,
)
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.reports import ModelReport
from aimass_core.domain.signatures import Card, Golden, Signature
from aimass_core.ports import BlobNotFoundError, Ports

KeyOf = Callable[[Artifact], str]
"""Where an artifact lies in the lake."""

MODEL_FOLDER = "model/"
PARTS_FOLDER = "parts/"
LINK_SECONDS = 900

_WITHOUT_MODEL = frozenset(
    {
        JobKind.INGEST,
        JobKind.PREPARE,
        JobKind.PREDICT,
        JobKind.REPORT,
        JobKind.COLLECT,
        JobKind.EXPORT,
        JobKind.IMPORT_WORKSPACE,
    }
)
_PART_FILE = re.compile(rf"{PARTS_FOLDER}[a-z][a-z0-9-]{{0,30}}/[^/]+")
_CONTENTS: dict[ArtifactName, type[BaseModel]] = {
    ArtifactName.SIGNATURE: Signature,
    ArtifactName.CARD: Card,
    ArtifactName.GOLDEN: Golden,
    ArtifactName.REPORT_DATA: ModelReport,
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
    for part in part_names(job, result.artifacts):
        _verify_model(
            ports,
            job,
            result.artifacts,
            key_of=lambda artifact: artifact_key(job, result, artifact),
            required=SERVED,
            folder=part_folder(part),
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
    return job.kind not in _WITHOUT_MODEL


def model_artifacts(artifacts: Sequence[Artifact], *, folder: str = MODEL_FOLDER) -> dict[ArtifactName, Artifact]:
    """Those that make a model version, by their name in it."""
    found = {artifact.name: artifact for artifact in artifacts}
    return {name: found[folder + name] for name in ArtifactName if folder + name in found}


def part_names(job: Job, artifacts: Sequence[Artifact]) -> list[str]:
    """The parts of a decomposition that it left, each a model of its own. Raises ResultError for a name that no model
    can have."""
    if job.kind not in (JobKind.DECOMPOSE, JobKind.AUTOTRAIN):
        return []
    left = [artifact for artifact in artifacts if artifact.name.startswith(PARTS_FOLDER)]
    for artifact in left:
        if _PART_FILE.fullmatch(artifact.name) is None:
            raise _invalid(job, artifact.name, "parts are files of a folder such as parts/expert-1")
    return sorted({artifact.name.split("/")[1] for artifact in left})


def part_folder(name: str) -> str:
    """Where a part lies among the artifacts."""
    return f"{PARTS_FOLDER}{name}/"


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
    """What the job left, with short-lived links: empty until it has ended; of one that failed what there is even so."""
    record: JobResult | FailureRecord | None = find(ports, job, attempt=job.attempt)
    if record is None and job.status.is_terminal:
        record = _find_failure(ports, job)
    links = [
        ArtifactLink(
            **artifact.model_dump(),
            url=sign(ports, keys.job_attempt(job.workspace_id, job.id, job.attempt, artifact.name), artifact),
        )
        for artifact in (record.artifacts if record is not None else [])
    ]
    return JobArtifacts(artifacts=links)


def _find_failure(ports: Ports, job: Job) -> FailureRecord | None:
    try:
        return FailureRecord.model_validate_json(
            ports.lake.get(keys.job_attempt(job.workspace_id, job.id, job.attempt, "failure.json"))
        )
    except (BlobNotFoundError, ValidationError):
        return None


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
    ports: Ports,
    job: Job,
    left: Sequence[Artifact],
    *,
    key_of: KeyOf,
    required: AbstractSet[ArtifactName],
    folder: str = MODEL_FOLDER,
) -> None:
    artifacts = model_artifacts(left, folder=folder)
    for name in ArtifactName:
        if name in required and name not in artifacts:
            raise _missing(job, folder + name)
    for name, contents in _CONTENTS.items():
        if name not in artifacts:
            continue
        body = ports.lake.get(key_of(artifacts[name]))
        try:
            contents.model_validate_json(body)
        except ValidationError as error:
            raise _invalid(job, folder + name, str(error)) from error


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
