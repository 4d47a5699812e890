"""Turns a SubmitJob request and its job definition into a `JobSpec`."""

from __future__ import annotations

import re

from aimass_local.batch import definitions
from aimass_local.batch.errors import ClientError
from aimass_local.batch.jobs import JobSpec
from aimass_local.batch.wire import Document

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_MAX_DEPENDENCIES = 20


def build_spec(request: Document, *, definition: Document, queue: Document) -> JobSpec:
    """Settles a submission.

    Raises:
        ClientError: it does not fit its definition, or a figure is out of range.
    """
    if not _NAME.fullmatch(request["jobName"]):
        raise ClientError(
            f"jobName is {request['jobName']!r}: 1 to 128 letters, digits, hyphens and underscores,"
            " beginning with a letter or digit"
        )
    if queue["state"] != "ENABLED":
        raise ClientError(f"JobQueue {queue['jobQueueName']} is not ENABLED: it takes no new jobs")
    definitions.check_sections(request)
    parameters = {**definition.get("parameters", {}), **request.get("parameters", {})}
    nodes = None
    if definition["type"] == "multinode":
        nodes, containers = _settle_nodes(request, definition, parameters=parameters)
    else:
        containers = _settle_container(request, definition, parameters=parameters)
    timeout = request.get("timeout") or definition.get("timeout") or {}
    return JobSpec(
        name=request["jobName"],
        queue_arn=queue["jobQueueArn"],
        definition_arn=definition["jobDefinitionArn"],
        parameters=parameters,
        containers=tuple(containers),
        node_properties=nodes,
        retry_strategy=request.get("retryStrategy") or definition.get("retryStrategy") or {"attempts": 1},
        depends_on=tuple(_check_dependencies(request)),
        timeout_seconds=timeout.get("attemptDurationSeconds"),
        tags=request.get("tags", {}),
        is_propagating_tags=bool(request.get("propagateTags", definition.get("propagateTags"))),
        scheduling_priority=_check_priority(request, definition, queue),
        share_identifier=request.get("shareIdentifier"),
        platform_capabilities=tuple(definition.get("platformCapabilities", ["EC2"])),
        array_size=_check_array_size(request, definition),
    )


def _settle_container(request: Document, definition: Document, *, parameters: dict[str, str]) -> list[Document]:
    if "nodeOverrides" in request:
        raise ClientError("nodeOverrides: the job definition is not of type multinode")
    overrides = request.get("containerOverrides", {})
    return [definitions.build_container(definition["containerProperties"], overrides, parameters=parameters)]


def _settle_nodes(
    request: Document, definition: Document, *, parameters: dict[str, str]
) -> tuple[Document, list[Document]]:
    if "containerOverrides" in request:
        raise ClientError("containerOverrides: use nodeOverrides, the job definition is of type multinode")
    overrides = request.get("nodeOverrides", {})
    properties = definition["nodeProperties"]
    containers = definitions.build_nodes(properties, overrides, parameters=parameters)
    ranges = definitions.to_effective_ranges(properties, containers)
    return {**properties, "numNodes": len(containers), "nodeRangeProperties": ranges}, containers


def _check_array_size(request: Document, definition: Document) -> int | None:
    if "arrayProperties" not in request:
        return None
    size = request["arrayProperties"].get("size")
    if size is None:
        return None
    if definition["type"] == "multinode":
        raise ClientError("arrayProperties: a multi-node job cannot be an array")
    if not 2 <= size <= 10_000:
        raise ClientError(f"arrayProperties.size is {size}: it has to be between 2 and 10,000")
    return int(size)


def _check_dependencies(request: Document) -> list[Document]:
    dependencies: list[Document] = request.get("dependsOn", [])
    is_array = "arrayProperties" in request
    if len(dependencies) > _MAX_DEPENDENCIES:
        raise ClientError(f"dependsOn names {len(dependencies)} jobs: at most {_MAX_DEPENDENCIES} are allowed")
    for dependency in dependencies:
        kind = dependency.get("type")
        if kind not in (None, "N_TO_N", "SEQUENTIAL"):
            raise ClientError(f"dependsOn: type {kind!r} is neither N_TO_N nor SEQUENTIAL")
        if kind and not is_array:
            raise ClientError(f"dependsOn: {kind} is for array jobs only")
        if (kind == "SEQUENTIAL") == ("jobId" in dependency):
            raise ClientError("dependsOn: each entry has a jobId, except SEQUENTIAL, which has none")
    return dependencies


def _check_priority(request: Document, definition: Document, queue: Document) -> int:
    if "schedulingPolicyArn" in queue and "shareIdentifier" not in request:
        raise ClientError(f"shareIdentifier has to be given: job queue {queue['jobQueueName']} has a scheduling policy")
    if "schedulingPolicyArn" not in queue and "shareIdentifier" in request:
        raise ClientError(f"shareIdentifier: job queue {queue['jobQueueName']} has no scheduling policy")
    priority = int(request.get("schedulingPriorityOverride") or definition.get("schedulingPriority") or 0)
    if not 0 <= priority <= 9999:
        raise ClientError(f"schedulingPriorityOverride is {priority}: it has to be between 0 and 9999")
    return priority
