"""/v1/jobs."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from aimass_core.domain.common import Page, Role
from aimass_core.domain.estimates import JobEstimate
from aimass_core.domain.job_sources import JobSource, JobSourceCreate
from aimass_core.domain.jobs import (
    Job,
    JobArtifacts,
    JobCreate,
    JobEvents,
    JobKind,
    JobLogs,
    JobStatus,
    JobTensorBoard,
)
from aimass_core.services import estimates, job_results, job_sources, job_story, jobs
from functions.api import request
from functions.api.request import Cursor, Id, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("jobs")

Status = Annotated[JobStatus | None, Query(description="Only those in this status.")]
Kind = Annotated[JobKind | None, Query(description="Only those of this kind.")]
After = Annotated[int, Query(ge=0, le=99_999_999, description="`last` of the answer before; 0: from the beginning.")]
Wait = Annotated[
    int, Query(ge=0, le=job_story.MAX_WAIT_SECONDS, description="Wait so many seconds for news where there are none.")
]
LogLimit = Annotated[int, Query(ge=1, le=10_000, description="At most so many lines.")]


@router.operation("POST", "/v1/jobs", role=Role.DEVELOPER, summary="Submit a job", status=202, idempotent=True)
def create_job(body: JobCreate) -> Response[Job]:
    """Dataset and model versions are pinned now, by digest: what is uploaded or trained later does not change the job.
    They stay until it has ended."""
    job = jobs.create(router.ports, router.caller, body, limits=router.job_limits)
    return _accepted(job)


@router.operation("POST", "/v1/jobs/estimate", role=Role.DEVELOPER, summary="Estimate a job")
def estimate_job(body: JobCreate) -> JobEstimate:
    """What the same body as POST /v1/jobs would take: seconds, dollars, memory, disk. Nothing is submitted."""
    return estimates.estimate(router.ports, router.caller, body)


@router.operation("POST", "/v1/jobs/sources", role=Role.COLLECTOR, summary="Send the source of a script")
def create_job_source(body: JobSourceCreate) -> JobSource:
    """How to send a .tar.gz of it: one signed PUT, or nothing where the same bytes are there already."""
    return job_sources.create(router.ports, router.caller, body)


@router.operation("GET", "/v1/jobs", role=Role.VIEWER, summary="List jobs")
def list_jobs(limit: Limit = 50, cursor: Cursor = None, status: Status = None, kind: Kind = None) -> Page[Job]:
    """Newest first. With a filter, a page may be short although more follow: go on while there is a cursor."""
    return request.page_of(
        router,
        lambda start: jobs.list_jobs(router.ports, router.caller, limit=limit, start=start, status=status, kind=kind),
        cursor=cursor,
    )


@router.operation("GET", "/v1/jobs/<job>", role=Role.VIEWER, summary="Read a job")
def get_job(job: Id) -> Response[Job]:
    """Its status, progress and metrics; where it failed, why and what to do."""
    return request.found(jobs.get(router.ports, router.caller, job))


@router.operation("POST", "/v1/jobs/<job>/stop", role=Role.DEVELOPER, summary="Stop a job")
def stop_job(job: Id) -> Response[Job]:
    """STOPPED at once where it has not been submitted to compute, else STOPPING. Harmless where it has ended."""
    return request.found(jobs.stop(router.ports, router.caller, job))


@router.operation(
    "POST", "/v1/jobs/<job>/retry", role=Role.DEVELOPER, summary="Retry a job", status=202, idempotent=True
)
def retry_job(job: Id) -> Response[Job]:
    """The same work on the same data and models, as a new job; for one that has FAILED or was STOPPED."""
    return _accepted(jobs.retry(router.ports, router.caller, job, limits=router.job_limits))


@router.operation("GET", "/v1/jobs/<job>/events", role=Role.VIEWER, summary="Follow a job")
def list_job_events(job: Id, after: After = 0, wait: Wait = 0) -> JobEvents:
    """What it told after event number `after`: status, progress, metrics; and the job as it is now."""
    return job_story.read_events(router.ports, router.caller, job, after=after, wait_seconds=wait)


@router.operation("GET", "/v1/jobs/<job>/logs", role=Role.VIEWER, summary="Read a job's log")
def list_job_logs(job: Id, limit: LogLimit = 1_000, cursor: Cursor = None) -> JobLogs:
    """Of its latest attempt, from the oldest line on. The cursor goes on also at the present end."""
    page = request.page_of(
        router,
        lambda start: job_story.read_logs(router.ports, router.caller, job, cursor=start, limit=limit),
        cursor=cursor,
    )
    return JobLogs(lines=page.items, next_cursor=page.next_cursor)


@router.operation("GET", "/v1/jobs/<job>/artifacts", role=Role.VIEWER, summary="List a job's artifacts")
def list_job_artifacts(job: Id) -> JobArtifacts:
    """Every file that it left, with a link that works for some minutes; none until it has ended. Of a job that failed
    what it had in `output/`."""
    return job_story.read_artifacts(router.ports, router.caller, job)


@router.operation("GET", "/v1/jobs/<job>/tensorboard", role=Role.VIEWER, summary="List a job's TensorBoard files")
def list_job_event_files(job: Id) -> JobTensorBoard:
    """They grow while the job runs. `aimass tensorboard <job>` shows them."""
    return job_results.list_event_files(router.ports, jobs.get(router.ports, router.caller, job))


def _accepted(job: Job) -> Response[Job]:
    return request.created(job, location=f"/v1/jobs/{job.id}", status=HTTPStatus.ACCEPTED)
