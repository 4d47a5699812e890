"""Converts the dataset version that the job's spec names, and tells how far it is."""

from aimass_core import bootstrap
from aimass_core.domain.datasets import DatasetVersion, DatasetVersionStatus
from aimass_core.domain.jobs import IngestSpec
from aimass_core.errors import InternalError, InvalidDataError
from aimass_core.ports import Ports
from aimass_core.services import records
from aimass_core.services.ingest import closing
from aimass_core.services.jobs import INGEST_MAX_SECONDS
from aimass_core.settings import ContainerSettings
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """The entry of the kind `ingest`. Raises InvalidDataError where the version is rejected."""
    if not isinstance(environment.spec, IngestSpec):
        raise InternalError(f"A job of the kind {environment.spec.kind} was started as ingest.")
    settings = ContainerSettings()
    return ingest(bootstrap.build_ports(settings), settings.workspace_id, environment.spec, reporter)


def ingest(ports: Ports, workspace_id: str, spec: IngestSpec, reporter: Reporter) -> dict[str, float]:
    """Converts and commits; a version that a former attempt has committed is only reported."""

    def on_progress(phase: str, step: int, num_steps: int) -> None:
        reporter.progress(phase, step=step, num_steps=num_steps)

    closing.ingest(
        ports,
        workspace_id,
        spec.dataset_id,
        spec.number,
        lease_seconds=INGEST_MAX_SECONDS,
        on_progress=on_progress,
    )
    version = records.get(ports, DatasetVersion, workspace_id, spec.dataset_id, spec.number)
    for issue in version.issues:
        reporter.message(f"{issue.file}: {issue.reason}")
    if version.status is DatasetVersionStatus.REJECTED:
        raise InvalidDataError(
            f"Version {spec.number} of {version.dataset_name!r} is rejected: {version.status_reason}"
        )
    if version.status is not DatasetVersionStatus.READY:
        raise InternalError(f"Version {spec.number} of {version.dataset_name!r} is still {version.status}.")
    return {
        "num_rows": float(version.num_rows or 0),
        "num_quarantined": float(version.num_quarantined or 0),
        "num_bytes": float(version.num_bytes or 0),
        "num_files": float(version.num_files or 0),
    }
