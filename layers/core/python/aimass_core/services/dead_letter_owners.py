"""Whose a message of a dead-letter queue is, by the places in it that only the platform writes."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from aimass_core.domain import compute_states, keys
from aimass_core.domain.hosts import to_host_owner
from aimass_core.ports import Ports
from aimass_core.services import workspaces

_FAULTS = (AttributeError, KeyError, TypeError, ValueError)


def find(ports: Ports, body: str) -> set[str | None]:
    """The workspaces that a message is about; None among them: something that belongs to none."""
    try:
        message = json.loads(body)
        if "Records" in message:
            return {_owner_of_object(ports, record) for record in message["Records"]} or {None}
        if "workspace_id" in message:
            return {str(message["workspace_id"])}
        return {_owner_of_event(message)}
    except _FAULTS:
        return {None}


def _owner_of_object(ports: Ports, record: Mapping[str, Any]) -> str | None:
    key = unquote_plus(record["s3"]["object"]["key"])
    owner = key.split("/")[1]
    if key.startswith(keys.UPLOADS_PREFIX):
        return owner
    if not key.startswith(keys.DROP_PREFIX):
        return None
    workspace = workspaces.find_by_name(ports, owner)
    return None if workspace is None else workspace.id


def _owner_of_event(event: Mapping[str, Any]) -> str | None:
    detail = event.get("detail") or {}
    if "EndpointName" in detail:
        host = to_host_owner(detail["EndpointName"])
        return None if host is None else host.workspace_id
    if "TrainingJobName" in detail:
        address = compute_states.to_training_address(detail["TrainingJobName"])
    else:
        address = compute_states.to_job_address(detail)
    return None if address is None else address.workspace_id
