"""An import job: every byte is checked, then it is planned, then made, one thing after the other."""

import tempfile
from pathlib import Path

from aimass_core import bootstrap
from aimass_core.domain import keys
from aimass_core.domain.jobs import Job
from aimass_core.domain.notification_channels import NotificationRule
from aimass_core.domain.transfers import IMPORT_REPORT, ImportReport, ImportWorkspaceSpec, OnConflict
from aimass_core.domain.triggers import Trigger
from aimass_core.errors import InternalError, InvalidRequestError
from aimass_core.ports import BlobNotFoundError
from aimass_core.settings import ContainerSettings
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.storage.digests import sha256_of
from batch_jobs.transfer import checking
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
from batch_jobs.transfer.making import Maker
from batch_jobs.transfer.place import Place
from batch_jobs.transfer.planning import Documents, Plan, make_plan
from batch_jobs.transfer.trials import TrialTable

_MAX_NAMED = 10


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The entry of the kind `import_workspace`."""
    if not isinstance(environment.spec, ImportWorkspaceSpec):
        raise InternalError(f"A job of the kind {environment.spec.kind} was started as import_workspace.")
    settings = ContainerSettings()
    ports = bootstrap.build_ports(settings)
    trials = TrialTable(ports.clients.dynamodb, table=settings.studies_table)
    place = Place(ports=ports, trials=trials, workspace_id=settings.workspace_id)
    return import_workspace(place, environment.spec, environment, reporter)


def import_workspace(
    place: Place, spec: ImportWorkspaceSpec, environment: Environment, reporter: Reporter
) -> dict[str, float]:
    """The same at a given place.

    Raises InvalidDataError for an archive that is damaged, hostile or of another format, InvalidRequestError where
    names are taken and nobody said what to do then. Nothing is written before.
    """
    with tempfile.TemporaryDirectory(prefix="import-", dir=environment.base_path) as folder:
        path = Path(folder) / "workspace.zip"
        _fetch(place, spec, path)
        with Reader(path) as reader:
            reader.verify(lambda done, total: _tell(reporter, done, total))
            documents = _load(reader)
            checking.check_documents(documents)
            plan = make_plan(place.ports, place.workspace_id, documents, reader, on_conflict=spec.on_conflict)
            maker = Maker(place=place, reader=reader, documents=documents, plan=plan, work_path=Path(folder))
            reporter.progress("checking")
            maker.check()
            _leave(environment, reader, plan, maker.to_do, dry_run=spec.dry_run)
            if not spec.dry_run:
                _require_no_conflict(plan)
                maker.make(reporter)
                _leave(environment, reader, plan, maker.to_do, dry_run=False)
    return {f"num_{action}": float(number) for action, number in plan.counts().items()}


def _fetch(place: Place, spec: ImportWorkspaceSpec, path: Path) -> None:
    key = keys.workspace_archive(place.workspace_id, spec.archive)
    try:
        place.ports.lake.download(key, path)
    except BlobNotFoundError as error:
        raise InvalidRequestError("The archive is gone from the lake. Send it again.") from error
    if sha256_of(path) != spec.archive:
        # S3 has compared each part that was sent, and nobody the whole; it could not be sent again while it is there.
        place.ports.lake.delete(key)
        raise InvalidRequestError("The archive is damaged: its SHA-256 is another. Send it again.")


def _load(reader: Reader) -> Documents:
    return Documents(
        settings=reader.documents("settings", SettingsDocument),
        sources=reader.documents("source", SourceDocument),
        datasets=reader.documents("dataset", DatasetDocument),
        jobs=reader.documents("job", Job),
        studies=reader.documents("study", StudyDocument),
        models=reader.documents("model", ModelDocument),
        endpoints=reader.documents("endpoint", EndpointDocument),
        triggers=reader.documents("trigger", Trigger),
        rules=reader.documents("notification_rule", NotificationRule),
        channels=reader.documents("notification_channel", ChannelDocument),
        users=reader.documents("user", UserDocument),
    )


def _leave(environment: Environment, reader: Reader, plan: Plan, to_do: list[str], *, dry_run: bool) -> None:
    report = ImportReport(
        workspace_name=reader.manifest.workspace_name,
        exported_at=reader.manifest.exported_at,
        dry_run=dry_run,
        counts=plan.counts(),
        items=plan.items,
        to_do=to_do,
    )
    environment.output_path.mkdir(parents=True, exist_ok=True)
    (environment.output_path / IMPORT_REPORT).write_text(report.model_dump_json(indent=1), encoding="utf-8")


def _require_no_conflict(plan: Plan) -> None:
    conflicts = plan.conflicts()
    if not conflicts:
        return
    told = "; ".join(f"{item.resource} {item.name}: {item.reason}" for item in conflicts[:_MAX_NAMED])
    more = f"; and {len(conflicts) - _MAX_NAMED} more" if len(conflicts) > _MAX_NAMED else ""
    raise InvalidRequestError(
        f"Nothing was imported, as {len(conflicts)} things are in conflict: {told}{more}. Say --on-conflict "
        f"{OnConflict.RENAME} or {OnConflict.SKIP}, or give what is here another name."
    )


def _tell(reporter: Reporter, done: int, total: int) -> None:
    reporter.progress("verifying", step=done >> 20, num_steps=max(total >> 20, 1))
