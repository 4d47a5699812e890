"""One worker process: its models, who may ask them, and whether it is ready."""

import asyncio
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor

from aimass_core.domain.common import Principal, Role
from aimass_core.inference.oip.routes import OipRoutes
from batch_jobs.serve.http.asking import WithinTime
from batch_jobs.serve.http.routes import Routes
from batch_jobs.serve.http.sagemaker import SageMakerRoutes
from batch_jobs.serve.models.repository import WORKSPACE, Repository
from batch_jobs.serve.models.state import SharedState
from batch_jobs.serve.options import Options

_NUM_THREADS = 4
_LOOK_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Worker:
    """Lives on one event loop. It answers from the start, and is ready when each model has given its golden answer."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._pool = ThreadPoolExecutor(_NUM_THREADS, thread_name_prefix="model")
        self.repository = Repository(options, SharedState(options.state), self._pool)
        caller = Principal(workspace_id=WORKSPACE, workspace_name=WORKSPACE, actor="caller", role=Role.VIEWER)
        asking = WithinTime(self.repository)
        oip = OipRoutes(endpoints=self.repository, asking=asking)
        sagemaker = SageMakerRoutes(options=options, repository=self.repository, asking=asking, oip=oip, caller=caller)
        self.routes = Routes(repository=self.repository, asking=asking, oip=oip, sagemaker=sagemaker, caller=caller)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to load."""
        self._loading = asyncio.create_task(self.repository.load_all())
        self._tasks = [self._loading, asyncio.create_task(self._follow_parent(os.getppid()))]

    async def loaded(self) -> None:
        """When each model has been loaded or refused."""
        await self._loading

    async def stop(self) -> None:
        """When the last request has been answered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def reason_not_ready(self) -> str | None:
        """None: it is."""
        if not self._loading.done():
            return "the models are being loaded"
        if self.repository.faults:
            return self.repository.faults[0]
        return None

    async def _follow_parent(self, parent: int) -> None:
        """A worker whose supervisor was killed is nobody's: it would hold the port for ever."""
        while self._options.num_workers > 1:
            await asyncio.sleep(_LOOK_SECONDS)
            if os.getppid() != parent:
                _log.error("the first process is gone: this worker ends")
                os.kill(os.getpid(), signal.SIGTERM)
                return
