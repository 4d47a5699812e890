"""Predictions that one request cannot carry, kept as objects of the lake until they expire.

A deferred one is its `request` until its `answer` is there: no row that could disagree with the objects, and whoever
answers it a second time writes the same again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime

from aimass_core.domain import keys
from aimass_core.domain.common import Contract, Principal
from aimass_core.domain.datasets import SignedRequest
from aimass_core.domain.predictions import (
    MAX_INPUT_BYTES,
    DeferredPrediction,
    DeferredStatus,
    PredictionAnswerLink,
    PredictionInput,
    PredictionInputCreate,
)
from aimass_core.domain.settings.retention import RetentionSettings
from aimass_core.errors import NotFoundError, UploadIncompleteError
from aimass_core.ports import BlobNotFoundError, Ports

LINK_SECONDS = 3_600
_SIGNATURE_SECONDS = 900
# Lambda has tried three times by then, of 15 minutes each.
_GIVEN_UP = timedelta(hours=1)
_REQUEST, _BODY, _ANSWER, _ANSWER_BODY = "request.json", "body", "answer.json", "answer"


class DeferredRequest(Contract):
    """What was asked, and by whom. `fields` are the request's own."""

    caller: Principal
    created_at: AwareDatetime
    fields: dict[str, Any]


class DeferredAnswer(Contract):
    """How it was answered; the content lies beside."""

    status: int
    content_type: str
    num_bytes: int
    header_bytes: int | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Bytes with their type."""

    body: bytes
    content_type: str
    header_bytes: int | None = None


# --- inputs ----------------------------------------------------------------------------------------------------------


def create_input(ports: Ports, principal: Principal, request: PredictionInputCreate) -> PredictionInput:
    """How to send it. The digest is part of the signature, so an object is what its name says."""
    key = keys.prediction_input(principal.workspace_id, request.sha256)
    if ports.lake.head(key) is not None:
        return PredictionInput(sha256=request.sha256, num_bytes=request.num_bytes)
    signed = ports.lake.sign_put(
        key, num_bytes=request.num_bytes, sha256=request.sha256, expires_seconds=_SIGNATURE_SECONDS
    )
    to_send = SignedRequest(method=signed.method, url=signed.url, headers=dict(signed.headers))
    return PredictionInput(sha256=request.sha256, num_bytes=request.num_bytes, request=to_send)


def read_input(ports: Ports, workspace_id: str, sha256: str) -> bytes:
    """The bytes. Raises UploadIncompleteError where they have not arrived, or have expired."""
    key = keys.prediction_input(workspace_id, sha256)
    info = ports.lake.head(key)
    if info is None or info.num_bytes > MAX_INPUT_BYTES:
        raise UploadIncompleteError(
            f"The input {sha256[:12]}... has not arrived, or it has expired. POST its SHA-256 and length to "
            "/v1/predictions/inputs, and send the bytes as the answer says."
        )
    return ports.lake.get(key)


# --- answers that are too large --------------------------------------------------------------------------------------


def save_answer(ports: Ports, workspace_id: str, content: Content) -> PredictionAnswerLink:
    """An answer that is too large for its own request."""
    prediction_id = ports.new_id(DeferredPrediction.prefix)
    key = keys.prediction_object(workspace_id, prediction_id, _ANSWER_BODY)
    ports.lake.put(key, content.body, content_type=content.content_type)
    return _link(
        ports,
        key,
        content_type=content.content_type,
        num_bytes=len(content.body),
        header_bytes=content.header_bytes,
    )


# --- deferred predictions --------------------------------------------------------------------------------------------


def save_request(
    ports: Ports, principal: Principal, prediction_id: str, fields: Mapping[str, Any], body: bytes
) -> DeferredPrediction:
    """What will be answered. Again: the same, with the time of the first."""
    found = _find_request(ports, principal.workspace_id, prediction_id)
    if found is None:
        found = DeferredRequest(caller=principal, created_at=ports.clock(), fields=dict(fields))
        ports.lake.put(keys.prediction_object(principal.workspace_id, prediction_id, _BODY), body)
        _put_json(ports, principal.workspace_id, prediction_id, _REQUEST, found)
    return _describe(ports, principal.workspace_id, prediction_id, found)


def load_request(ports: Ports, workspace_id: str, prediction_id: str) -> tuple[DeferredRequest, bytes] | None:
    """What has to be answered; None where it has been, or where it is gone."""
    found = _find_request(ports, workspace_id, prediction_id)
    if found is None or _find_answer(ports, workspace_id, prediction_id) is not None:
        return None
    return found, ports.lake.get(keys.prediction_object(workspace_id, prediction_id, _BODY))


def finish(ports: Ports, workspace_id: str, prediction_id: str, answer: DeferredAnswer, content: bytes) -> None:
    """Keeps the answer, whatever it is; from then on the prediction has ended."""
    key = keys.prediction_object(workspace_id, prediction_id, _ANSWER_BODY)
    ports.lake.put(key, content, content_type=answer.content_type)
    _put_json(ports, workspace_id, prediction_id, _ANSWER, answer)


def get(ports: Ports, principal: Principal, prediction_id: str) -> DeferredPrediction:
    """How far it is. Raises NotFoundError, also once it has expired."""
    found = _find_request(ports, principal.workspace_id, prediction_id)
    if found is None or ports.clock() > _forgotten_at(ports, principal.workspace_id, found):
        raise NotFoundError(f"There is no prediction {prediction_id!r}; they are kept for a day at most.")
    return _describe(ports, principal.workspace_id, prediction_id, found)


def _describe(ports: Ports, workspace_id: str, prediction_id: str, found: DeferredRequest) -> DeferredPrediction:
    answer = _find_answer(ports, workspace_id, prediction_id)
    described = DeferredPrediction(
        id=prediction_id,
        status=DeferredStatus.SUBMITTED,
        path=str(found.fields["path"]),
        created_at=found.created_at,
        expires_at=_forgotten_at(ports, workspace_id, found),
    )
    if answer is None:
        if ports.clock() < found.created_at + _GIVEN_UP:
            return described
        reason = "It was not answered within an hour: it needs more than 15 minutes or more memory. Send fewer rows."
        changes: dict[str, Any] = {"code": "deadline_exceeded", "status_reason": reason}
        return described.model_copy(update={"status": DeferredStatus.FAILED, **changes})
    if answer.code is not None:
        changes = {"code": answer.code, "status_reason": answer.reason}
        return described.model_copy(update={"status": DeferredStatus.FAILED, **changes})
    key = keys.prediction_object(workspace_id, prediction_id, _ANSWER_BODY)
    link = _link(
        ports, key, content_type=answer.content_type, num_bytes=answer.num_bytes, header_bytes=answer.header_bytes
    )
    return described.model_copy(update={"status": DeferredStatus.SUCCEEDED, "answer": link})


def _forgotten_at(ports: Ports, workspace_id: str, found: DeferredRequest) -> datetime:
    retention = ports.live_settings.get(RetentionSettings, workspace_id)
    return found.created_at + timedelta(hours=retention.answers_hours)


def _link(
    ports: Ports, key: str, *, content_type: str, num_bytes: int, header_bytes: int | None
) -> PredictionAnswerLink:
    url = ports.lake.sign_get(key, expires_seconds=LINK_SECONDS)
    return PredictionAnswerLink(url=url, num_bytes=num_bytes, content_type=content_type, header_bytes=header_bytes)


def _put_json(ports: Ports, workspace_id: str, prediction_id: str, name: str, document: Contract) -> None:
    key = keys.prediction_object(workspace_id, prediction_id, name)
    ports.lake.put(key, document.model_dump_json().encode(), content_type="application/json")


def _find_request(ports: Ports, workspace_id: str, prediction_id: str) -> DeferredRequest | None:
    found = _find_json(ports, workspace_id, prediction_id, _REQUEST)
    return None if found is None else DeferredRequest.model_validate(found)


def _find_answer(ports: Ports, workspace_id: str, prediction_id: str) -> DeferredAnswer | None:
    found = _find_json(ports, workspace_id, prediction_id, _ANSWER)
    return None if found is None else DeferredAnswer.model_validate(found)


def _find_json(ports: Ports, workspace_id: str, prediction_id: str, name: str) -> Any:
    try:
        return json.loads(ports.lake.get(keys.prediction_object(workspace_id, prediction_id, name)))
    except BlobNotFoundError:
        return None
