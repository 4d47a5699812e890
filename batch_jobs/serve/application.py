"""The ASGI application that uvicorn runs in each worker process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from batch_jobs.serve.options import Options

if TYPE_CHECKING:
    from batch_jobs.serve.http.application import HttpApplication

GRACE_SECONDS = 30

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Application:
    """It is made by the process that starts the workers, which needs no ONNX Runtime, and sent to each."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._http: HttpApplication

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """One request, or the life of the worker."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        from batch_jobs.serve.http.application import HttpApplication
        from batch_jobs.serve.worker import Worker

        await receive()
        worker = Worker(self._options)
        self._http = HttpApplication(worker, self._options)
        await worker.start()
        grpc_server = None
        if self._options.grpc_port is not None:
            from batch_jobs.serve.grpc import server

            grpc_server = await server.start(worker, self._options)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if grpc_server is not None:
            await grpc_server.stop(GRACE_SECONDS)
        await worker.stop()
        await send({"type": "lifespan.shutdown.complete"})
