"""What an import does with each thing, decided before anything is written: made, renamed, left, or in conflict.

Ids stay what they were. So what an earlier import made is found by its id, and a second one has nothing to do; only a
name can be somebody else's.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from aimass_core.domain import keys
from aimass_core.domain.common import Resource
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import Job
from aimass_core.domain.models import Model, ModelVersion
from aimass_core.domain.notification_channels import NotificationRule
from aimass_core.domain.settings.contract import SettingsRecord
from aimass_core.domain.transfers import OnConflict, TransferAction, TransferItem
from aimass_core.domain.triggers import Trigger
from aimass_core.ports import Ports
from aimass_core.services import restoring
from aimass_core.services.datasets import TOMBSTONE
from batch_jobs.transfer import contract
from batch_jobs.transfer.archive import Reader
from batch_jobs.transfer.contract import (
    ChannelDocument,
    DatasetDocument,
    EndpointDocument,
    ModelDocument,
    SettingsDocument,
    SourceDocument,
    StudyDocument,
    UserDocument,
)

_MAX_NAME = 63
_SUFFIX = "-imported"
_THERE = "It is there already, and stays as it is."


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """All that the archive holds."""

    settings: Sequence[SettingsDocument]
    sources: Sequence[SourceDocument]
    datasets: Sequence[DatasetDocument]
    jobs: Sequence[Job]
    studies: Sequence[StudyDocument]
    models: Sequence[ModelDocument]
    endpoints: Sequence[EndpointDocument]
    triggers: Sequence[Trigger]
    rules: Sequence[NotificationRule]
    channels: Sequence[ChannelDocument]
    users: Sequence[UserDocument]


@dataclass(slots=True)
class Plan:
    """`items` in the order in which they are made; `names` of what gets another one, by id."""

    items: list[TransferItem] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    _made: set[tuple[str, str]] = field(default_factory=set)

    def add(self, item: TransferItem) -> None:
        """Decides about a thing."""
        self.items.append(item)
        if item.action in (TransferAction.CREATE, TransferAction.RENAME):
            self._made.add((item.resource, item.id))
        if item.new_name is not None:
            self.names[item.id] = item.new_name

    def makes(self, resource: str, thing_id: str) -> bool:
        """Whether the import makes it."""
        return (resource, thing_id) in self._made

    def conflicts(self) -> list[TransferItem]:
        """What keeps the import from beginning."""
        return [item for item in self.items if item.action is TransferAction.CONFLICT]

    def counts(self) -> dict[TransferAction, int]:
        """How many are made, renamed, left and in conflict."""
        found = Counter(item.action for item in self.items)
        return {action: found.get(action, 0) for action in TransferAction}


def make_plan(
    ports: Ports, workspace_id: str, documents: Documents, reader: Reader, *, on_conflict: OnConflict
) -> Plan:
    """Compares the archive with the workspace."""
    planner = _Planner(ports=ports, workspace_id=workspace_id, reader=reader, on_conflict=on_conflict)
    for settings in documents.settings:
        planner.add_settings(settings)
    for source in documents.sources:
        planner.add_named(source.record, source.record.name)
    for dataset in documents.datasets:
        planner.add_dataset(dataset)
    for job in documents.jobs:
        planner.add(job, f"{job.kind} {job.id}")
    for study in documents.studies:
        planner.add_named(study.study, study.study.name)
    planner.add_models(documents.models)
    for endpoint in documents.endpoints:
        planner.add_endpoint(endpoint.endpoint)
    for trigger in documents.triggers:
        planner.add_trigger(trigger)
    for rule in documents.rules:
        planner.add_named(rule, rule.name)
    return planner.plan


def sorted_versions(models: Sequence[ModelDocument]) -> list[ModelVersion]:
    """Of all models, in the order of their making: what a version was made of comes before it."""
    versions = [version for document in models for version in document.versions]
    return sorted(versions, key=lambda version: (version.created_at, version.id))


@dataclass(slots=True, kw_only=True)
class _Planner:
    ports: Ports
    workspace_id: str
    reader: Reader
    on_conflict: OnConflict
    plan: Plan = field(default_factory=Plan)
    _taken: set[tuple[str, str]] = field(default_factory=set)

    def add_settings(self, document: SettingsDocument) -> None:
        """Of a subsystem of which nothing has been said here."""
        name = str(document.subsystem)
        is_said = restoring.has(self.ports, SettingsRecord, self.workspace_id, name)
        action, reason = (TransferAction.SKIP, _THERE) if is_said else (TransferAction.CREATE, "")
        item = TransferItem(resource=SettingsRecord.resource, id=name, name=name, action=action, reason=reason)
        self.plan.add(item)

    def add(self, resource: Resource, name: str) -> None:
        """Something without a name of its own."""
        if restoring.has(self.ports, type(resource), self.workspace_id, resource.id):
            self._put(resource, name, TransferAction.SKIP, _THERE)
        else:
            self._put(resource, name, TransferAction.CREATE)

    def add_named(self, resource: Resource, name: str, *, reason: str | None = None) -> None:
        """Something whose name is its own in the workspace; with a reason it is left out."""
        stored = self.ports.registry.get(keys.row(self.workspace_id, resource.resource, resource.id))
        if stored is not None:
            self._put(resource, name, TransferAction.SKIP, _THERE)
            self.plan.names |= {resource.id: stored.data["name"]} if stored.data["name"] != name else {}
        elif reason is not None:
            self._put(resource, name, TransferAction.LEAVE_OUT, reason)
        elif (holder := self._holder(resource, name)) is None:
            self._taken.add((resource.resource, name))
            self._put(resource, name, TransferAction.CREATE)
        else:
            self._settle(resource, name, f"The name {name!r} is that of {holder}.")

    def add_dataset(self, document: DatasetDocument) -> None:
        """A dataset with its versions."""
        dataset = document.dataset
        if self.ports.registry.get(keys.row(self.workspace_id, TOMBSTONE, dataset.id)) is not None:
            reason = "It was deleted a moment ago, and its rows are being removed. Import again in some minutes."
            self._put(dataset, dataset.name, TransferAction.CONFLICT, reason)
        else:
            self.add_named(dataset, dataset.name)
        for version in document.versions:
            self._add_dataset_version(version)

    def _add_dataset_version(self, version: DatasetVersion) -> None:
        name = f"{version.dataset_name}@{version.number}"
        row = self.ports.registry.get(
            keys.row(self.workspace_id, DatasetVersion.resource, version.dataset_id, version.number)
        )
        if row is not None:
            stored = DatasetVersion.model_validate(row.data)
            is_same = stored.digest == version.digest
            is_gone = stored.status is DatasetVersionStatus.EXPIRED
            reason = "It is there already, and has expired." if is_gone else _THERE
            self._put_version(version, name, None if is_same else "Another version has this number.", there=reason)
        elif not self._has_parent(Dataset, version.dataset_id):
            self._put(version, name, TransferAction.LEAVE_OUT, "Its dataset is left out.")
        elif not self.reader.manifest.with_data:
            self._put(version, name, TransferAction.LEAVE_OUT, "The archive names it, and does not hold its rows.")
        else:
            self._put(version, name, TransferAction.CREATE)

    def add_models(self, documents: Sequence[ModelDocument]) -> None:
        """Models, and all their versions after them."""
        for document in documents:
            self.add_named(document.model, document.model.name)
        for version in sorted_versions(documents):
            self.add_model_version(version)

    def add_model_version(self, version: ModelVersion) -> None:
        """A version of a model that was added before."""
        name = f"{version.model_name}@{version.number}"
        row = self.ports.registry.get(
            keys.row(self.workspace_id, ModelVersion.resource, version.model_id, version.number)
        )
        if row is not None:
            is_same = row.data.get("digest") == version.digest
            self._put_version(version, name, None if is_same else "Another version has this number.", there=_THERE)
        elif not self._has_parent(Model, version.model_id):
            self._put(version, name, TransferAction.LEAVE_OUT, "Its model is left out.")
        elif (absent := self._absent_artifact(version)) is not None:
            self._put(version, name, TransferAction.LEAVE_OUT, f"The archive lacks its {absent}.")
        else:
            self._put(version, name, TransferAction.CREATE)

    def add_endpoint(self, endpoint: Endpoint) -> None:
        """An endpoint, with what it serves or is about to."""
        served = endpoint.serving or endpoint.candidate
        reason = None
        if served is None:
            reason = "It serves nothing."
        else:
            refs = [(served.model_id, served.number), *((member.model_id, member.number) for member in served.members)]
            if not all(self._has_version(model_id, number) for model_id, number in refs):
                reason = f"{served.ref}, which it serves, is left out."
        self.add_named(endpoint, endpoint.name, reason=reason)

    def add_trigger(self, trigger: Trigger) -> None:
        """A trigger of a dataset that was added before."""
        reason = None if self._has_parent(Dataset, trigger.dataset_id) else "Its dataset is left out."
        self.add_named(trigger, trigger.name, reason=reason)

    def _put_version(self, version: Resource, name: str, conflict: str | None, *, there: str) -> None:
        """One whose number is taken: by itself, or by another one, to which only --on-conflict fail objects."""
        if conflict is None:
            self._put(version, name, TransferAction.SKIP, there)
        else:
            is_refused = self.on_conflict is OnConflict.FAIL
            self._put(version, name, TransferAction.CONFLICT if is_refused else TransferAction.LEAVE_OUT, conflict)

    def _settle(self, resource: Resource, name: str, reason: str) -> None:
        match self.on_conflict:
            case OnConflict.FAIL:
                self._put(resource, name, TransferAction.CONFLICT, reason)
            case OnConflict.SKIP:
                self._put(resource, name, TransferAction.LEAVE_OUT, reason)
            case OnConflict.RENAME:
                new_name = self._free_name(resource, name)
                self._taken.add((resource.resource, new_name))
                self._put(resource, name, TransferAction.RENAME, reason, new_name=new_name)

    def _free_name(self, resource: Resource, name: str) -> str:
        number = 1
        while True:
            ending = _SUFFIX if number == 1 else f"{_SUFFIX}-{number}"
            wanted = name[: _MAX_NAME - len(ending)] + ending
            if self._holder(resource, wanted) is None:
                return wanted
            number += 1

    def _holder(self, resource: Resource, name: str) -> str | None:
        if (resource.resource, name) in self._taken:
            return "another one of the archive"
        return restoring.find_holder(self.ports, type(resource), self.workspace_id, name)

    def _has_parent(self, cls: type[Resource], thing_id: str) -> bool:
        return self.plan.makes(cls.resource, thing_id) or restoring.has(self.ports, cls, self.workspace_id, thing_id)

    def _has_version(self, model_id: str, number: int) -> bool:
        is_made = self.plan.makes(ModelVersion.resource, f"{model_id}@{number}")
        return is_made or restoring.has(self.ports, ModelVersion, self.workspace_id, model_id, number)

    def _absent_artifact(self, version: ModelVersion) -> str | None:
        paths = {
            each.name: contract.model_path(version.model_id, version.number, each.name) for each in version.artifacts
        }
        return next((name for name, path in paths.items() if not self.reader.has(path)), None)

    def _put(
        self,
        resource: Resource,
        name: str,
        action: TransferAction,
        reason: str = "",
        *,
        new_name: str | None = None,
    ) -> None:
        self.plan.add(
            TransferItem(
                resource=resource.resource,
                id=to_id(resource),
                name=name,
                action=action,
                new_name=new_name,
                reason=reason,
            )
        )


def to_id(resource: Resource) -> str:
    """Versions are named by what they are of, and their number."""
    if isinstance(resource, ModelVersion):
        return f"{resource.model_id}@{resource.number}"
    if isinstance(resource, DatasetVersion):
        return f"{resource.dataset_id}@{resource.number}"
    return resource.id
