"""CloudFormation's resource types AWS::Batch::*."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aimass_local.batch import wire
from aimass_local.batch.casing import from_pascal_case
from aimass_local.batch.errors import ClientError
from aimass_local.batch.wire import Document

Invoke = Callable[[str, Document], Document]
Created = tuple[str, Document]

# Properties of CloudFormation that steer an update and are no part of the API.
_STEERING = {"replacecomputeenvironment", "skipderegisteronupdate", "resourceretentionpolicy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _ResourceType:
    """How a resource type maps to operations; its physical id is the ARN."""

    create: str
    update: str
    delete: str
    name: str
    arn: str
    reference: str
    """What Update and Delete call the resource."""


_TYPES = {
    "AWS::Batch::ComputeEnvironment": _ResourceType(
        create="CreateComputeEnvironment",
        update="UpdateComputeEnvironment",
        delete="DeleteComputeEnvironment",
        name="computeEnvironmentName",
        arn="computeEnvironmentArn",
        reference="computeEnvironment",
    ),
    "AWS::Batch::JobQueue": _ResourceType(
        create="CreateJobQueue",
        update="UpdateJobQueue",
        delete="DeleteJobQueue",
        name="jobQueueName",
        arn="jobQueueArn",
        reference="jobQueue",
    ),
    "AWS::Batch::JobDefinition": _ResourceType(
        create="RegisterJobDefinition",
        update="RegisterJobDefinition",
        delete="DeregisterJobDefinition",
        name="jobDefinitionName",
        arn="jobDefinitionArn",
        reference="jobDefinition",
    ),
    "AWS::Batch::SchedulingPolicy": _ResourceType(
        create="CreateSchedulingPolicy",
        update="UpdateSchedulingPolicy",
        delete="DeleteSchedulingPolicy",
        name="name",
        arn="arn",
        reference="arn",
    ),
}


def build_handlers(invoke: Invoke) -> dict[str, dict[str, Any]]:
    """The handlers of every type: `create(logical_id, properties, stack)`, `update(...)`, `delete(...)`."""
    return {name: _build(invoke, resource_type) for name, resource_type in _TYPES.items()}


def _build(invoke: Invoke, kind: _ResourceType) -> dict[str, Any]:
    def create(logical_id: str, properties: Document, stack: str) -> Created:
        parameters = _to_parameters(kind.create, properties)
        parameters.setdefault(kind.name, re.sub(r"[^A-Za-z0-9_-]", "-", f"{stack}-{logical_id}")[:128])
        return _describe(kind, invoke(kind.create, parameters)[kind.arn])

    def update(physical_id: str, _old: Document, new: Document, stack: str, logical_id: str) -> Created:
        if kind.update == kind.create:
            # A definition never changes: there is a new revision, and the old one takes no more jobs.
            created = create(logical_id, {"JobDefinitionName": _definition_name(physical_id), **new}, stack)
            if not new.get("SkipDeregisterOnUpdate"):
                invoke(kind.delete, {kind.reference: physical_id})
            return created
        parameters = _to_parameters(kind.update, new)
        invoke(kind.update, {**parameters, kind.reference: physical_id})
        return _describe(kind, physical_id)

    def delete(physical_id: str, _properties: Document) -> None:
        if kind.update != kind.create and kind.reference != "arn":
            try:
                invoke(kind.update, {kind.reference: physical_id, "state": "DISABLED"})
            except ClientError:
                return  # it is gone already
        invoke(kind.delete, {kind.reference: physical_id})

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def _describe(kind: _ResourceType, arn: str) -> Created:
    """Physical id and the attributes that `Fn::GetAtt` reads."""
    return arn, {f"{kind.arn[:1].upper()}{kind.arn[1:]}": arn}


def _definition_name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1].split(":", maxsplit=1)[0]


def _to_parameters(operation: str, properties: Document) -> Document:
    shape = _input_shape(operation)
    others = [_input_shape(re.sub("^(Create|Update)", verb, operation)) for verb in ("Create", "Update")]
    wanted = {name: value for name, value in properties.items() if name.lower() not in _STEERING}
    return from_pascal_case(_without_foreign(wanted, shape, others), shape)


def _without_foreign(properties: Document, shape: Any, others: list[Any]) -> Document:
    """Leaves out what only the other verb takes: a template holds both (an UpdatePolicy at creation, say)."""
    known, kept = _members(shape), {}
    foreign = {name for other in others for name in _members(other)} - set(known)
    for name, value in properties.items():
        key = name.lower()
        if key in foreign:
            continue
        inner = [members[key] for members in map(_members, others) if key in members]
        kept[name] = _without_foreign(value, known[key], inner) if isinstance(value, dict) and key in known else value
    return kept


def _members(shape: Any) -> dict[str, Any]:
    return {name.lower(): member for name, member in getattr(shape, "members", {}).items()}


def _input_shape(operation: str) -> Any:
    model = wire.service_model()
    return model.operation_model(operation).input_shape if operation in model.operation_names else None
