"""The OpenAPI document: what the resolver knows, and what it cannot know."""

import json
import sys
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer
from aws_lambda_powertools.event_handler.openapi.swagger_ui import generate_swagger_html

from aimass_core import __version__
from aimass_core.domain.common import Problem
from aimass_core.lambda_support.http import PROBLEM_TYPE
from aimass_core.services.source_access import VERB_OF_ROLE
from functions.api import access
from functions.api.documents_docs import add_documents
from functions.api.openapi_names import simplify
from functions.api.predictions_docs import add_predictions
from functions.api.routing import Operation
from functions.api.webhooks_docs import add_webhooks

_DESCRIPTION = """From raw data to a small, fast, served model.

Every error is problem+json (RFC 9457) with a stable `code`. Lists are pages: pass `next_cursor` as `cursor`.
Creates take an `Idempotency-Key`, updates the ETag of what they change in `If-Match`."""
_TITLES = {
    400: "The request cannot be read",
    401: "No API key or session, or not a valid one",
    402: "The budget of the month is spent",
    403: "The key's role may not do this",
    404: "There is no such resource in this workspace",
    405: "Not for this method",
    409: "The present state does not allow it",
    412: "The resource was changed meanwhile",
    413: "The body is too large",
    415: "The body is not of a type that is understood",
    422: "The request is not valid",
    428: "If-Match is missing",
    429: "A quota is reached",
    500: "A fault of ours",
    503: "Not ready; try again",
    504: "It took too long",
}
_REF = "#/components/schemas/"


@cache
def document_json(resolver: APIGatewayRestResolver) -> str:
    """The document as JSON text."""
    return json.dumps(build_document(resolver), separators=(",", ":"))


@cache
def swagger_html(resolver: APIGatewayRestResolver) -> str:
    """A page with Swagger UI and the document inside; it loads nothing."""
    folder = resources.files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    return generate_swagger_html(
        # NOTE: keeps a text such as </script> in the document from ending the script.
        spec=document_json(resolver).replace("</", "<\\/"),
        swagger_js=(folder / "swagger-ui-bundle.min.js").read_text("utf-8"),
        swagger_css=(folder / "swagger-ui.min.css").read_text("utf-8"),
        swagger_base_url="",
        oauth2_config=None,
        persist_authorization=True,
    )


def build_document(resolver: APIGatewayRestResolver) -> dict[str, Any]:
    """OpenAPI 3.1 of every route, and of the ones that the predictions function serves."""
    # NOTE: imported late, since a route of theirs imports this module.
    from functions.api.routes import ROUTERS

    text = resolver.get_openapi_json_schema(
        title="AI Mass",
        version=__version__,
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        security_schemes={
            "api_key": HTTPBearer(
                description="`Authorization: Bearer ...` with an API key or a session's access token. Who belongs "
                "to several workspaces names one in X-Aimass-Workspace."
            )
        },
    )
    document: dict[str, Any] = json.loads(text)
    document["servers"] = [{"url": "/"}]
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template=_REF + "{model}")
    for operation in (operation for router in ROUTERS for operation in router.operations):
        _complete(document["paths"][operation.openapi_path][operation.method.lower()], operation)
    add_predictions(document, problems=problem_responses((400, 401, 403, 404, 413, 415, 422, 429, 500, 503, 504)))
    add_webhooks(document, problems=problem_responses((400, 401, 409, 413, 415, 422, 429, 500, 503, 504)))
    add_documents(document)
    for unused in ("HTTPValidationError", "ResponseValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return simplify(document)


def problem_responses(statuses: Iterable[int]) -> dict[str, Any]:
    """Responses that are problems."""
    return {
        str(status): {
            "description": _TITLES[status],
            "content": {PROBLEM_TYPE: {"schema": {"$ref": f"{_REF}Problem"}}},
        }
        for status in statuses
    }


def _complete(described: dict[str, Any], operation: Operation) -> None:
    success = {status: response for status, response in described["responses"].items() if status.startswith("2")}
    if "204" in success:
        success["204"].pop("content", None)
    if operation.produces != "application/json":
        success["200"]["content"] = {operation.produces: {"schema": {"type": "string"}}}
    described["responses"] = success | problem_responses(_statuses(operation))
    described["security"] = [] if operation.role is None else [{"api_key": []}]
    if operation.role is not None:
        described["description"] = f"{described.get('description', '')}\n\n{_who_may(operation)}".strip()
    parameters = described.setdefault("parameters", [])
    if operation.is_idempotent:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "A UUID of your choice: the same key gives the same answer for a day.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            }
        )
    for parameter in parameters:
        if parameter["name"].lower() == "if-match":
            parameter["name"], parameter["required"] = "If-Match", True
            parameter["schema"] = {"type": "string", "pattern": '^"[1-9][0-9]{0,17}"$', "examples": ['"1"']}


def _who_may(operation: Operation) -> str:
    if operation.verb is None:
        granted = ", or a grant of `edit`" if access.takes_grant(operation) else ""
        guests = " Also by a grant of `read` to another workspace." if access.takes_guests(operation) else ""
        return f"Role: {operation.role} or above{granted}.{guests}"
    role = next(role for role, verb in VERB_OF_ROLE.items() if verb.includes(operation.verb))
    return f"Role: {role} or above, or a grant of `{operation.verb}`."


def _statuses(operation: Operation) -> list[int]:
    statuses = {400, 404, 422, 429, 500, 503, 504}
    if operation.role is not None:
        statuses |= {401, 403}
    elif operation.has_body:
        statuses.add(401)  # signing in
    if operation.has_body:
        statuses |= {413, 415}
    if operation.method != "GET":
        statuses |= {402, 409}
    if operation.needs_revision:
        statuses |= {412, 428}
    return sorted(statuses)


if __name__ == "__main__":
    from functions.api.app import resolver as whole

    sys.stdout.write(document_json(whole))
