"""Batch's wire protocol (REST-JSON), read from botocore's own model of the service."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from botocore import model

from aimass_local.batch.errors import ClientError, ServerError, UnknownOperationError
from aimass_local.documents import Document as Document  # noqa: PLC0414 - the word that all of Batch is written in
from aimass_local.rest_json import RestJson, is_reading, load_description

__all__ = ["Document", "is_reading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call: the operation's name and its validated parameters."""

    operation: str
    parameters: Document


def parse_request(method: str, path: str, query: str, body: bytes) -> Request:
    """Finds the operation of a request and validates its parameters.

    Raises:
        UnknownOperationError: no operation has this method and path.
        ClientError: the parameters are not what the operation takes.
    """
    operation, parameters = _protocol().parse(method, path, query, body)
    return Request(operation=operation, parameters=parameters)


def validate_parameters(operation: str, parameters: Document) -> Document:
    """The same parameters, known to be what `operation` takes.

    Raises:
        ClientError: they are not.
    """
    return _protocol().validate_parameters(operation, parameters)


def validate_answer(operation: str, answer: Document) -> Document:
    """The same answer, known to be what a client of `operation` reads.

    Raises:
        ServerError: it is not, which is a fault of this server.
    """
    return _protocol().validate_answer(operation, answer)


def service_model() -> model.ServiceModel:
    """Botocore's model of AWS Batch."""
    return _protocol().service


@cache
def _protocol() -> RestJson:
    description = load_description("batch")
    # NOTE: the model calls `startedAt` required, yet Batch leaves it out until a job has started.
    required = description["shapes"]["JobDetail"]["required"]
    description["shapes"]["JobDetail"]["required"] = [name for name in required if name != "startedAt"]
    return RestJson(
        model.ServiceModel(description, "batch"),
        invalid=lambda words: ClientError(f"Error executing request, Exception : {words}"),
        unknown=lambda words: UnknownOperationError(f"AWS Batch: {words}"),
        broken=ServerError,
    )
