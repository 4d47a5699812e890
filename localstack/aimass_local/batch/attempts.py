"""One attempt of a job: its containers from the first process to the last log line."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aimass_local.batch.jobs import INSTANCE_ARN, Job, JobStatus, to_attempt_container
from aimass_local.batch.requirements import Placement, Requirements
from aimass_local.batch.wire import Document
from aimass_local.containers import (
    Container,
    Image,
    LogPump,
    PutLogEvents,
    StartError,
    Watchdog,
    find_image,
    make_folders,
)
from aimass_local.environment import ACCOUNT_ID, REGION

EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
NOT_STARTED = "Task failed to start"
_OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"

_LOG_GROUP = "/aws/batch/job"
_MEMORY_CHECK_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The machine that attempts run on."""

    images: Mapping[str, Image]
    environment: Mapping[str, str]
    run_folder: Path
    put_log_events: PutLogEvents
    now_ms: Callable[[], int]
    stop_grace_seconds: float
    max_log_bytes: int
    watchdog: Watchdog = field(default_factory=Watchdog)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended, in the words that retry strategies match on."""

    exit_code: int | None
    reason: str | None
    status_reason: str

    @property
    def is_success(self) -> bool:
        return self.exit_code == 0 and self.reason is None

    @property
    def is_timeout(self) -> bool:
        return self.status_reason == TIMED_OUT


class Attempt:
    """Runs the containers of a job. Writes what it sees of each container into `job.nodes`."""

    def __init__(self, job: Job, placement: Placement, host: Host, *, on_running: Callable[[], None]) -> None:
        self._job = job
        self._placement = placement
        self._host = host
        self._on_running = on_running
        self._number = len(job.attempts) + 1
        self._containers: dict[int, Container] = {}
        self._stopping: asyncio.Task[None] | None = None
        self._is_started = False
        self._is_stop_wanted = False
        self._grace_seconds = host.stop_grace_seconds

    async def run(self) -> Outcome:
        """From start to clean-up; returns when nothing of the attempt is left but its log."""
        self._job.nodes = [{} for _ in self._job.spec.containers]
        try:
            await self._start()
            outcome = await self._watch()
        except StartError as error:
            outcome = Outcome(exit_code=error.exit_code, reason=str(error), status_reason=NOT_STARTED)
        finally:
            if self._stopping:
                await self._stopping
            await asyncio.gather(*(container.clean_up() for container in self._containers.values()))
        main = self._job.nodes[self._job.spec.main_node]
        main.update(_without_none({"exitCode": outcome.exit_code, "reason": outcome.reason}))
        self._record(main, outcome)
        return outcome

    def stop(self, *, grace_seconds: float | None = None) -> None:
        """Ends all containers, at once or as soon as they have begun; `run` returns after that.

        Args:
            grace_seconds: another grace than the host's, also for a stop that is under way.
        """
        self._is_stop_wanted = True
        if grace_seconds is not None:
            self._grace_seconds = grace_seconds
        if self._is_started and (self._stopping is None or grace_seconds is not None):
            self._stopping = asyncio.create_task(self._stop_all())

    async def _start(self) -> None:
        """The main node first, as Batch does."""
        main = self._job.spec.main_node
        for index in sorted(range(len(self._job.spec.containers)), key=lambda index: index != main):
            self._containers[index] = await self._start_container(index)
            self._job.nodes[index].update(status=JobStatus.RUNNING.value, startedAt=self._host.now_ms())
        self._is_started = True
        self._on_running()
        if self._is_stop_wanted:
            self.stop()

    async def _start_container(self, index: int) -> Container:
        properties = self._job.spec.containers[index]
        image = find_image(self._host.images, properties["image"])
        task_id = uuid.uuid4().hex
        group, stream = self._name_log(properties, task_id)
        self._job.nodes[index].update(
            logStreamName=stream,
            taskArn=f"arn:aws:ecs:{REGION}:{ACCOUNT_ID}:task/local/{task_id}",
            containerInstanceArn=INSTANCE_ARN,
        )
        pump = LogPump(
            self._host.put_log_events,
            group=group,
            stream=stream,
            max_bytes=self._host.max_log_bytes,
            now_ms=self._host.now_ms,
        )
        return await Container.start(
            properties["command"],
            image=image,
            environment=self._build_environment(index, image),
            folders=make_folders(self._host.run_folder),
            pump=pump,
            memory_mib=Requirements.of(properties).memory_mib,
            ulimits={
                entry["name"]: (entry["softLimit"], entry["hardLimit"]) for entry in properties.get("ulimits", [])
            },
            watchdog=self._host.watchdog,
        )

    def _name_log(self, properties: Document, task_id: str) -> tuple[str, str]:
        options = properties.get("logConfiguration", {}).get("options", {})
        prefix = options.get("awslogs-stream-prefix", self._job.spec.definition_name)
        return options.get("awslogs-group", _LOG_GROUP), f"{prefix}/default/{task_id}"

    def _build_environment(self, index: int, image: Image) -> dict[str, str]:
        properties = self._job.spec.containers[index]
        num_threads = max(1, int(Requirements.of(properties).vcpus))
        return {
            **self._host.environment,
            "OMP_NUM_THREADS": str(num_threads),
            **image.env,
            **{entry["name"]: entry.get("value", "") for entry in properties["environment"]},
            "CUDA_VISIBLE_DEVICES": ",".join(self._placement.gpus[index]),
            **self._build_batch_variables(index),
        }

    def _build_batch_variables(self, index: int) -> dict[str, str]:
        """https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html"""
        job, spec = self._job, self._job.spec
        variables = {
            "AWS_BATCH_JOB_ID": job.id,
            "AWS_BATCH_JOB_ATTEMPT": str(self._number),
            "AWS_BATCH_JQ_NAME": spec.queue_name,
            "AWS_BATCH_CE_NAME": self._placement.compute_environment,
        }
        if job.array_index is not None:
            variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_index)
            variables["AWS_BATCH_JOB_ARRAY_SIZE"] = str(spec.array_size)
        if spec.node_properties:
            variables["AWS_BATCH_JOB_ID"] = f"{job.id}#{index}"
            variables["AWS_BATCH_JOB_NUM_NODES"] = str(len(spec.containers))
            variables["AWS_BATCH_JOB_NODE_INDEX"] = str(index)
            variables["AWS_BATCH_JOB_MAIN_NODE_INDEX"] = str(spec.main_node)
            if index != spec.main_node:
                variables["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = "127.0.0.1"
        return variables

    async def _watch(self) -> Outcome:
        """Waits for the main node; stops it at the timeout, and the other nodes when it has ended."""
        is_timeout = False
        guard = asyncio.create_task(self._guard_memory())
        others = [
            asyncio.create_task(self._watch_node(index))
            for index in self._containers
            if index != self._job.spec.main_node
        ]
        main = self._containers[self._job.spec.main_node]
        try:
            async with asyncio.timeout(self._job.spec.timeout_seconds):
                await main.wait()
        except TimeoutError:
            is_timeout = True
        if len(self._containers) > 1 or is_timeout:
            await self._stop_all()
        guard.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await guard
        await asyncio.gather(*others)
        return Outcome(
            exit_code=await main.wait(),
            reason=_OUT_OF_MEMORY if main.is_out_of_memory else None,
            status_reason=TIMED_OUT if is_timeout else EXITED,
        )

    async def _watch_node(self, index: int) -> None:
        """A node that ends before the main one changes nothing but its own record."""
        container = self._containers[index]
        code = await container.wait()
        reason = _OUT_OF_MEMORY if container.is_out_of_memory else None
        node = self._job.nodes[index]
        node.update(_without_none({"exitCode": code, "reason": reason}))
        self._record(node, Outcome(exit_code=code, reason=reason, status_reason=EXITED))

    async def _guard_memory(self) -> None:
        while True:
            await asyncio.sleep(_MEMORY_CHECK_SECONDS)
            for container in self._containers.values():
                if await asyncio.to_thread(container.is_over_memory):
                    container.kill_for_memory()

    async def _stop_all(self) -> None:
        await asyncio.gather(
            *(container.stop(grace_seconds=self._grace_seconds) for container in self._containers.values())
        )

    def _record(self, node: Document, outcome: Outcome) -> None:
        status = JobStatus.SUCCEEDED if outcome.is_success else JobStatus.FAILED
        node.update(status=status.value, statusReason=outcome.status_reason, stoppedAt=self._host.now_ms())


def to_attempt_detail(job: Job, outcome: Outcome, *, stopped_at: int) -> Document:
    """`AttemptDetail`: what DescribeJobs keeps of an attempt. It is the main node's."""
    main = job.nodes[job.spec.main_node]
    return {
        "container": to_attempt_container(main),
        "startedAt": main.get("startedAt", stopped_at),
        "stoppedAt": stopped_at,
        "statusReason": outcome.status_reason,
    }


def _without_none(document: Document) -> Document:
    return {name: value for name, value in document.items() if value is not None}
