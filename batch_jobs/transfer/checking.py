"""Looks at what an archive holds as if a stranger had written it: ids and names that addresses are built from, and
objects that are read later by those who trust them.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from aimass_core.domain import graph_check
from aimass_core.domain.common import ID_PATTERN, NAME_PATTERN, Resource, is_id
from aimass_core.domain.datasets import DatasetVersion, DatasetVersionStatus, Manifest
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.graph_check import MAX_MODEL_BYTES, GraphError
from aimass_core.domain.models import ArtifactName, ModelVersion
from aimass_core.domain.schemas import Profile, Schema
from aimass_core.domain.signatures import Card, Golden, Signature
from aimass_core.domain.studies import BestSoFar
from aimass_core.errors import InvalidDataError
from batch_jobs.transfer import contract
from batch_jobs.transfer.archive import Reader
from batch_jobs.transfer.planning import Documents, sorted_versions

_SHA256 = re.compile("[0-9a-f]{64}")
_MAX_NUMBER = 99_999_999
_MODEL_DOCUMENTS: dict[str, type[BaseModel]] = {
    ArtifactName.SIGNATURE: Signature,
    ArtifactName.CARD: Card,
    ArtifactName.GOLDEN: Golden,
}
_TRIAL_FILE = re.compile(r"[a-z_]+(/[A-Za-z0-9][A-Za-z0-9._-]*)+")

ContentT = TypeVar("ContentT", bound=BaseModel)


def check_documents(documents: Documents) -> None:
    """Raises InvalidDataError for an id, a name or a number that none of ours has."""
    for source in documents.sources:
        _check_resource(source.record, source.record.name)
    for dataset in documents.datasets:
        _check_resource(dataset.dataset, dataset.dataset.name)
        for version in dataset.versions:
            _check_version(version, version.dataset_id == dataset.dataset.id, number=version.number)
            _require(version, version.status is DatasetVersionStatus.READY, "its status is not READY")
            _require(version, _is_sha256(version.digest), "its digest is no SHA-256")
    for job in documents.jobs:
        _check_resource(job)
        _require(job, job.status.is_terminal, f"it is {job.status}, and has not ended")
    for study in documents.studies:
        _check_resource(study.study, study.study.name)
        _require(study.study, all(is_id(job_id) for job_id in study.study.job_ids), "it names jobs that are none")
    _check_models(documents)
    for endpoint in documents.endpoints:
        _check_resource(endpoint.endpoint, endpoint.endpoint.name)
        _check_served(endpoint.endpoint)
    for trigger in documents.triggers:
        _check_resource(trigger, trigger.name)
        _require(trigger, is_id(trigger.dataset_id), "it names a dataset that is none")
    for rule in documents.rules:
        _check_resource(rule, rule.name)


def _check_models(documents: Documents) -> None:
    for model in documents.models:
        _check_resource(model.model, model.model.name)
        for made in model.versions:
            _check_version(made, made.model_id == model.model.id, number=made.number)
            _check_artifacts(made)


def check_dataset_version(reader: Reader, version: DatasetVersion) -> Manifest:
    """Raises InvalidDataError unless the files are those that the version's digest stands for, and can be read."""

    def path(name: str) -> str:
        return contract.dataset_version_path(version.dataset_id, version.number, name)

    manifest = _parse(reader, path("manifest.json"), Manifest)
    is_same = (manifest.dataset_id, manifest.number) == (version.dataset_id, version.number)
    _require(version, is_same and manifest.digest() == version.digest, "its manifest is another version's")
    schema = _parse(reader, path("schema.json"), Schema)
    _require(version, schema == manifest.data_schema, "its schema is not that of its manifest")
    if reader.has(path("profile.json")):
        _parse(reader, path("profile.json"), Profile)
    for file in manifest.files:
        entry = reader.entry(contract.dataset_file_path(version.dataset_id, file.sha256))
        _require(version, entry.sha256 == file.sha256, f"its file {file.sha256[:12]}... holds other bytes")
        _require(version, entry.num_bytes == file.num_bytes, f"its file {file.sha256[:12]}... has another length")
    return manifest


def check_parquet(path: Path, version: DatasetVersion, manifest: Manifest, *, num_rows: int) -> None:
    """Raises InvalidDataError unless it is a table of the version's columns."""
    try:
        metadata = pq.read_metadata(path)
        names = metadata.schema.to_arrow_schema().names
    except (pa.ArrowException, OSError) as error:
        raise InvalidDataError(
            f"{version.dataset_name}@{version.number} of the archive has a file that is no Parquet: {error}."
        ) from error
    expected = [column.name for column in manifest.data_schema.columns]
    _require(version, names == expected, "a file has other columns than its schema")
    _require(version, metadata.num_rows == num_rows, "a file has another number of rows")


def check_model_version(reader: Reader, version: ModelVersion) -> None:
    """Raises InvalidDataError unless its artifacts are what it says, and its graph may be served (FAULTS F6)."""
    for artifact in version.artifacts:
        entry = reader.entry(contract.model_path(version.model_id, version.number, artifact.name))
        is_same = (entry.sha256, entry.num_bytes) == (artifact.sha256, artifact.num_bytes)
        _require(version, is_same, f"its {artifact.name} is not the one that it names")
        if artifact.name in _MODEL_DOCUMENTS:
            _parse(reader, entry.path, _MODEL_DOCUMENTS[artifact.name])
    graph = contract.model_path(version.model_id, version.number, ArtifactName.MODEL)
    _require(version, reader.entry(graph).num_bytes <= MAX_MODEL_BYTES, "its graph is larger than any that is served")
    try:
        graph_check.check(reader.read(graph))
    except GraphError as error:
        raise InvalidDataError(
            f"{version.model_name}@{version.number} of the archive cannot be served: {error}."
        ) from error


def load_best(reader: Reader, study_id: str) -> BestSoFar | None:
    """The best trial of a study, whose files are all there; None where no trial has left a model."""
    path = contract.study_path(study_id, "best.json")
    if not reader.has(path):
        return None
    best = _parse(reader, path, BestSoFar)
    for artifact in best.artifacts:
        if _TRIAL_FILE.fullmatch(artifact.name) is None:
            raise InvalidDataError(f"The study {study_id} of the archive names a file {artifact.name[:100]!r}.")
    return best


def versions_of(documents: Documents, makes: Callable[[str, str], bool]) -> Iterator[ModelVersion]:
    """The model versions that the import makes, what they are made of first."""
    for version in sorted_versions(documents.models):
        if makes(version.resource, f"{version.model_id}@{version.number}"):
            yield version


def _check_resource(resource: Resource, name: str | None = None) -> None:
    is_own = re.fullmatch(ID_PATTERN, resource.id) and resource.id.startswith(f"{resource.prefix}_")
    _require(resource, bool(is_own), f"its id is no {resource.prefix}_...")
    if name is not None:
        is_name = re.fullmatch(NAME_PATTERN, name) and not is_id(name)
        _require(resource, bool(is_name), f"its name {name[:100]!r} is none that the platform gives")


def _check_version(version: Resource, is_of_parent: bool, *, number: int) -> None:
    _check_resource(version)
    _require(version, is_of_parent, "it is listed with something else than it is of")
    _require(version, 1 <= number <= _MAX_NUMBER, f"its number is {number}")


def _check_artifacts(version: ModelVersion) -> None:
    digests = {artifact.name: artifact.sha256 for artifact in version.artifacts}
    _require(version, set(digests) <= set(ArtifactName), "it has artifacts that no model version has")
    _require(version, {ArtifactName.MODEL, *_MODEL_DOCUMENTS} <= set(digests), "it lacks artifacts that it needs")
    _require(version, all(map(_is_sha256, digests.values())), "the digest of an artifact is no SHA-256")
    _require(version, digests[ArtifactName.MODEL] == version.digest, "its digest is not that of its graph")


def _check_served(endpoint: Endpoint) -> None:
    for served in (endpoint.serving, endpoint.candidate):
        if served is not None:
            ids = [served.model_id, *(member.model_id for member in served.members)]
            _require(endpoint, all(map(is_id, ids)), "it serves models that are none")


def _is_sha256(text: str | None) -> bool:
    return text is not None and _SHA256.fullmatch(text) is not None


def _parse(reader: Reader, path: str, cls: type[ContentT]) -> ContentT:
    try:
        return cls.model_validate_json(reader.read(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidDataError(f"The archive's file {path!r} is not valid: {where}: {first['msg']}.") from error


def _require(resource: Resource, holds: bool, what: str) -> None:
    if not holds:
        raise InvalidDataError(
            f"The archive's {resource.resource.replace('_', ' ')} {resource.id[:100]!r} cannot be imported: {what}. "
            "Export the workspace again."
        )
