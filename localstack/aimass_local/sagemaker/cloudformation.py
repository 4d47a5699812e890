"""CloudFormation's resource types AWS::SageMaker::Model, EndpointConfig and Endpoint: their properties are the API's.

An endpoint's resource is complete once it is being created, while AWS waits until it is in service.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from aimass_local.documents import Document
from aimass_local.sagemaker.errors import ValidationError

Invoke = Callable[[str, Document], Document]
Created = tuple[str, Document]

_KINDS = ("Model", "EndpointConfig", "Endpoint")
_MAX_NAME = 63


def build_handlers(invoke: Invoke) -> dict[str, dict[str, Any]]:
    """The handlers of every type: `create(logical_id, properties, stack)`, `update(...)`, `delete(...)`."""
    return {f"AWS::SageMaker::{kind}": _build(invoke, kind) for kind in _KINDS}


def _build(invoke: Invoke, kind: str) -> dict[str, Any]:
    """A resource's physical id is its ARN, which ends with its name."""

    def create(logical_id: str, properties: Document, stack: str) -> Created:
        name = properties.get(f"{kind}Name") or _make_name(stack, logical_id)
        arn = invoke(f"Create{kind}", {**properties, f"{kind}Name": name})[f"{kind}Arn"]
        return arn, {f"{kind}Name": name}

    def update(physical_id: str, _old: Document, new: Document, stack: str, logical_id: str) -> Created:
        if kind != "Endpoint":
            # Definitions never change: another one takes its place, and whoever refers to it is updated after it.
            return create(logical_id, {key: value for key, value in new.items() if key != f"{kind}Name"}, stack)
        name = _name_of(physical_id)
        invoke("UpdateEndpoint", {"EndpointName": name, "EndpointConfigName": new["EndpointConfigName"]})
        return physical_id, {"EndpointName": name}

    def delete(physical_id: str, _properties: Document) -> None:
        try:
            invoke(f"Delete{kind}", {f"{kind}Name": _name_of(physical_id)})
        except ValidationError:
            return  # it is gone already

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def _make_name(stack: str, logical_id: str) -> str:
    """In lower case, as ARNs are: the name is read from there."""
    unique = uuid.uuid4().hex[:12]
    stem = re.sub(r"[^a-z0-9]+", "-", f"{stack}-{logical_id}".lower())[: _MAX_NAME - len(unique) - 1].strip("-")
    return f"{stem}-{unique}"


def _name_of(arn: str) -> str:
    return arn.rpartition("/")[2]
