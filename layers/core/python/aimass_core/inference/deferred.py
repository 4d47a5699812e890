"""What a request cannot carry: bodies by name, answers by link, and answers later (RFC 7240, `respond-async`)."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from http import HTTPStatus
from typing import Any

from aimass_core.domain.common import Principal
from aimass_core.domain.predictions import INPUT_HEADER, MAX_INPUT_BYTES, DeferredPrediction
from aimass_core.errors import InvalidRequestError, MalformedRequestError
from aimass_core.inference import transfer
from aimass_core.inference.messages import PredictionAnswer, PredictionRequest, json_answer
from aimass_core.inference.oip.inference import BINARY_HEADER
from aimass_core.ports import Ports
from aimass_core.services import predictions
from aimass_core.services.predictions import Content

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DEFERRABLE = re.compile(r"/v2/models/([^/]+)/(?:versions/[0-9]+/)?infer|/v1/endpoints/([^/]+)/(?:predict|invocations)")
_PREFERENCE = "respond-async"
# The request's own parts that only hold while it lasts.
_PASSING = {"body", "seconds_left", "num_sent_bytes", "max_rows"}


def with_input(request: PredictionRequest, ports: Ports, caller: Principal) -> PredictionRequest:
    """The request with the body that it names, where it names one.

    Raises:
        MalformedRequestError, InvalidRequestError: It has a body beside, or names none of ours.
        UploadIncompleteError: The bytes have not arrived.
    """
    name = request.header(INPUT_HEADER)
    if name is None:
        return request
    if request.body:
        raise InvalidRequestError("The request has a body, and names an input. Send one of them.")
    if not _SHA256.fullmatch(name):
        raise MalformedRequestError(f"X-Aimass-Input is {name[:80]!r}; it must be a SHA-256 in hex.")
    body = predictions.read_input(ports, caller.workspace_id, name)
    return replace(request, body=transfer.unpack(body, request.header("content-encoding"), max_bytes=MAX_INPUT_BYTES))


def to_link(answer: PredictionAnswer, ports: Ports, caller: Principal, *, max_bytes: int) -> PredictionAnswer:
    """A link to an answer that is too large to be given: 303, so that HTTP clients follow it by themselves."""
    header_bytes = answer.headers.get(BINARY_HEADER)
    content = Content(
        body=answer.content,
        content_type=answer.content_type,
        header_bytes=None if header_bytes is None else int(header_bytes),
    )
    link = predictions.save_answer(ports, caller.workspace_id, content)
    # A tenth less, since rows differ in what they need.
    advice = max(1, int(0.9 * answer.num_rows * max_bytes / len(answer.content)))
    detail = (
        f"The answer for {answer.num_rows} rows has {len(answer.content) / 1e6:.1f} MB, too many for one answer: it is "
        f"at result_url for an hour. At most {advice} rows per request, or fewer outputs, are answered directly."
    )
    document = {"detail": detail, "error": detail, "result_url": link.url, **link.model_dump(exclude={"url"})}
    headers = {"location": link.url, **({} if header_bytes is None else {BINARY_HEADER: header_bytes})}
    return replace(json_answer(document, status=HTTPStatus.SEE_OTHER), headers=headers, observed=answer.observed)


def is_wanted(request: PredictionRequest) -> bool:
    """Whether the caller would rather have the answer later."""
    preferences = ",".join(request.headers.get("prefer", ())).lower().split(",")
    return any(each.partition(";")[0].strip() == _PREFERENCE for each in preferences)


def endpoint_of(request: PredictionRequest) -> str:
    """Which endpoint a request that may be deferred asks. Raises InvalidRequestError for others."""
    match = _DEFERRABLE.fullmatch(request.path)
    if request.method != "POST" or match is None:
        raise InvalidRequestError("Only predictions can be answered later. Leave the header Prefer out.")
    return match[1] or match[2]


def submit(request: PredictionRequest, ports: Ports, caller: Principal) -> PredictionAnswer:
    """202 with an id. The same request with the same Idempotency-Key has the same id, and is answered once."""
    prediction_id = _id_of(request, ports, caller)
    kept = {field.name: getattr(request, field.name) for field in fields(request) if field.name not in _PASSING}
    made = predictions.save_request(ports, caller, prediction_id, _to_json(kept), request.body)
    if made.answer is None and made.code is None:
        ports.predictor.start({"workspace_id": caller.workspace_id, "prediction_id": prediction_id})
    headers = {"location": f"/v1/predictions/{prediction_id}", "preference-applied": _PREFERENCE}
    return PredictionAnswer(content=made.model_dump_json().encode(), status=HTTPStatus.ACCEPTED, headers=headers)


def load(
    ports: Ports, workspace_id: str, prediction_id: str, *, seconds_left: Callable[[], float]
) -> tuple[PredictionRequest, Principal] | None:
    """A request that has to be answered now, and who asked; None where that has happened."""
    found = predictions.load_request(ports, workspace_id, prediction_id)
    if found is None:
        return None
    saved, body = found
    return PredictionRequest(**saved.fields, body=body, seconds_left=seconds_left), saved.caller


def _to_json(kept: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(kept))
    document["headers"] = {
        name: list(values) for name, values in kept["headers"].items() if name not in ("authorization", "cookie")
    }
    return document


def _id_of(request: PredictionRequest, ports: Ports, caller: Principal) -> str:
    key = request.header("idempotency-key")
    if key is None:
        return ports.new_id(DeferredPrediction.prefix)
    named = request.header(INPUT_HEADER) or ""
    parts = (caller.workspace_id, caller.actor, request.path, key, named, hashlib.sha256(request.body).hexdigest())
    return f"{DeferredPrediction.prefix}_{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:27]}"
