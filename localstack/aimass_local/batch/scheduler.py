"""Moves jobs through their states: dependencies, queues, room on the machine, attempts, retries.

    SUBMITTED -> PENDING -> RUNNABLE -> STARTING -> RUNNING -> SUCCEEDED | FAILED
                               ^------------ retry ------------'

Everything happens on the event loop. A change is noted in the store, and its event is sent once it has been saved.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime

from aimass_local.batch import dependencies, events
from aimass_local.batch.attempts import NOT_STARTED, Attempt, Host, Outcome, to_attempt_detail
from aimass_local.batch.errors import ServerError
from aimass_local.batch.jobs import Job, JobSpec, JobStatus
from aimass_local.batch.requirements import Capacity, Placement, Requirements
from aimass_local.batch.resources import Resources
from aimass_local.batch.retry import should_retry
from aimass_local.batch.wire import Document
from aimass_local.documents import DocumentStore, NotSavedError

HOST_TERMINATED = "Host EC2 (instance i-local) terminated."
_DEPENDENCY_FAILED = "Dependent Job failed"
_CHILD_FAILED = "Array Child Job failed"
_TOO_LARGE = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
_ENVIRONMENT_TOO_SMALL = "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE"
_NO_ENVIRONMENT = "ACTION_REQUIRED - every compute environment of the job queue is DISABLED"

# How many jobs change before the loop may do something else: an array brings up to 10,000 at once.
_JOBS_PER_TURN = 200
_SAVE_RETRY_SECONDS = 1.0
_PRUNE_EVERY_SECONDS = 600.0
_RETENTION_MS = 7 * 24 * 3600 * 1000
_MAX_FINISHED_JOBS = 10_000

_QueueEntry = tuple[int, int, int, str]

_logger = logging.getLogger(__name__)


class Scheduler:
    """All jobs of the service, and the machine they run on."""

    def __init__(
        self,
        store: DocumentStore,
        resources: Resources,
        *,
        capacity: Capacity,
        host: Host,
        emit_event: Callable[[Document], None],
    ) -> None:
        self.jobs: dict[str, Job] = {}
        self._store = store
        self._resources = resources
        self._capacity = capacity
        self._host = host
        self._emit_event = emit_event
        self._dependencies = dependencies.Dependencies()
        self._arrived: deque[str] = deque()
        self._ended: deque[str] = deque()
        self._stops: deque[tuple[str, str, bool]] = deque()
        self._runnable: defaultdict[str, list[_QueueEntry]] = defaultdict(list)
        self._attempts: dict[str, Attempt] = {}
        self._placements: dict[str, Placement] = {}
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._waiters: defaultdict[str, list[asyncio.Future[None]]] = defaultdict(list)
        self._outbox: list[Document] = []
        self._turn: asyncio.Handle | None = None
        self._pruning: asyncio.TimerHandle | None = None
        self._sequence = 0
        self._is_closing = False

    # life

    def start(self) -> None:
        """Takes up where the former server stopped: what was running then has lost its host."""
        specs = {job_id: JobSpec.from_document(document) for job_id, document in self._store.load("spec")}
        for job_id, document in self._store.load("job"):
            self.jobs[job_id] = Job.from_document(job_id, document, specs[job_id.split(":")[0]])
        in_order = sorted(self.jobs.values(), key=_submission_order)
        self._sequence = in_order[-1].sequence if in_order else 0
        for job in in_order:
            if job.parent_id:
                self.jobs[job.parent_id].child_statuses[job.status] += 1
        # NOTE: only now, for the end of a child may be the end of its array.
        for job in in_order:
            self._restore(job)
        self._release_dependents()
        self._prune()
        self.wake()

    async def close(self, *, grace_seconds: float) -> None:
        """Ends every container, as a machine that is shut down. The jobs learn of it at the next start."""
        self._is_closing = True
        for handle in (self._turn, self._pruning):
            if handle:
                handle.cancel()
        for attempt in self._attempts.values():
            attempt.stop(grace_seconds=grace_seconds)
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._host.watchdog.close()

    def wake(self) -> None:
        """Has the scheduler look again, soon."""
        if self._turn is None and not self._is_closing:
            self._turn = asyncio.get_running_loop().call_soon(self._take_turn)

    def flush(self) -> None:
        """Saves all changes, then tells EventBridge of them.

        Raises:
            ServerError: the disk refuses; the changes are kept for the next flush.
        """
        try:
            self._store.flush()
        except NotSavedError as error:
            raise ServerError(str(error)) from error
        outbox, self._outbox = self._outbox, []
        for event in outbox:
            self._emit_event(event)

    # use cases

    def submit(self, spec: JobSpec, *, job_id: str) -> Job:
        self._sequence += 1
        job = Job(id=job_id, spec=spec, sequence=self._sequence, created_at=self._host.now_ms())
        self._store.save("spec", job_id, spec.to_document)
        self._add(job)
        for index, child_id in enumerate(job.child_ids()):
            self._add(
                Job(
                    id=child_id,
                    spec=spec,
                    sequence=job.sequence,
                    created_at=job.created_at,
                    array_index=index,
                )
            )
            job.child_statuses[JobStatus.SUBMITTED] += 1
        self.wake()
        return job

    def cancel(self, job: Job, reason: str) -> None:
        """Fails a job that has not been placed yet; one that has goes on. Idempotent."""
        if job.is_array:
            self._stops.extend((child_id, reason, False) for child_id in job.child_ids())
            self.wake()
        else:
            self._stop(job, reason, is_forced=False)

    def terminate(self, job: Job, reason: str) -> None:
        """Fails a job in whatever state it is, and ends its processes. Idempotent."""
        if job.is_array and not job.status.is_final:
            job.termination_reason = job.termination_reason or reason
            self._save(job)
            self._stops.extend((child_id, job.termination_reason, True) for child_id in job.child_ids())
            self.wake()
        else:
            self._stop(job, reason, is_forced=True)

    def terminate_queue(self, queue_arn: str, reason: str) -> None:
        for job in list(self.jobs.values()):
            if job.spec.queue_arn == queue_arn and job.array_index is None:
                self.terminate(job, reason)

    def save_spec(self, job: Job) -> None:
        """Notes that the tags of a job have changed."""
        self._store.save("spec", job.id.split(":")[0], job.spec.to_document)

    async def wait(self, job: Job) -> None:
        """Returns when the job has ended."""
        if not job.status.is_final:
            future = asyncio.get_running_loop().create_future()
            self._waiters[job.id].append(future)
            await future

    # a turn

    def _take_turn(self) -> None:
        self._turn = None
        try:
            self._stop_children()
            self._release_dependents()
            self._admit()
            self._place()
            self.flush()
        except ServerError as error:
            _logger.error("%s", error.message)
            asyncio.get_running_loop().call_later(_SAVE_RETRY_SECONDS, self.wake)
        if self._arrived or self._ended or self._stops:
            self.wake()

    def _stop_children(self) -> None:
        """Of arrays that have been cancelled or terminated."""
        for _ in range(min(len(self._stops), _JOBS_PER_TURN)):
            job_id, reason, is_forced = self._stops.popleft()
            self._stop(self.jobs[job_id], reason, is_forced=is_forced)

    def _stop(self, job: Job, reason: str, *, is_forced: bool) -> None:
        if job.status.is_final or (job.status.is_placed and not is_forced):
            return
        if is_forced:
            job.termination_reason = job.termination_reason or reason
        else:
            job.is_cancelled = True
        if job.status.is_placed:
            self._attempts[job.id].stop()
            self._save(job)
        else:
            self._finish(job, JobStatus.FAILED, reason)

    def _release_dependents(self) -> None:
        while self._ended:
            target_id = self._ended.popleft()
            is_success = self.jobs[target_id].status is JobStatus.SUCCEEDED
            for job_id in self._dependencies.resolve(target_id, is_success=is_success):
                job = self.jobs[job_id]
                if job.status.is_final:
                    continue
                if is_success:
                    self._make_runnable(job)
                else:
                    self._finish(job, JobStatus.FAILED, _DEPENDENCY_FAILED)

    def _admit(self) -> None:
        for _ in range(min(len(self._arrived), _JOBS_PER_TURN)):
            job = self.jobs[self._arrived.popleft()]
            if job.status not in (JobStatus.SUBMITTED, JobStatus.PENDING) or job.is_array:
                continue
            targets = [self.jobs[target] for target in dependencies.list_targets(job) if target in self.jobs]
            if any(target.status is JobStatus.FAILED for target in targets):
                self._finish(job, JobStatus.FAILED, _DEPENDENCY_FAILED)
            elif unmet := [target.id for target in targets if not target.status.is_final]:
                self._dependencies.add(job.id, unmet)
                if job.status is not JobStatus.PENDING:
                    self._set_status(job, JobStatus.PENDING)
            else:
                self._make_runnable(job)

    def _place(self) -> None:
        for queue in self._resources.list_job_queues():
            line = self._runnable[queue["jobQueueName"]]
            while line:
                job = self.jobs.get(line[0][-1])
                if job and job.status is JobStatus.RUNNABLE:
                    placement = self._find_room(job, queue)
                    if placement is None:
                        break
                    self._begin(job, placement)
                heapq.heappop(line)

    def _find_room(self, job: Job, queue: Document) -> Placement | None:
        """A share of the machine; None if the job has to wait."""
        needs = job.spec.needs
        environment = next((e for e in self._resources.get_environments(queue) if e["state"] == "ENABLED"), None)
        blocked = self._find_obstacle(needs, environment)
        if environment is None or blocked:
            self._block(job, blocked)
            return None
        name = environment["computeEnvironmentName"]
        used = sum(p.vcpus for p in self._placements.values() if p.compute_environment == name)
        if used + sum(need.vcpus for need in needs) > _get_max_vcpus(environment):
            return None
        return self._capacity.take(needs, compute_environment=name)

    def _find_obstacle(self, needs: list[Requirements], environment: Document | None) -> str:
        """Why such a job can never run, as things are; empty if it can."""
        if environment is None:
            return _NO_ENVIRONMENT
        if excess := self._capacity.find_excess(needs):
            return f"{_TOO_LARGE} - {excess}"
        vcpus, most = sum(need.vcpus for need in needs), _get_max_vcpus(environment)
        if vcpus > most:
            name = environment["computeEnvironmentName"]
            return f"{_ENVIRONMENT_TOO_SMALL} - the job needs {vcpus:g} vCPUs, {name} has {most:g}"
        return ""

    def _block(self, job: Job, reason: str) -> None:
        """The job stays at the head of its queue and says why; those behind it wait, as with Batch."""
        if job.status_reason != reason:
            job.status_reason = reason
            self._save(job)
            self._send(events.QUEUE_BLOCKED, job)

    # attempts

    def _begin(self, job: Job, placement: Placement) -> None:
        job.started_at = None
        self._placements[job.id] = placement
        self._set_status(job, JobStatus.STARTING)
        self._attempts[job.id] = Attempt(job, placement, self._host, on_running=lambda: self._note_running(job))
        task = asyncio.create_task(self._attempts[job.id].run(), name=f"job {job.id}")
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._note_end(job, task))

    def _note_end(self, job: Job, task: asyncio.Task[Outcome]) -> None:
        self._tasks.discard(task)
        if self._is_closing or task.cancelled():
            return
        del self._attempts[job.id]
        self._capacity.give_back(self._placements.pop(job.id))
        if error := task.exception():
            _logger.error("the attempt of job %s broke", job.id, exc_info=error)
            outcome = Outcome(exit_code=None, reason=f"InternalError: {error!r}", status_reason=NOT_STARTED)
            job.nodes[job.spec.main_node]["reason"] = outcome.reason
        else:
            outcome = task.result()
        self._conclude(job, outcome)
        self.wake()

    def _note_running(self, job: Job) -> None:
        job.started_at = job.nodes[job.spec.main_node]["startedAt"]
        self._set_status(job, JobStatus.RUNNING)
        self.wake()

    def _conclude(self, job: Job, outcome: Outcome) -> None:
        job.attempts = [*job.attempts, to_attempt_detail(job, outcome, stopped_at=self._host.now_ms())]
        if job.termination_reason:
            self._finish(job, JobStatus.FAILED, job.termination_reason)
        elif outcome.is_success and not outcome.is_timeout:
            self._finish(job, JobStatus.SUCCEEDED, outcome.status_reason)
        elif outcome.is_timeout or not self._should_retry(job, outcome):
            self._finish(job, JobStatus.FAILED, outcome.status_reason)
        else:
            self._make_runnable(job, outcome.status_reason)

    def _should_retry(self, job: Job, outcome: Outcome) -> bool:
        return should_retry(
            job.spec.retry_strategy,
            num_attempts=len(job.attempts),
            exit_code=outcome.exit_code,
            reason=outcome.reason,
            status_reason=outcome.status_reason,
        )

    # states

    def _add(self, job: Job) -> None:
        self.jobs[job.id] = job
        self._arrived.append(job.id)
        self._save(job)

    def _make_runnable(self, job: Job, reason: str | None = None) -> None:
        self._set_status(job, JobStatus.RUNNABLE, reason)
        self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        entry = (-job.spec.scheduling_priority, job.sequence, job.array_index or 0, job.id)
        heapq.heappush(self._runnable[job.spec.queue_name], entry)
        self.wake()

    def _finish(self, job: Job, status: JobStatus, reason: str | None = None) -> None:
        job.stopped_at = self._host.now_ms()
        self._set_status(job, status, reason)
        self._ended.append(job.id)
        for future in self._waiters.pop(job.id, []):
            if not future.done():
                future.set_result(None)
        self.wake()

    def _set_status(self, job: Job, status: JobStatus, reason: str | None = None) -> None:
        former, job.status = job.status, status
        job.status_reason = reason
        self._save(job)
        self._send(events.STATE_CHANGE, job)
        if job.parent_id:
            self._update_parent(self.jobs[job.parent_id], former, status)

    def _update_parent(self, parent: Job, former: JobStatus, status: JobStatus) -> None:
        parent.child_statuses[former] -= 1
        parent.child_statuses[status] += 1
        num_failed = parent.child_statuses[JobStatus.FAILED]
        if num_failed + parent.child_statuses[JobStatus.SUCCEEDED] == parent.spec.array_size:
            if num_failed:
                self._finish(parent, JobStatus.FAILED, _CHILD_FAILED)
            else:
                self._finish(parent, JobStatus.SUCCEEDED)
        elif parent.status is JobStatus.SUBMITTED:
            self._set_status(parent, JobStatus.PENDING)

    def _save(self, job: Job) -> None:
        self._store.save("job", job.id, job.to_document)

    def _send(self, detail_type: str, job: Job) -> None:
        at = datetime.fromtimestamp(self._host.now_ms() / 1000, tz=UTC)
        self._outbox.append(events.build_event(detail_type, job, at=at))

    # after a restart, and long after

    def _restore(self, job: Job) -> None:
        if job.status.is_placed:
            outcome = Outcome(exit_code=None, reason=None, status_reason=HOST_TERMINATED)
            job.nodes = job.nodes or [{} for _ in job.spec.containers]
            self._conclude(job, outcome)
        elif job.status is JobStatus.RUNNABLE:
            self._enqueue(job)
        elif job.is_array and job.termination_reason and not job.status.is_final:
            self.terminate(job, job.termination_reason)
        elif not job.status.is_final:
            self._arrived.append(job.id)

    def _prune(self) -> None:
        """Forgets jobs that ended long ago: Batch keeps them for 7 days."""
        finished = [job for job in self.jobs.values() if job.status.is_final and job.array_index is None]
        finished.sort(key=lambda job: job.stopped_at or 0)
        oldest = self._host.now_ms() - _RETENTION_MS
        num_excess = len(finished) - _MAX_FINISHED_JOBS
        for position, job in enumerate(finished):
            if position < num_excess or (job.stopped_at or 0) < oldest:
                for job_id in (job.id, *job.child_ids()):
                    del self.jobs[job_id]
                    self._store.delete("job", job_id)
                self._store.delete("spec", job.id)
        self._pruning = asyncio.get_running_loop().call_later(_PRUNE_EVERY_SECONDS, self._prune)


def _submission_order(job: Job) -> tuple[int, int]:
    """Parents before their children, else the first submitted first."""
    return job.sequence, -1 if job.array_index is None else job.array_index


def _get_max_vcpus(environment: Document) -> float:
    return float(environment.get("computeResources", {}).get("maxvCpus", math.inf))
