"""One run of a training job: data in, containers from the first process to the last log line, artifacts out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aimass_local.containers import (
    Container,
    Folders,
    Image,
    LogPump,
    StartError,
    find_image,
    make_folders,
)
from aimass_local.objects import StoppedError, TransferError
from aimass_local.sagemaker import contract
from aimass_local.sagemaker.channels import download_channel
from aimass_local.sagemaker.contract import Instance
from aimass_local.sagemaker.jobs import Status, Step, TrainingJob
from aimass_local.sagemaker.machine import Machine
from aimass_local.sagemaker.outputs import CheckpointSync, upload_artifacts

LOG_GROUP = "/aws/sagemaker/TrainingJobs"

_CHECKPOINT_SECONDS = 1.0
_DEFAULT_CHECKPOINTS = "/opt/ml/checkpoints"
_MAX_REASON = 1024

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended."""

    status: Status
    step: Step
    reason: str | None = None


class Run:
    """Runs a job once.

    Args:
        job: its `artifacts` are set here; its steps are the caller's to write.
        machine: what it runs on.
        on_step: called as the run goes on.
    """

    def __init__(self, job: TrainingJob, machine: Machine, *, on_step: Callable[[Step], None]) -> None:
        self._job, self._machine, self._on_step = job, machine, on_step
        self._instances = contract.list_instances(job)
        self._folders: list[Folders] = []
        self._containers: list[Container] = []
        self._checkpoints: list[CheckpointSync] = []
        self._stop = asyncio.Event()
        self._grace_seconds = machine.stop_grace_seconds

    def stop(self, *, grace_seconds: float | None = None) -> None:
        """Ends the run as soon as may be; `execute` returns after that."""
        self._grace_seconds = self._grace_seconds if grace_seconds is None else grace_seconds
        self._stop.set()

    async def execute(self) -> Ending:
        """From the first download to the last upload. Nothing but the job's log is left of it then."""
        if (cut := await self._wait_for_slot()) is not None:
            return _cut_short(cut)
        try:
            return await self._execute()
        except StoppedError:
            return _cut_short(Step.STOPPED)
        except TransferError as error:
            return Ending(status=Status.FAILED, step=Step.FAILED, reason=str(error))
        except StartError as error:
            return Ending(status=Status.FAILED, step=Step.FAILED, reason=f"ClientError: {error}")
        finally:
            self._machine.slots.release()
            await asyncio.gather(*(container.clean_up() for container in self._containers))
            for folders in self._folders:
                await asyncio.to_thread(folders.remove)

    async def _wait_for_slot(self) -> Step | None:
        """A place on this machine; the step of the end where the job ends before it gets one."""
        if self._machine.slots.locked():
            self._on_step(Step.PENDING)
        waiting = asyncio.create_task(self._machine.slots.acquire())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({waiting, stopping}, timeout=self._wait_left(), return_when=asyncio.FIRST_COMPLETED)
        is_stopped = stopping.done()
        stopping.cancel()
        if waiting.done() and not is_stopped:
            return None
        if waiting.done() or not waiting.cancel():
            self._machine.slots.release()
        return Step.STOPPED if is_stopped else Step.MAX_WAIT_TIME_EXCEEDED

    def _wait_left(self) -> float | None:
        if self._job.max_wait_seconds is None:
            return None
        return max(0.0, self._job.created_at + self._job.max_wait_seconds - self._machine.clock())

    async def _execute(self) -> Ending:
        self._on_step(Step.DOWNLOADING)
        image = find_image(self._machine.images, self._job.request["AlgorithmSpecification"].get("TrainingImage", ""))
        self._folders = [make_folders(self._machine.run_folder) for _ in self._instances]
        await asyncio.gather(*(asyncio.to_thread(self._prepare, instance) for instance in self._instances))
        self._on_step(Step.TRAINING)
        for instance in self._instances:
            self._containers.append(await self._start(instance, image))
        cut, failed = await self._train()
        if failed is not None:
            return Ending(status=Status.FAILED, step=Step.FAILED, reason=await self._explain(failed))
        self._on_step(Step.UPLOADING)
        await asyncio.to_thread(self._upload)
        if self._stop.is_set():
            cut = cut or Step.STOPPED
        return Ending(status=Status.COMPLETED, step=Step.COMPLETED) if cut is None else _cut_short(cut)

    def _prepare(self, instance: Instance) -> None:
        """Configuration, data and former checkpoints of one host. Blocks."""
        root = self._folders[instance.index].ml
        contract.write_configuration(self._job, instance, self._instances, root)
        for channel in self._job.request.get("InputDataConfig", []):
            download_channel(
                self._machine.s3,
                channel,
                root / "input/data" / channel["ChannelName"],
                host=instance.index,
                num_hosts=len(self._instances),
                is_stopped=self._stop.is_set,
            )
        contract.relocate_drivers(root)
        checkpoints = self._job.request.get("CheckpointConfig")
        if checkpoints:
            folder = Path(contract.relocate(checkpoints.get("LocalPath", _DEFAULT_CHECKPOINTS), root))
            sync = CheckpointSync(self._machine.s3, checkpoints["S3Uri"], folder)
            sync.download()
            self._checkpoints.append(sync)

    async def _start(self, instance: Instance, image: Image) -> Container:
        folders = self._folders[instance.index]
        pump = LogPump(
            self._machine.put_log_events,
            group=LOG_GROUP,
            stream=f"{self._job.name}/{instance.name}-{int(self._machine.clock())}",
            max_bytes=self._machine.max_log_bytes,
            now_ms=lambda: int(self._machine.clock() * 1000),
        )
        return await Container.start(
            contract.build_command(self._job, folders.ml),
            image=image,
            environment=contract.build_environment(
                self._job,
                instance,
                self._instances,
                base=self._machine.environment,
                image=image,
                root=folders.ml,
            ),
            folders=folders,
            pump=pump,
            memory_mib=0,
            ulimits={},
            watchdog=self._machine.watchdog,
        )

    async def _train(self) -> tuple[Step | None, int | None]:
        """Why the training was cut short, or the host that failed first: one that fails ends all."""
        waits = [asyncio.create_task(container.wait()) for container in self._containers]
        syncing = asyncio.create_task(self._sync_checkpoints())
        cut = await self._wait_for_end(waits)
        failed = next((index for index, wait in enumerate(waits) if wait.done() and wait.result()), None)
        await asyncio.gather(*(container.stop(grace_seconds=self._grace_seconds) for container in self._containers))
        await asyncio.gather(*waits)
        syncing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await syncing
        await asyncio.to_thread(self._upload_checkpoints)
        return cut, failed if cut is None else None

    async def _wait_for_end(self, waits: list[asyncio.Task[int]]) -> Step | None:
        """Returns when all have ended well or one has failed; else the step that says why no longer is waited."""
        runtime, wait = float(self._job.max_runtime_seconds), self._wait_left()
        late_step = Step.MAX_RUNTIME_EXCEEDED if wait is None or runtime <= wait else Step.MAX_WAIT_TIME_EXCEEDED
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (runtime if wait is None else min(runtime, wait))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while running := [task for task in waits if not task.done()]:
                await asyncio.wait(
                    {*running, stopping}, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED
                )
                if any(task.done() and task.result() for task in waits):
                    return None
                if stopping.done():
                    return Step.STOPPED
                if loop.time() >= deadline:
                    return late_step
            return None
        finally:
            stopping.cancel()

    async def _sync_checkpoints(self) -> None:
        while self._checkpoints:
            await asyncio.sleep(_CHECKPOINT_SECONDS)
            try:
                await asyncio.to_thread(self._upload_checkpoints)
            except TransferError as error:
                _logger.warning("%s: %s; it is tried again", self._job.name, error)

    def _upload_checkpoints(self) -> None:
        for sync in self._checkpoints:
            sync.upload()

    def _upload(self) -> None:
        output = self._job.request["OutputDataConfig"]
        self._job.artifacts = upload_artifacts(
            self._machine.s3,
            [folders.ml for folders in self._folders],
            f"{output['S3OutputPath'].rstrip('/')}/{self._job.name}/output",
            is_compressed=output.get("CompressionType", "GZIP") == "GZIP",
        )

    async def _explain(self, failed: int) -> str:
        """The host's failure file, and its exit code."""
        start, end = "AlgorithmError: ", f", exit code: {await self._containers[failed].wait()}"
        text = _read_failure(self._folders[failed].ml / "output/failure")
        return start + text[: _MAX_REASON - len(start) - len(end)] + end


def _cut_short(step: Step) -> Ending:
    return Ending(status=Status.STOPPED, step=step)


def _read_failure(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
