"""Reads all of a workspace that an export holds: documents from the registry, and which objects belong to them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from aimass_core.domain import keys
from aimass_core.domain.artifacts import Artifact
from aimass_core.domain.collectors import PythonCollector, SingerCollector
from aimass_core.domain.common import Resource
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus, Manifest
from aimass_core.domain.endpoint_watching import AlarmLimits
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import Job
from aimass_core.domain.models import Model, ModelVersion
from aimass_core.domain.notification_channels import ChannelRecord, NotificationRule
from aimass_core.domain.settings.contract import SettingsRecord, Subsystem
from aimass_core.domain.sources import SourceRecord
from aimass_core.domain.studies import Study
from aimass_core.domain.triggers import Trigger
from aimass_core.domain.users import UserRecord
from aimass_core.errors import NotFoundError
from aimass_core.ports import BlobNotFoundError, Ports
from aimass_core.services import endpoint_watches, records, source_states, studies
from batch_jobs.transfer import contract
from batch_jobs.transfer.contract import (
    ChannelDocument,
    DatasetDocument,
    Document,
    EndpointDocument,
    ModelDocument,
    SettingsDocument,
    SourceDocument,
    StudyDocument,
    UserDocument,
)
from batch_jobs.transfer.trials import TrialStore

_PAGE = 100
# Of a version's files beside the rows; the rows of a quarantine stay where they can be replayed.
_LEFT_OUT_OBJECTS = frozenset({"quarantine.jsonl"})

ResourceT = TypeVar("ResourceT", bound=Resource)


@dataclass(slots=True)
class Gathered:
    """Documents by resource, where the objects lie by their path in the archive, and what is left out."""

    documents: dict[str, list[Document]] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def gather(ports: Ports, trials: TrialStore, workspace_id: str, *, with_data: bool) -> Gathered:
    """Everything, as it is now. What changes meanwhile is in it or not; versions never change."""
    found = Gathered()
    found.documents["settings"] = [
        SettingsDocument(subsystem=Subsystem(each.id), values=each.values)
        for each in _all(ports, SettingsRecord, workspace_id)
        if each.values
    ]
    found.documents["notification_rule"] = list(_all(ports, NotificationRule, workspace_id))
    found.documents["notification_channel"] = [
        ChannelDocument(name=each.name, type=each.type) for each in _all(ports, ChannelRecord, workspace_id)
    ]
    found.documents["user"] = [
        UserDocument(email=each.email, name=each.name, role=each.role) for each in _all(ports, UserRecord, workspace_id)
    ]
    found.documents["source"] = list(_sources(ports, found, workspace_id, with_data=with_data))
    found.documents["dataset"] = list(_datasets(ports, found, workspace_id, with_data=with_data))
    found.documents["study"] = list(_studies(ports, trials, found, workspace_id))
    found.documents["model"] = list(_models(ports, found, workspace_id))
    found.documents["endpoint"] = [_endpoint(ports, each) for each in _all(ports, Endpoint, workspace_id)]
    found.documents["trigger"] = list(_all(ports, Trigger, workspace_id))
    found.documents["job"] = list(_jobs(ports, found, workspace_id))
    return found


def _sources(ports: Ports, found: Gathered, workspace_id: str, *, with_data: bool) -> Iterator[SourceDocument]:
    for record in _all(ports, SourceRecord, workspace_id):
        if isinstance(record.collector, PythonCollector | SingerCollector):
            package = record.collector.package
            found.objects[contract.package_path(package)] = keys.job_source(workspace_id, package)
        if record.secrets:
            found.left_out.append(f"The secrets of the source {record.name}: {', '.join(record.secrets)}.")
        prefix = keys.row_prefix("source_dataset", record.id)
        rows = ports.registry.query(keys.partition(workspace_id), prefix, limit=1_000).rows
        yield SourceDocument(
            record=record,
            datasets={str(row.data["stream"]): str(row.data["dataset_id"]) for row in rows},
            state=source_states.load(ports, record)[0] if with_data else None,
        )


def _datasets(ports: Ports, found: Gathered, workspace_id: str, *, with_data: bool) -> Iterator[DatasetDocument]:
    for dataset in _all(ports, Dataset, workspace_id):
        versions = [
            version
            for version in _all(ports, DatasetVersion, workspace_id, dataset.id)
            if version.status is DatasetVersionStatus.READY
        ]
        if with_data:
            versions = [version for version in versions if _add_version(ports, found, version)]
        elif versions:
            found.left_out.append(f"The rows of the dataset {dataset.name}.")
        yield DatasetDocument(dataset=dataset, versions=versions)


def _add_version(ports: Ports, found: Gathered, version: DatasetVersion) -> bool:
    """False where it was deleted in this moment."""
    prefix = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "")
    try:
        manifest = Manifest.model_validate_json(ports.lake.get(f"{prefix}manifest.json"))
    except BlobNotFoundError:
        found.left_out.append(f"{version.dataset_name}@{version.number}, which was deleted meanwhile.")
        return False
    for file in manifest.files:
        path = contract.dataset_file_path(version.dataset_id, file.sha256)
        found.objects[path] = keys.dataset_file(version.workspace_id, version.dataset_id, file.sha256)
    for blob in ports.lake.list(prefix):
        name = blob.key.removeprefix(prefix)
        if name not in _LEFT_OUT_OBJECTS:
            found.objects[contract.dataset_version_path(version.dataset_id, version.number, name)] = blob.key
    return True


def _studies(ports: Ports, trials: TrialStore, found: Gathered, workspace_id: str) -> Iterator[StudyDocument]:
    for study in _all(ports, Study, workspace_id):
        best = studies.load_best(ports, workspace_id, study.id)
        if best is not None:
            found.objects[contract.study_path(study.id, "best.json")] = keys.study_best(workspace_id, study.id)
            for artifact in best.artifacts:
                key = studies.trial_key(workspace_id, study.id, best, artifact)
                name = key.removeprefix(keys.study_prefix(workspace_id, study.id))
                found.objects[contract.study_path(study.id, name)] = key
        stored = trials.read(workspace_id, study.id)
        if stored is None:
            yield StudyDocument(study=study)
            continue
        yield StudyDocument.model_validate(
            {
                "study": study,
                "directions": stored.directions,
                "attributes": stored.attributes,
                "trials": stored.items,
            }
        )


def _models(ports: Ports, found: Gathered, workspace_id: str) -> Iterator[ModelDocument]:
    for model in _all(ports, Model, workspace_id):
        versions = list(_all(ports, ModelVersion, workspace_id, model.id))
        for version in versions:
            for artifact in version.artifacts:
                path = contract.model_path(model.id, version.number, artifact.name)
                found.objects[path] = _model_key(version, artifact)
        yield ModelDocument(model=model, versions=versions)


def _model_key(version: ModelVersion, artifact: Artifact) -> str:
    return keys.model_object(version.workspace_id, version.model_id, version.number, artifact.name)


def _endpoint(ports: Ports, endpoint: Endpoint) -> EndpointDocument:
    limits = endpoint_watches.get(ports, endpoint).limits
    return EndpointDocument(endpoint=endpoint, limits=None if limits == AlarmLimits() else limits)


def _jobs(ports: Ports, found: Gathered, workspace_id: str) -> Iterator[Job]:
    """Those that models and studies name: what they were trained on, and how."""
    wanted: dict[str, None] = {}
    for document in (*found.documents["study"], *found.documents["model"]):
        if isinstance(document, StudyDocument):
            wanted |= dict.fromkeys(document.study.job_ids)
        elif isinstance(document, ModelDocument):
            wanted |= dict.fromkeys(version.job_id for version in document.versions)
    for job_id in wanted:
        try:
            job = records.get(ports, Job, workspace_id, job_id)
        except NotFoundError:
            continue
        if job.status.is_terminal:
            yield job


def _all(ports: Ports, cls: type[ResourceT], workspace_id: str, *parents: str) -> Iterator[ResourceT]:
    start: str | None = None
    while True:
        page, start = records.list_page(
            ports, cls, workspace_id, *parents, limit=_PAGE, start=start, newest_first=False
        )
        yield from page
        if start is None:
            return
