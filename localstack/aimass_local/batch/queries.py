"""DescribeJobs and ListJobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aimass_local.batch.errors import ClientError
from aimass_local.batch.jobs import Job, JobStatus, to_detail, to_node_detail, to_summary
from aimass_local.batch.paging import take_page
from aimass_local.batch.resources import ARN_PREFIX, Resources
from aimass_local.batch.scheduler import Scheduler
from aimass_local.batch.wire import Document

_MAX_DESCRIBED = 100


class Queries:
    """What can be asked about jobs."""

    def __init__(self, scheduler: Scheduler, resources: Resources) -> None:
        self._scheduler = scheduler
        self._resources = resources

    def describe_jobs(self, parameters: Document) -> Document:
        if len(parameters["jobs"]) > _MAX_DESCRIBED:
            raise ClientError(f"jobs: at most {_MAX_DESCRIBED} can be described at once")
        details = (self._describe(to_job_id(reference)) for reference in parameters["jobs"])
        return {"jobs": [detail for detail in details if detail]}

    def list_jobs(self, parameters: Document) -> Document:
        scopes = [name for name in ("jobQueue", "arrayJobId", "multiNodeJobId") if name in parameters]
        if len(scopes) != 1:
            raise ClientError("Exactly one of jobQueue, arrayJobId and multiNodeJobId has to be given")
        if node_of := parameters.get("multiNodeJobId"):
            return self._list_nodes(self.get_job(node_of), parameters)
        if array := parameters.get("arrayJobId"):
            parent = self.get_job(array)
            jobs: Iterable[Job] = [self._scheduler.jobs[child_id] for child_id in parent.child_ids()]
        else:
            queue_arn = self._resources.get_job_queue(parameters["jobQueue"])["jobQueueArn"]
            jobs = [
                job
                for job in self._scheduler.jobs.values()
                if job.spec.queue_arn == queue_arn and job.array_index is None
            ]
        matches = _build_filter(parameters)
        page, more = take_page(
            filter(matches, jobs), parameters, key=_newest_first, largest=100 if "filters" in parameters else 1000
        )
        return {"jobSummaryList": [to_summary(to_detail(job)) for job in page], **more}

    def get_job(self, reference: str) -> Job:
        """Raises:
        ClientError: no such job.
        """
        job = self._scheduler.jobs.get(to_job_id(reference))
        if job is None:
            raise ClientError(f"Job {reference} does not exist")
        return job

    def _describe(self, job_id: str) -> Document | None:
        root, _, index = job_id.partition("#")
        job = self._scheduler.jobs.get(root)
        if job is None:
            return None
        if not index:
            return to_detail(job)
        if not index.isdecimal() or not job.spec.node_properties or int(index) >= len(job.spec.containers):
            return None
        return to_node_detail(job, int(index))

    def _list_nodes(self, job: Job, parameters: Document) -> Document:
        if not job.spec.node_properties:
            raise ClientError(f"Job {job.id} is not a multi-node job")
        nodes = [to_node_detail(job, index) for index in range(len(job.spec.containers))]
        page, more = take_page(nodes, parameters, key=lambda node: [node["nodeDetails"]["nodeIndex"]], largest=1000)
        return {"jobSummaryList": [to_summary(node) for node in page], **more}


def to_job_id(reference: str) -> str:
    """The id of a job that is named by id or ARN."""
    return reference.removeprefix(f"{ARN_PREFIX}job/")


def _newest_first(job: Job) -> list[int]:
    """A whole queue: the newest first; the children of one array: by index."""
    return [-job.created_at, -job.sequence, job.array_index or 0]


def _build_filter(parameters: Document) -> Callable[[Job], bool]:
    filters = parameters.get("filters", [])
    if not filters:
        status = JobStatus(parameters.get("jobStatus", "RUNNING"))
        return lambda job: job.status is status
    if len(filters) > 1:
        raise ClientError("filters: only one filter can be used at a time")
    name, values = filters[0].get("name"), filters[0].get("values", [])
    tests: dict[str, Callable[[Job], bool]] = {
        "JOB_NAME": lambda job: any(_matches(job.spec.name.lower(), value.lower()) for value in values),
        "JOB_DEFINITION": lambda job: (
            bool({job.spec.definition_arn, job.spec.definition_name} & set(values))
            or any(_matches(job.spec.definition_name, value) for value in values)
        ),
        "BEFORE_CREATED_AT": lambda job: any(job.created_at < int(value) for value in values),
        "AFTER_CREATED_AT": lambda job: any(job.created_at > int(value) for value in values),
        "SHARE_IDENTIFIER": lambda job: job.spec.share_identifier in values,
    }
    if name not in tests:
        raise ClientError(f"filters: {name!r} is none of {', '.join(tests)}")
    if name.endswith("CREATED_AT") and not all(value.isdecimal() for value in values):
        raise ClientError(f"filters: {name} takes milliseconds since 1970")
    return tests[name]


def _matches(text: str, pattern: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
