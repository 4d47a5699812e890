"""Which compute service a job is with, by its own choice."""

from aimass_core.domain import compute_states
from aimass_core.domain.compute import Backend
from aimass_core.domain.jobs import Job
from aimass_core.ports import Compute, Logs, Ports, Row


def compute_of(ports: Ports, job: Job) -> Compute:
    """The service that runs the job."""
    return compute_at(ports, job.compute.backend)


def compute_at(ports: Ports, backend: Backend) -> Compute:
    """That service."""
    return ports.sagemaker if backend is Backend.SAGEMAKER else ports.compute


def of_row(row: Row) -> Backend:
    """Of a stored job, which need not be readable as a whole."""
    return Backend(row.data.get("compute", {}).get("backend", Backend.BATCH))


def logs_of(ports: Ports, job: Job) -> Logs:
    """Where that service's containers write."""
    return ports.sagemaker_logs if job.compute.backend is Backend.SAGEMAKER else ports.logs


def name_of(job: Job) -> str:
    """The name of its submission, by which that service finds it."""
    if job.compute.backend is Backend.SAGEMAKER:
        return compute_states.to_training_job_name(job.workspace_id, job.id)
    return job.id
