"""One instance behind an endpoint: a container that is started again whenever it dies or falls silent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Mapping

import httpx2

from aimass_local.containers import Container, Folders, Image, LogPump, StartError, find_image, make_folders
from aimass_local.environment import HOST
from aimass_local.objects import TransferError
from aimass_local.sagemaker.hosting import contract
from aimass_local.sagemaker.hosting.resources import Variant
from aimass_local.sagemaker.machine import Machine

LOG_GROUP_PREFIX = "/aws/sagemaker/Endpoints/"
STARTUP_SECONDS = 480

_PING_SECONDS = 5.0
_FIRST_PING_SECONDS = 0.05
_PING_TIMEOUT_SECONDS = 2.0
_MAX_SILENT_PINGS = 3
_MAX_BACKOFF_SECONDS = 10.0
_STOP_GRACE_SECONDS = 30.0

_logger = logging.getLogger(__name__)


class Replica:
    """Keeps one container up from `start` to `stop`.

    Attributes:
        num_failures: starts that came to nothing since it was last healthy.
        fault: why the last one did.
        num_in_flight: requests that it answers now.
    """

    def __init__(self, variant: Variant, *, endpoint_name: str, index: int, machine: Machine, http: httpx2.AsyncClient):
        self.variant = variant
        self.num_failures = 0
        self.fault = ""
        self.num_in_flight = 0
        self.log_stream = f"{variant.name}/i-{index:017x}"
        self.log_group = f"{LOG_GROUP_PREFIX}{endpoint_name}"
        self._machine, self._http = machine, http
        self._url = ""
        self._is_healthy = False
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._grace_seconds = _STOP_GRACE_SECONDS
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_healthy(self) -> bool:
        return self._is_healthy

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep_up(), name=f"replica {self.log_stream}")

    async def stop(self, *, grace_seconds: float = _STOP_GRACE_SECONDS) -> None:
        """Takes no more requests, lets those in its hands end, and ends the container."""
        self._is_healthy, self._grace_seconds = False, grace_seconds
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace_seconds)
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def wait_for_change(self, *, timeout_seconds: float) -> None:
        """Returns when it has become healthy or has failed again, or after the time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_seconds)
        self._changed.clear()

    async def post(self, path: str, body: bytes, headers: Mapping[str, str], *, seconds: float) -> httpx2.Response:
        """Raises httpx2.HTTPError; ConnectError only where nothing was sent."""
        self.num_in_flight += 1
        self._idle.clear()
        try:
            return await self._http.post(f"{self._url}{path}", content=body, headers=headers, timeout=seconds)
        finally:
            self.num_in_flight -= 1
            if not self.num_in_flight:
                self._idle.set()

    def note_silence(self) -> None:
        """It did not take a request: it gets none until it answers a ping again."""
        self._is_healthy = False

    async def _keep_up(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._live_once()
            except (StartError, TransferError, OSError) as error:
                self.fault = str(error)
            self._is_healthy = False
            self.num_failures += 1
            self._changed.set()
            await self._pause(min(_MAX_BACKOFF_SECONDS, 0.05 * 2**self.num_failures))

    async def _live_once(self) -> None:
        """From the download of the model to the end of the container, whatever ends it."""
        image = find_image(self._machine.images, self.variant.container["Image"])
        folders = make_folders(self._machine.run_folder)
        try:
            await asyncio.to_thread(
                contract.download_model, self._machine.s3, self.variant.container, folders.ml / "model"
            )
            port = _find_free_port()
            container = await self._start(image, folders, port)
        except BaseException:
            await asyncio.to_thread(folders.remove)
            raise
        self._url = f"http://{HOST}:{port}"
        ending = asyncio.create_task(container.wait())
        try:
            if await self._wait_until_healthy(ending):
                self.num_failures, self.fault, self._is_healthy = 0, "", True
                self._changed.set()
                await self._watch(ending)
        finally:
            self._is_healthy = False
            if self._stopping.is_set():
                await container.stop(grace_seconds=self._grace_seconds)
            await container.clean_up()
            await ending

    async def _start(self, image: Image, folders: Folders, port: int) -> Container:
        pump = LogPump(
            self._machine.put_log_events,
            group=self.log_group,
            stream=self.log_stream,
            max_bytes=self._machine.max_log_bytes,
            now_ms=lambda: int(self._machine.clock() * 1000),
        )
        return await Container.start(
            contract.COMMAND,
            image=image,
            environment=contract.build_environment(
                self.variant, base=self._machine.environment, image=image, root=folders.ml, port=port
            ),
            folders=folders,
            pump=pump,
            memory_mib=0,
            ulimits={},
            watchdog=self._machine.watchdog,
        )

    async def _wait_until_healthy(self, ending: asyncio.Task[int]) -> bool:
        seconds = self.variant.definition.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_SECONDS)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if ending.done():
                self.fault = f"the container ended with exit code {ending.result()}"
                return False
            if self._stopping.is_set():
                return False
            if await self._ping():
                return True
            await self._pause(_FIRST_PING_SECONDS, ending)
        self.fault = f"it did not answer /ping with 200 within {seconds} s"
        return False

    async def _watch(self, ending: asyncio.Task[int]) -> None:
        """Returns when the container has ended, is silent for too long, or is to be stopped."""
        num_silent = 0
        while num_silent < _MAX_SILENT_PINGS:
            await self._pause(_PING_SECONDS, ending)
            if ending.done() or self._stopping.is_set():
                return
            is_healthy = await self._ping()
            num_silent = 0 if is_healthy else num_silent + 1
            self._is_healthy = is_healthy and not self._stopping.is_set()
        _logger.warning("%s of %s does not answer /ping and is replaced", self.log_stream, self.log_group)

    async def _ping(self) -> bool:
        try:
            answer = await self._http.get(f"{self._url}/ping", timeout=_PING_TIMEOUT_SECONDS)
        except httpx2.HTTPError:
            return False
        return answer.status_code == 200

    async def _pause(self, seconds: float, ending: asyncio.Task[int] | None = None) -> None:
        """Sleeps, unless it is to be stopped or the container ends."""
        stopping = asyncio.create_task(self._stopping.wait())
        waited: set[asyncio.Task[bool] | asyncio.Task[int]] = {stopping} if ending is None else {stopping, ending}
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()


def _find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
