"""Makes what a plan says, objects first and rows after them; whatever an interruption leaves is found and kept."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from aimass_core.domain import keys
from aimass_core.domain.collectors import PythonCollector, SingerCollector
from aimass_core.domain.common import Principal, Resource
from aimass_core.domain.datasets import DatasetVersion
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.settings.contract import SettingsUpdate
from aimass_core.domain.transfers import TransferAction
from aimass_core.errors import AimassError, InternalError
from aimass_core.services import endpoint_watches, platform, restoring, settings
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.transfer import checking, contract
from batch_jobs.transfer.archive import Reader
from batch_jobs.transfer.contract import EndpointDocument, SourceDocument, StudyDocument
from batch_jobs.transfer.place import Place
from batch_jobs.transfer.planning import Documents, Plan
from batch_jobs.transfer.renaming import rename
from batch_jobs.transfer.trials import StoredTrials

ResourceT = TypeVar("ResourceT", bound=Resource)


@dataclass(slots=True, kw_only=True)
class Maker:
    """One import. `to_do` is what remains for people."""

    place: Place
    reader: Reader
    documents: Documents
    plan: Plan
    work_path: Path
    to_do: list[str] = field(default_factory=list)

    @property
    def principal(self) -> Principal:
        """Who is in the audit entries; that of the job says who asked for it."""
        return platform.principal("import", self.place.workspace_id)

    def check(self) -> None:
        """Looks into the objects of all that is to be made. Raises InvalidDataError."""
        for version in self._dataset_versions():
            manifest = checking.check_dataset_version(self.reader, version)
            for file in manifest.files:
                part = self._extract(contract.dataset_file_path(version.dataset_id, file.sha256))
                checking.check_parquet(part, version, manifest, num_rows=file.num_rows)
        for made in checking.versions_of(self.documents, self.plan.makes):
            checking.check_model_version(self.reader, made)
        for study in self.documents.studies:
            checking.load_best(self.reader, study.study.id)
        for source in self.documents.sources:
            for path in _package_paths(source):
                self.reader.entry(path)
        self._list_to_do()

    def make(self, reporter: Reporter) -> None:
        """Everything that the plan makes, in an order in which nothing names what is not there."""
        steps = [item for item in self.plan.items if item.action in (TransferAction.CREATE, TransferAction.RENAME)]
        for step, make in enumerate(self._makes()):
            reporter.progress("making", step=step, num_steps=len(steps), message=make)

    def _makes(self) -> Iterator[str]:
        """Yields the name of what was made, after it."""
        yield from self._make_settings()
        yield from self._make_datasets()
        yield from self._make_sources()
        yield from self._make_jobs()
        yield from self._make_studies()
        yield from self._make_models()
        yield from self._make_endpoints()
        yield from self._make_triggers()
        yield from self._make_rules()

    def _make_settings(self) -> Iterator[str]:
        """By their own use case, which knows what this deployment allows."""
        for document in self.documents.settings:
            if not self.plan.makes("settings", document.subsystem):
                continue
            try:
                change = SettingsUpdate(values=document.values, reason="Imported.")
                settings.update(self.place.ports, self.principal, document.subsystem, change, revision=1)
            except (AimassError, ValidationError) as error:
                why = error.message if isinstance(error, AimassError) else error.errors()[0]["msg"]
                self.to_do.append(f"Set the settings of {document.subsystem} by hand: {why}")
            yield str(document.subsystem)

    def _make_datasets(self) -> Iterator[str]:
        for document in self.documents.datasets:
            if self.plan.makes("dataset", document.dataset.id):
                restoring.restore_dataset(self.place.ports, self.principal, self._renamed(document.dataset))
                yield document.dataset.name
        for version in self._dataset_versions():
            self._bring_dataset_version(version)
            restoring.restore_dataset_version(self.place.ports, self.principal, self._renamed(version))
            yield f"{version.dataset_name}@{version.number}"

    def _make_sources(self) -> Iterator[str]:
        for document in self.documents.sources:
            if self.plan.makes("source", document.record.id):
                self._make_source(document)
                yield document.record.name

    def _make_jobs(self) -> Iterator[str]:
        for job in self.documents.jobs:
            if self.plan.makes("job", job.id):
                restoring.restore_job(self.place.ports, self.principal, self._renamed(job))
                yield job.id

    def _make_studies(self) -> Iterator[str]:
        for document in self.documents.studies:
            if self.plan.makes("study", document.study.id):
                self._make_study(document)
                yield document.study.name

    def _make_models(self) -> Iterator[str]:
        for document in self.documents.models:
            if self.plan.makes("model", document.model.id):
                restoring.restore_model(self.place.ports, self.principal, self._renamed(document.model))
                yield document.model.name
        for version in checking.versions_of(self.documents, self.plan.makes):
            self._bring_model_version(version)
            restoring.restore_model_version(self.place.ports, self.principal, self._renamed(version))
            yield f"{version.model_name}@{version.number}"

    def _make_endpoints(self) -> Iterator[str]:
        for document in self.documents.endpoints:
            if self.plan.makes("endpoint", document.endpoint.id):
                self._make_endpoint(document)
                yield document.endpoint.name

    def _make_triggers(self) -> Iterator[str]:
        for trigger in self.documents.triggers:
            if self.plan.makes("trigger", trigger.id):
                restoring.restore_trigger(self.place.ports, self.principal, self._renamed(trigger))
                yield trigger.name

    def _make_rules(self) -> Iterator[str]:
        for rule in self.documents.rules:
            if self.plan.makes("notification_rule", rule.id):
                restoring.restore_rule(self.place.ports, self.principal, self._renamed(rule))
                yield rule.name

    def _renamed(self, resource: ResourceT) -> ResourceT:
        return rename(resource, self.plan.names)

    def _dataset_versions(self) -> Iterator[DatasetVersion]:
        for document in self.documents.datasets:
            for version in document.versions:
                if self.plan.makes(version.resource, f"{version.dataset_id}@{version.number}"):
                    yield version

    def _make_source(self, document: SourceDocument) -> None:
        workspace_id = self.place.workspace_id
        for path in _package_paths(document):
            package = path.rpartition("/")[2].partition(".")[0]
            self._bring(path, keys.job_source(workspace_id, package))
        restoring.restore_source(
            self.place.ports,
            self.principal,
            self._renamed(document.record),
            datasets=document.datasets,
            state=document.state,
        )

    def _make_study(self, document: StudyDocument) -> None:
        workspace_id, study = self.place.workspace_id, document.study
        best = checking.load_best(self.reader, study.id)
        if best is not None:
            for artifact in best.artifacts:
                key = keys.study_trial(workspace_id, study.id, best.trial, artifact.name)
                name = key.removeprefix(keys.study_prefix(workspace_id, study.id))
                self._bring(contract.study_path(study.id, name), key)
            self._bring(contract.study_path(study.id, "best.json"), keys.study_best(workspace_id, study.id))
        if document.directions:
            stored = StoredTrials(directions=document.directions, attributes=document.attributes, items=document.trials)
            self.place.trials.write(workspace_id, study.id, stored)
        known = {job.id for job in self.documents.jobs}
        kept = study.model_copy(update={"job_ids": [job_id for job_id in study.job_ids if job_id in known]})
        restoring.restore_study(self.place.ports, self.principal, self._renamed(kept))

    def _make_endpoint(self, document: EndpointDocument) -> None:
        endpoint = self._renamed(document.endpoint)
        served = endpoint.serving or endpoint.candidate
        if served is None:
            raise InternalError(f"The endpoint {endpoint.name} was planned, and serves nothing.")
        made = restoring.restore_endpoint(self.place.ports, self.principal, endpoint, served)
        if document.limits is not None:
            try:
                endpoint_watches.set_limits(self.place.ports, self.principal, made, document.limits)
            except AimassError as error:
                self.to_do.append(f"Set the alarms of the endpoint {endpoint.name} again: {error.message}")

    def _bring_dataset_version(self, version: DatasetVersion) -> None:
        workspace_id, dataset_id = self.place.workspace_id, version.dataset_id
        manifest = checking.check_dataset_version(self.reader, version)
        for file in manifest.files:
            path = contract.dataset_file_path(dataset_id, file.sha256)
            self._bring(path, keys.dataset_file(workspace_id, dataset_id, file.sha256))
        folder = contract.dataset_version_path(dataset_id, version.number, "")
        names = [
            entry.path.removeprefix(folder) for entry in self.reader.manifest.entries if entry.path.startswith(folder)
        ]
        # NOTE: the manifest goes last, since it names the files.
        for name in sorted(names, key=lambda name: name == "manifest.json"):
            self._bring(folder + name, keys.dataset_version_object(workspace_id, dataset_id, version.number, name))

    def _bring_model_version(self, version: ModelVersion) -> None:
        for artifact in version.artifacts:
            path = contract.model_path(version.model_id, version.number, artifact.name)
            key = keys.model_object(self.place.workspace_id, version.model_id, version.number, artifact.name)
            self._bring(path, key)

    def _bring(self, path: str, key: str) -> None:
        entry = self.reader.entry(path)
        there = self.place.ports.lake.head(key)
        if there is not None and (there.sha256, there.num_bytes) == (entry.sha256, entry.num_bytes):
            return
        info = self.place.ports.lake.upload(self._extract(path), key)
        if info.num_bytes != entry.num_bytes or info.sha256 not in (None, entry.sha256):
            raise InternalError(f"{path} changed while it was uploaded. Import again.")

    def _extract(self, path: str) -> Path:
        part = self.work_path / "object"
        self.reader.extract(path, part)
        return part

    def _list_to_do(self) -> None:
        names, makes = self.plan.names, self.plan.makes
        for source in self.documents.sources:
            if makes("source", source.record.id):
                name = names.get(source.record.id, source.record.name)
                secrets = (
                    f"set its secrets ({', '.join(source.record.secrets)}), then " if source.record.secrets else ""
                )
                self.to_do.append(f"The source {name} is paused: {secrets}aimass sources resume {name}")
        for trigger in self.documents.triggers:
            if makes("trigger", trigger.id):
                name = names.get(trigger.id, trigger.name)
                self.to_do.append(f"The trigger {name} is paused: aimass triggers resume {name}")
        for channel in self.documents.channels:
            self.to_do.append(f"Make the notification channel {channel.name} ({channel.type}), if it is not there.")
        for user in self.documents.users:
            self.to_do.append(f"Invite them, where you want: aimass users invite {user.email} --role {user.role}")
        if not self.reader.manifest.with_data:
            for dataset in self.documents.datasets:
                if makes("dataset", dataset.dataset.id) and dataset.versions:
                    name = names.get(dataset.dataset.id, dataset.dataset.name)
                    self.to_do.append(f"The dataset {name} has no rows here: aimass datasets upload {name} <file>")


def _package_paths(document: SourceDocument) -> list[str]:
    collector = document.record.collector
    if isinstance(collector, PythonCollector | SingerCollector):
        return [contract.package_path(collector.package)]
    return []
