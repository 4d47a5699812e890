"""One ASGI request, from its bytes to its answer."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aimass_core.errors import AimassError
from aimass_core.inference import transfer
from aimass_core.inference.messages import PredictionAnswer
from batch_jobs.serve.batching import bridge
from batch_jobs.serve.http import problems, routes
from batch_jobs.serve.http.requests import DisconnectedError, Receive, Scope, read_request
from batch_jobs.serve.options import Options
from batch_jobs.serve.worker import Worker

Send = Callable[[dict[str, Any]], Awaitable[None]]

_READY = ("/ping", "/v2/health/ready")
_ENCODING = "accept-encoding"
_UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE
_log = logging.getLogger(__name__)


class HttpApplication:
    """Translates for a worker."""

    def __init__(self, worker: Worker, options: Options) -> None:
        self._worker, self._options = worker, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        try:
            answer = await self._answer(scope, receive)
        except DisconnectedError:
            return
        await _send(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> PredictionAnswer:
        worker, path = self._worker, scope["path"]
        if path in _READY and scope["method"] == "GET":
            return _readiness(worker)
        is_oip = path.startswith("/v2")
        try:
            request = await read_request(
                scope, receive, is_local=self._options.is_local, timeout_seconds=self._options.timeout_seconds
            )
            answer = await bridge.run(lambda: worker.routes.answer(request))
            return transfer.pack(answer, request.header(_ENCODING)) if _ENCODING in request.headers else answer
        except AimassError as error:
            return problems.to_answer(error, is_oip=is_oip)
        except (DisconnectedError, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001 - the boundary
            _log.exception("a request failed")
            return routes.fault_of_ours(is_oip=is_oip)


def _readiness(worker: Worker) -> PredictionAnswer:
    reason = worker.reason_not_ready()
    if reason is None:
        return PredictionAnswer(content=b'{"ready": true}')
    return PredictionAnswer(content=json.dumps({"ready": False, "reason": reason}).encode(), status=_UNAVAILABLE)


async def _send(send: Send, answer: PredictionAnswer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.content)).encode()),
        *((name.encode(), value.encode("latin-1")) for name, value in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status.value, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
