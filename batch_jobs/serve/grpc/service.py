"""The methods of `inference.GRPCInferenceService`: each asks the engine what its address on HTTP would."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import grpc
import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from aimass_core.errors import AimassError, InternalError, InvalidRequestError, NotFoundError
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest
from aimass_core.inference.oip.inference import BINARY_HEADER
from batch_jobs.serve.batching import bridge
from batch_jobs.serve.grpc import inference_pb2 as pb
from batch_jobs.serve.grpc import tensors
from batch_jobs.serve.worker import Worker

_SERVICE = "inference.GRPCInferenceService"
_MAX_AHEAD = 32
"""Requests of one stream that are worked on at once."""
_CODES = {
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "permission_denied": grpc.StatusCode.PERMISSION_DENIED,
    "not_found": grpc.StatusCode.NOT_FOUND,
    "conflict": grpc.StatusCode.FAILED_PRECONDITION,
    "already_exists": grpc.StatusCode.ALREADY_EXISTS,
    "quota_exceeded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "deadline_exceeded": grpc.StatusCode.DEADLINE_EXCEEDED,
    "internal": grpc.StatusCode.INTERNAL,
}
_log = logging.getLogger(__name__)
T = TypeVar("T", bound=Message)

Context = grpc.aio.ServicerContext[Any, Any]


class Service:
    """Translates for a worker."""

    def __init__(self, worker: Worker, *, timeout_seconds: float) -> None:
        self._worker, self._timeout_seconds = worker, timeout_seconds

    def to_handler(self) -> grpc.GenericRpcHandler:
        """For the server. By hand, since the messages have another package than the service."""
        unary: dict[str, tuple[type[Message], Callable[[Any, Context], Awaitable[Message]]]] = {
            "ServerLive": (pb.ServerLiveRequest, self._server_live),
            "ServerReady": (pb.ServerReadyRequest, self._server_ready),
            "ModelReady": (pb.ModelReadyRequest, self._model_ready),
            "ServerMetadata": (pb.ServerMetadataRequest, self._server_metadata),
            "ModelMetadata": (pb.ModelMetadataRequest, self._model_metadata),
            "ModelInfer": (pb.ModelInferRequest, self._infer),
            "ModelConfig": (pb.ModelConfigRequest, self._config),
            "ModelStatistics": (pb.ModelStatisticsRequest, self._statistics),
            "RepositoryIndex": (pb.RepositoryIndexRequest, self._index),
            "RepositoryModelLoad": (pb.RepositoryModelLoadRequest, self._load),
            "RepositoryModelUnload": (pb.RepositoryModelUnloadRequest, self._unload),
        }
        methods = {
            name: grpc.unary_unary_rpc_method_handler(
                _told(answer), request_deserializer=message.FromString, response_serializer=_serialize
            )
            for name, (message, answer) in unary.items()
        }
        methods["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(
            self._stream, request_deserializer=pb.ModelInferRequest.FromString, response_serializer=_serialize
        )
        return grpc.method_handlers_generic_handler(_SERVICE, methods)

    async def _server_live(self, _request: pb.ServerLiveRequest, _context: Context) -> Message:
        return pb.ServerLiveResponse(live=True)

    async def _server_ready(self, _request: pb.ServerReadyRequest, _context: Context) -> Message:
        return pb.ServerReadyResponse(ready=self._worker.reason_not_ready() is None)

    async def _model_ready(self, request: pb.ModelReadyRequest, context: Context) -> Message:
        try:
            answer = await self._ask("GET", f"{_path(request.name, request.version)}/ready", context)
        except NotFoundError:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=answer.status is HTTPStatus.OK)

    async def _server_metadata(self, _request: pb.ServerMetadataRequest, context: Context) -> Message:
        return _read(await self._ask("GET", "/v2", context), pb.ServerMetadataResponse())

    async def _model_metadata(self, request: pb.ModelMetadataRequest, context: Context) -> Message:
        path = _path(request.name, request.version)
        return _read(await self._ask("GET", path, context), pb.ModelMetadataResponse())

    async def _config(self, request: pb.ModelConfigRequest, context: Context) -> Message:
        answer = await self._ask("GET", f"{_path(request.name, request.version)}/config", context)
        return pb.ModelConfigResponse(config=_read(answer, pb.ModelConfig()))

    async def _statistics(self, request: pb.ModelStatisticsRequest, context: Context) -> Message:
        path = f"{_path(request.name, request.version)}/stats" if request.name else "/v2/models/stats"
        return _read(await self._ask("GET", path, context), pb.ModelStatisticsResponse())

    async def _index(self, request: pb.RepositoryIndexRequest, context: Context) -> Message:
        body = orjson.dumps({"ready": request.ready})
        answer = await self._ask("POST", "/v2/repository/index", context, body=body)
        return _read(answer, pb.RepositoryIndexResponse(), at="models")

    async def _load(self, request: pb.RepositoryModelLoadRequest, context: Context) -> Message:
        await self._ask("POST", f"/v2/repository/models/{quote(request.model_name, safe='')}/load", context)
        return pb.RepositoryModelLoadResponse()

    async def _unload(self, request: pb.RepositoryModelUnloadRequest, context: Context) -> Message:
        await self._ask("POST", f"/v2/repository/models/{quote(request.model_name, safe='')}/unload", context)
        return pb.RepositoryModelUnloadResponse()

    async def _infer(self, request: pb.ModelInferRequest, context: Context) -> pb.ModelInferResponse:
        body, header_bytes = tensors.to_body(request)
        path = f"{_path(request.model_name, request.model_version)}/infer"
        answer = await self._ask("POST", path, context, body=body, headers={BINARY_HEADER: [str(header_bytes)]})
        length = answer.headers.get(BINARY_HEADER)
        return tensors.to_response(answer.content, None if length is None else int(length))

    async def _stream(
        self, requests: AsyncIterator[pb.ModelInferRequest], context: Context
    ) -> AsyncIterator[pb.ModelStreamInferResponse]:
        """Answers in the order of the requests, several of which are worked on at once. A failed one ends no other."""
        answers: asyncio.Queue[asyncio.Task[pb.ModelStreamInferResponse] | None] = asyncio.Queue(_MAX_AHEAD)

        async def read() -> None:
            async for request in requests:
                await answers.put(asyncio.create_task(self._answer_in_stream(request, context)))
            await answers.put(None)

        reading = asyncio.create_task(read())
        try:
            while (answer := await answers.get()) is not None:
                yield await answer
        finally:
            reading.cancel()

    async def _answer_in_stream(self, request: pb.ModelInferRequest, context: Context) -> pb.ModelStreamInferResponse:
        try:
            return pb.ModelStreamInferResponse(infer_response=await self._infer(request, context))
        except AimassError as error:
            answer = pb.ModelInferResponse(id=request.id, model_name=request.model_name)
            return pb.ModelStreamInferResponse(error_message=error.message, infer_response=answer)

    async def _ask(
        self,
        method: str,
        path: str,
        context: Context,
        *,
        body: bytes = b"",
        headers: dict[str, list[str]] | None = None,
    ) -> PredictionAnswer:
        left = context.time_remaining()
        until = time.monotonic() + min(self._timeout_seconds, self._timeout_seconds if left is None else left)
        request = PredictionRequest(
            method=method,
            path=path,
            headers=headers or {},
            body=body,
            seconds_left=lambda: until - time.monotonic(),
        )
        return await bridge.run(lambda: self._worker.routes.answer_oip(request))


def _told(answer: Callable[[Any, Context], Awaitable[Message]]) -> Callable[[Any, Context], Awaitable[Message]]:
    """With errors as the status of the call."""

    async def told(request: Any, context: Context) -> Message:
        try:
            return await answer(request, context)
        except AimassError as error:
            fault = error
        except Exception:  # noqa: BLE001 - the boundary
            _log.exception("a call failed")
            fault = InternalError("Something went wrong on our side; the log says what.")
        is_invalid = isinstance(fault, InvalidRequestError)
        code = _CODES.get(fault.code, grpc.StatusCode.INVALID_ARGUMENT if is_invalid else grpc.StatusCode.UNKNOWN)
        await context.abort(code, fault.message)
        raise fault

    return told


def _path(name: str, version: str) -> str:
    return f"/v2/models/{quote(name, safe='')}" + (f"/versions/{quote(version, safe='')}" if version else "")


def _read(answer: PredictionAnswer, message: T, *, at: str = "") -> T:
    document = orjson.loads(answer.content)
    return json_format.ParseDict({at: document} if at else document, message, ignore_unknown_fields=True)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
