"""An export job: the workspace as one zip, beside the job's artifacts, which more people may read."""

import tempfile
from pathlib import Path

from aimass_core import __version__, bootstrap
from aimass_core.domain import keys
from aimass_core.domain.transfers import EXPORT_REPORT, MAX_ARCHIVE_BYTES, ExportReport, ExportSpec
from aimass_core.domain.workspaces import Workspace
from aimass_core.errors import InternalError
from aimass_core.ports import BlobNotFoundError, Ports
from aimass_core.services import records
from aimass_core.settings import ContainerSettings
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.runtime.storage.digests import sha256_of
from batch_jobs.transfer.archive import Writer
from batch_jobs.transfer.contract import DOCUMENTS
from batch_jobs.transfer.gathering import Gathered, gather
from batch_jobs.transfer.place import Place
from batch_jobs.transfer.trials import TrialTable


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The entry of the kind `export`."""
    if not isinstance(environment.spec, ExportSpec):
        raise InternalError(f"A job of the kind {environment.spec.kind} was started as export.")
    settings = ContainerSettings()
    ports = bootstrap.build_ports(settings)
    trials = TrialTable(ports.clients.dynamodb, table=settings.studies_table)
    place = Place(ports=ports, trials=trials, workspace_id=settings.workspace_id)
    return export(place, environment.spec, environment, reporter)


def export(place: Place, spec: ExportSpec, environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The same at a given place."""
    ports, workspace_id = place.ports, place.workspace_id
    workspace = records.get(ports, Workspace, workspace_id, workspace_id)
    reporter.progress("gathering")
    found = gather(ports, place.trials, workspace_id, with_data=spec.with_data)
    counts = {name: len(found.documents[name]) for name in DOCUMENTS}
    exported_at = ports.clock()
    with tempfile.TemporaryDirectory(prefix="export-", dir=environment.base_path) as folder:
        path = Path(folder) / "workspace.zip"
        writer = Writer(path)
        _write(ports, writer, found, Path(folder) / "object", reporter)
        writer.finish(
            release=__version__,
            exported_at=exported_at,
            workspace_id=workspace_id,
            workspace_name=workspace.name,
            with_data=spec.with_data,
            counts=counts,
        )
        reporter.progress("upload")
        ports.lake.upload(path, keys.workspace_export(workspace_id, environment.job), content_type="application/zip")
        report = ExportReport(
            workspace_name=workspace.name,
            exported_at=exported_at,
            with_data=spec.with_data,
            num_bytes=path.stat().st_size,
            sha256=sha256_of(path),
            counts=counts,
            left_out=found.left_out,
        )
    if report.num_bytes > MAX_ARCHIVE_BYTES:
        reporter.message(
            f"The archive has {report.num_bytes:,} bytes; an import takes {MAX_ARCHIVE_BYTES:,}. Export without the "
            "rows, and move the datasets one by one (aimass datasets export)."
        )
    environment.output_path.mkdir(parents=True, exist_ok=True)
    (environment.output_path / EXPORT_REPORT).write_text(report.model_dump_json(indent=1), encoding="utf-8")
    return {"num_bytes": float(report.num_bytes)}


def _write(ports: Ports, writer: Writer, found: Gathered, part: Path, reporter: Reporter) -> None:
    for step, (path, key) in enumerate(found.objects.items()):
        reporter.progress("objects", step=step, num_steps=len(found.objects))
        try:
            ports.lake.download(key, part)
        except BlobNotFoundError:
            found.left_out.append(f"{path}, which was deleted meanwhile.")
            continue
        writer.add_file(path, part)
    for resource in DOCUMENTS:
        writer.add_rows(resource, found.documents[resource])
