"""The middleware that lets a create be repeated with the same Idempotency-Key."""

import json
import re
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from aimass_core.errors import ConflictError, InvalidRequestError
from aimass_core.lambda_support import http
from aimass_core.lambda_support.idempotency import Answer, run_once
from functions.api.routing import Operation

KEY_PATTERN = r"^[\x21-\x7e]{1,255}$"


def answer_once(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Runs the handler at most once for each workspace, method, path and Idempotency-Key."""
    operation: Operation = app.context["operation"]
    sent = http.header_values(app.current_event.raw_event, "idempotency-key")
    if not operation.is_idempotent or not sent:
        return next_middleware(app)
    if re.fullmatch(KEY_PATTERN, sent[0]) is None:
        raise InvalidRequestError("Idempotency-Key must be 1 to 255 visible ASCII characters; a UUID is a good one.")
    key = {
        "workspace": app.context["caller"].workspace_id,
        "method": operation.method,
        "path": app.current_event.path,
        "key": sent[0],
    }
    body = app.current_event.json_body
    request = json.dumps([key, body], sort_keys=True)
    app.context["caller"] = app.context["caller"].model_copy(update={"request": request})
    answer = run_once(
        app.context["store"],
        lambda: _to_answer(next_middleware(app), operation),
        key=key,
        body=body,
        context=app.lambda_context,
    )
    return _to_response(answer)


def _to_answer(response: Response[Any], operation: Operation) -> Answer:
    # NOTE: what is returned here is stored. `unstored` rides along on the object, not in the JSON.
    answer = _Answer(
        status=response.status_code,
        headers=dict(response.headers),
        body=response.body if operation.stores_answer else None,
    )
    answer.unstored = response.body
    return answer


class _Answer(dict[str, Any]):
    unstored: Any = None


def _to_response(answer: Answer) -> Response[Any]:
    headers = {name: value for name, value in answer["headers"].items() if name.lower() != "content-type"}
    body = answer["body"]
    if isinstance(answer, _Answer):
        body = answer.unstored
    elif body is None:
        raise ConflictError(
            f"This request was done before and made {headers.get('Location', 'a resource')}, whose secret was shown "
            "once. Revoke or remove it, then send the request again with a new Idempotency-Key."
        )
    if answer.get("is_replay"):
        headers["Idempotency-Replayed"] = "true"
    return Response(
        status_code=answer["status"], content_type=content_types.APPLICATION_JSON, headers=headers, body=body
    )
