"""Sources on memory ports."""

from typing import Any

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.sources import RunCreate, Source, SourceCreate
from aimass_core.domain.workspaces import WorkspaceCreate
from aimass_core.services import dispatch, source_runs, sources, workspaces
from tests.factories.platform import artifact_key, new_principal, tell

FILES = {"type": "files", "urls": ["https://data.example/orders.csv"]}


def add_source(
    ports: MemoryPorts, principal: Principal, name: str = "orders", *, collector: Any = None, **policy: Any
) -> Source:
    """A source that reads files."""
    body = {"name": name, "collector": collector or FILES, "policy": policy}
    return sources.create(ports, principal, SourceCreate.model_validate(body))


def add_workspace(ports: MemoryPorts, name: str) -> Principal:
    """Somebody in a workspace that the registry knows."""
    made = workspaces.create(ports, new_principal(), WorkspaceCreate(name=name))
    return new_principal().model_copy(update={"workspace_id": made.id, "workspace_name": name})


def start_run(ports: MemoryPorts, principal: Principal, source: Source, **request: Any) -> Job:
    """A run that the compute service has taken."""
    job = source_runs.submit(ports, principal, source.id, RunCreate.model_validate(request))
    return dispatch.dispatch(ports, job.workspace_id, job.id)


def end_run(ports: MemoryPorts, job: Job, *, failure: str | None = None) -> Job:
    """The end of its container, with the failure that it noted."""
    if failure is None:
        result = f'{{"job_id": "{job.id}", "attempt": 1, "artifacts": []}}'
        ports.lake.put(artifact_key(job, "result.json"), result.encode())
        return tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)
    record = f'{{"code": "{failure}", "cause": "The source answered 401."}}'
    ports.lake.put(artifact_key(job, "failure.json"), record.encode())
    return tell(ports, job, JobStatus.FAILED, exit_code=65)
