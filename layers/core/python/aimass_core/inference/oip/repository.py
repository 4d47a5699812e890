"""Triton's model repository extension: which models there are, and which of them this process has in memory."""

from typing import Any

from aimass_core.domain.common import Principal, Role
from aimass_core.errors import InvalidRequestError, MalformedRequestError, PermissionDeniedError
from aimass_core.inference.messages import PredictionRequest
from aimass_core.inference.oip import metadata
from aimass_core.inference.serving.endpoints import EndpointSource
from aimass_core.lambda_support import json_body

# A parameter of unload that changes nothing: members of a fusion go with it anyway.
_UNLOAD_PARAMETERS = {"unload_dependents"}


def index(endpoints: EndpointSource, request: PredictionRequest, caller: Principal) -> list[dict[str, str]]:
    """Every endpoint of the workspace; with `ready` those that answer."""
    options = json_body.parse_object(request.text()) if request.body else {}
    unknown = options.keys() - {"ready"}
    if unknown or not isinstance(options.get("ready", False), bool):
        raise MalformedRequestError('The body of the index may only hold "ready": true or false.')
    entries = [metadata.index_entry(endpoint) for endpoint in endpoints.list_all(caller.workspace_id)]
    return [entry for entry in entries if entry["state"] == "READY"] if options.get("ready") else entries


def load(endpoints: EndpointSource, request: PredictionRequest, caller: Principal, name: str) -> dict[str, Any]:
    """What the endpoint serves, into memory. Raises UnavailableError where it cannot be loaded."""
    _check(request, caller, known=set())
    endpoints.serve(caller.workspace_id, name)
    return {}


def unload(endpoints: EndpointSource, request: PredictionRequest, caller: Principal, name: str) -> dict[str, Any]:
    """Out of memory, until somebody asks. What the endpoint serves stays as it is."""
    _check(request, caller, known=_UNLOAD_PARAMETERS)
    endpoints.unload(caller.workspace_id, name)
    return {}


def _check(request: PredictionRequest, caller: Principal, *, known: set[str]) -> None:
    if not caller.role.includes(Role.DEVELOPER):
        raise PermissionDeniedError(f"This needs the role {Role.DEVELOPER}; the API key has {caller.role}.")
    options = json_body.parse_object(request.text()) if request.body else {}
    parameters = options.get("parameters") or {}
    if options.keys() - {"parameters"} or not isinstance(parameters, dict):
        raise MalformedRequestError('The body may only hold "parameters", an object.')
    unknown = sorted(parameters.keys() - known)
    if unknown:
        raise InvalidRequestError(
            f"The parameter {unknown[0][:100]!r} cannot be given: a model is served as it was registered. Deploy "
            "another version, or change the settings of the endpoint."
        )
