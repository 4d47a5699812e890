"""Puts the local cloud together: emulator, our own services, gateway and state saver."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self, TypedDict

import psutil

from aimass_local import emulator
from aimass_local.batch import BatchService
from aimass_local.clients import build_client
from aimass_local.emr_serverless import EmrServerlessService
from aimass_local.environment import DataDirectory, client_environment, without_foreign_variables
from aimass_local.gateway import Gateway
from aimass_local.images import list_images
from aimass_local.journal import Journal
from aimass_local.sagemaker import SageMakerService
from aimass_local.state import StateSaver

_MAX_WORKERS_PER_FUNCTION = 4
# What one job of the stack asks for (infra/cdk/components/job_definition.py).
_MIN_VCPUS = 2
_MIN_MEMORY_MIB = 8192

_logger = logging.getLogger(__name__)


class JobCapacity(TypedDict):
    """How much the containers of all running jobs may reserve together."""

    vcpus: float
    memory_mib: int


class LocalCloud:
    """The parts of the server process; an async context that starts and stops them in order."""

    def __init__(self, data: DataDirectory, *, port: int, vcpus: int | None = None) -> None:
        state = emulator.install_patches(
            max_workers_per_function=_MAX_WORKERS_PER_FUNCTION,
            multipart_path=data.multipart,
            journal=Journal(data.journal),
        )
        self._port = port
        self._saver = StateSaver(data.state, state)
        self._batch = _build_batch(data, port=port, vcpus=vcpus, emit_event=self._emit_event)
        self._sagemaker = _build_sagemaker(data, port=port, emit_event=self._emit_event)
        self._emr_serverless = EmrServerlessService(
            data.emr_serverless,
            environment=_container_environment(port),
            s3=build_client("s3", port=port),
            put_log_events=emulator.put_log_events,
        )
        self.gateway = Gateway(
            emulator.application,
            services={"batch": self._batch, "sagemaker": self._sagemaker, "emr-serverless": self._emr_serverless},
            guard=self._saver,
            health=self._health,
            on_started=self._start,
        )
        self._saving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def _start(self) -> None:
        """Begins once the emulator has its state: an event of a recovered job must find its rule."""
        resource_types = {**self._batch.cloudformation_handlers(), **self._sagemaker.cloudformation_handlers()}
        for resource_type, handlers in resource_types.items():
            emulator.register_cloudformation(resource_type, handlers)
        emulator.register_step_functions("arn:aws:states:::batch:submitJob", self._batch.submit_job_task)
        await self._batch.start()
        self._saver.mark_changed("dynamodb")  # what the journal has brought back
        await self._sagemaker.start()
        await self._emr_serverless.start()
        self._saving = asyncio.create_task(self._saver.run(), name="state-saver")

    async def __aexit__(self, *_error: object) -> None:
        if self._saving is None:
            return  # nothing was loaded: saving would replace the state with nothing
        self._saving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._saving
        await asyncio.gather(self._batch.close(), self._sagemaker.close(), self._emr_serverless.close())
        await self._saver.save_all()
        await asyncio.to_thread(emulator.stop_workers)

    def _emit_event(self, event: dict[str, Any]) -> None:
        emulator.emit_event(event)
        # A rule may have put it into a queue.
        self._saver.mark_changed("events")

    def _health(self) -> dict[str, Any]:
        return {"status": "ready", "pid": os.getpid(), "port": self._port, "version": _own_version()}


def _build_batch(
    data: DataDirectory, *, port: int, vcpus: int | None, emit_event: Callable[[dict[str, Any]], None]
) -> BatchService:
    return BatchService(
        data.batch,
        images=list_images(data.images_path),
        environment=_container_environment(port),
        **job_capacity(num_cpus=vcpus or os.cpu_count(), memory_bytes=psutil.virtual_memory().total),
        emit_event=emit_event,
        put_log_events=emulator.put_log_events,
    )


def job_capacity(*, num_cpus: int | None, memory_bytes: int) -> JobCapacity:
    """What jobs may reserve of a machine: all it has, and one job of the stack always.

    Else a job would wait for ever on a laptop that has no more memory than the job definition asks for. What it really
    takes is mostly far less; a job that takes more than it asked for is killed all the same.
    """
    return {
        "vcpus": max(num_cpus or 1, _MIN_VCPUS),
        "memory_mib": max(memory_bytes // 1024**2, _MIN_MEMORY_MIB),
    }


def _build_sagemaker(
    data: DataDirectory, *, port: int, emit_event: Callable[[dict[str, Any]], None]
) -> SageMakerService:
    return SageMakerService(
        data.sagemaker,
        images=list_images(data.images_path),
        environment=_container_environment(port),
        s3=build_client("s3", port=port),
        max_running=max(1, (os.cpu_count() or 1) // 2),
        emit_event=emit_event,
        put_log_events=emulator.put_log_events,
    )


def _container_environment(port: int) -> dict[str, str]:
    return {**without_foreign_variables(os.environ), **client_environment(port)}


def _own_version() -> str:
    try:
        return version("aimass")
    except PackageNotFoundError:
        return "unknown"
