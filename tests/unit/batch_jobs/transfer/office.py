"""Workspaces in memory that have one of everything, and the jobs that move them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.endpoint_settings import EndpointSettingsChange
from aimass_core.domain.endpoints import Endpoint, EndpointCreate, EndpointUpdate
from aimass_core.domain.notification_channels import NotificationRule
from aimass_core.domain.settings.contract import SettingsUpdate, Subsystem
from aimass_core.domain.sources import SecretValue
from aimass_core.domain.transfers import ExportReport, ExportSpec, ImportReport, ImportWorkspaceSpec
from aimass_core.domain.triggers import TriggerCreate
from aimass_core.domain.users import UserRecord, UserStatus
from aimass_core.ports import Row
from aimass_core.services import endpoints, jobs, records, settings, sources, triggers
from batch_jobs.transfer.exporting import export
from batch_jobs.transfer.importing import import_workspace
from batch_jobs.transfer.place import Place
from batch_jobs.transfer.trials import StoredTrials
from tests.factories.platform import LIMITS, leave_best, make_model, new_ports, search_request
from tests.factories.served_models import TABLE, table_model
from tests.factories.sources import add_source, add_workspace
from tests.unit.batch_jobs.conftest import RecordingReporter, build_environment
from tests.unit.core.services.ingest.scene import Scene

CANARY = "canary-7f3a9c"
CSV = b"age,city,income\n" + b"".join(f"{20 + row},{'Rome' if row % 2 else 'Oslo'},no\n".encode() for row in range(40))
TRIALS = StoredTrials(
    directions=["MAXIMIZE"],
    attributes={"user": {"seed": 1}, "system": {}},
    items=[{"state": {"S": "COMPLETE"}, "values": {"S": "[0.9]"}}],
)


@dataclass
class MemoryTrials:
    """Satisfies `TrialStore`."""

    stored: dict[tuple[str, str], StoredTrials] = field(default_factory=dict)

    def read(self, workspace_id: str, study_id: str) -> StoredTrials | None:
        """See TrialStore."""
        return self.stored.get((workspace_id, study_id))

    def write(self, workspace_id: str, study_id: str, trials: StoredTrials) -> None:
        """See TrialStore."""
        self.stored[workspace_id, study_id] = trials


@dataclass
class Office:
    """One workspace of an installation."""

    principal: Principal
    folder: Path
    ports: MemoryPorts = field(default_factory=new_ports)
    trials: MemoryTrials = field(default_factory=MemoryTrials)

    @classmethod
    def open(cls, name: str, folder: Path, ports: MemoryPorts | None = None) -> "Office":
        """An empty workspace, of an installation of its own where no ports are given."""
        ports = ports or new_ports()
        return cls(principal=add_workspace(ports, name), folder=folder, ports=ports)

    @property
    def place(self) -> Place:
        """Where its jobs work."""
        return Place(ports=self.ports, trials=self.trials, workspace_id=self.principal.workspace_id)

    def furnish(self) -> None:
        """One of everything: a source with a secret, data, a model of a study, an endpoint with settings, a trigger."""
        scene = Scene(workspace_name="scene", ports=self.ports)
        scene.principal = self.principal
        scene.upload(scene.dataset("adult", target="income"), CSV)
        make_model(self.ports, self.principal, model=table_model(), signature=TABLE, dataset="adult")
        source = add_source(self.ports, self.principal, schedule="rate(1 hour)")
        sources.set_secret(self.ports, self.principal, source.id, "token", SecretValue(value=CANARY))
        made = endpoints.create(self.ports, self.principal, EndpointCreate(model="adult@1"))
        made = endpoints.activate(self.ports, made.workspace_id, made.id)
        change = EndpointUpdate(settings=EndpointSettingsChange(threshold=0.7))
        endpoints.update(self.ports, self.principal, made.id, change, revision=made.revision)
        job = {"spec": {"kind": "train", "dataset": "adult", "algorithm": "xgboost"}}
        body = {"name": "nightly", "dataset": "adult", "job": job}
        triggers.create(self.ports, self.principal, TriggerCreate.model_validate(body))
        change = SettingsUpdate(values={"checkpoint_seconds": 30})
        settings.update(self.ports, self.principal, Subsystem.TRAINING, change, revision=1)
        rule = NotificationRule(
            **records.new_fields(self.ports, self.principal, NotificationRule),
            name="failures",
            events=["job.failed"],
            channels=["ops"],
        )
        records.create(self.ports, self.principal, rule, name=rule.name)
        user = UserRecord(
            **records.new_fields(self.ports, self.principal, UserRecord),
            email="ada@example.com",
            role=Role.DEVELOPER,
            status=UserStatus.INVITED,
            workspace_name="team",
            invitation_sha256=CANARY,
        )
        records.create(self.ports, self.principal, user, name=user.email)
        search = jobs.create(self.ports, self.principal, search_request(study="sweep"), limits=LIMITS)
        search = jobs.stop(self.ports, self.principal, search.id)
        leave_best(self.ports, search)
        self.trials.write(self.principal.workspace_id, str(search.study_id), TRIALS)

    def export(self, *, with_data: bool = True) -> bytes:
        """The zip of an export."""
        spec = ExportSpec(with_data=with_data)
        environment = build_environment(self._room(), {}, spec, job=self.ports.new_id("job"))
        export(self.place, spec, environment, RecordingReporter())
        report = ExportReport.model_validate_json((environment.output_path / "export.json").read_bytes())
        body = self.ports.lake.get(keys.workspace_export(self.principal.workspace_id, environment.job))
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (report.sha256, report.num_bytes)
        return body

    def import_(self, archive: bytes, **options: Any) -> ImportReport:
        """What an import of a zip reports; raises what its job would fail with."""
        sha256 = hashlib.sha256(archive).hexdigest()
        self.ports.lake.put(keys.workspace_archive(self.principal.workspace_id, sha256), archive)
        spec = ImportWorkspaceSpec(archive=sha256, **options)
        environment = build_environment(self._room(), {}, spec, job=self.ports.new_id("job"))
        self.left = environment.output_path / "import.json"
        import_workspace(self.place, spec, environment, RecordingReporter())
        return ImportReport.model_validate_json(self.left.read_bytes())

    def rows(self) -> dict[str, Row]:
        """Everything that the registry has of it, by sort key, without the audit's entries."""
        found = self.ports.registry.query(keys.partition(self.principal.workspace_id), "", limit=10_000).rows
        return {row.key.sort: row for row in found if row.resource != "audit"}

    def num_audited(self) -> int:
        """How many changes were noted."""
        partition = keys.partition(self.principal.workspace_id)
        return len(self.ports.registry.query(partition, keys.row_prefix("audit"), limit=10_000).rows)

    def objects(self) -> Mapping[str, bytes]:
        """Everything that the lake has of it but archives and jobs, by key without the workspace."""
        mark = f"/{self.principal.workspace_id}/"
        found = {info.key.replace(mark, "/", 1): info.key for info in self.ports.lake.list("") if mark in info.key}
        kept = {name: key for name, key in found.items() if not name.startswith(("sources/archives/", "jobs/"))}
        return {name: self.ports.lake.get(key) for name, key in kept.items()}

    def endpoint(self, name: str = "adult") -> Endpoint:
        """As it is now."""
        return endpoints.get(self.ports, self.principal, name)

    def _room(self) -> Path:
        path = self.folder / self.ports.new_id("room")
        path.mkdir(parents=True)
        return path
