"""What a job definition may hold, and how a submission turns it into the containers of one job."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

from aimass_local.batch.errors import ClientError
from aimass_local.batch.requirements import Requirements
from aimass_local.batch.wire import Document

_RESERVED_PREFIX = "AWS_BATCH"
_PLACEHOLDER = re.compile(r"Ref::([A-Za-z0-9_-]+)")
_RANGE = re.compile(r"(?P<first>\d*)(?P<colon>:?)(?P<last>\d*)")
# What another kind of host would need. Silence would make a job run without what it asked for.
_UNSUPPORTED_PROPERTIES = ("secrets", "mountPoints", "volumes", "repositoryCredentials")
_UNSUPPORTED_SECTIONS = (
    "eksProperties",
    "ecsProperties",
    "consumableResourceProperties",
    "eksPropertiesOverride",
    "ecsPropertiesOverride",
    "consumableResourcePropertiesOverride",
)


def check(definition: Document) -> None:
    """Refuses a job definition (or the same parts of a submission) that could not run.

    Raises:
        ClientError: with the property and what it has to be.
    """
    check_sections(definition)
    is_multinode = definition["type"] == "multinode"
    wanted, unwanted = ("nodeProperties", "containerProperties")[:: 1 if is_multinode else -1]
    if wanted not in definition or unwanted in definition:
        raise ClientError(f"A job definition of type {definition['type']} has {wanted} and no {unwanted}")
    for container in iterate_containers(definition):
        _check_container(container)
    if is_multinode:
        nodes = definition["nodeProperties"]
        build_nodes(nodes, {}, parameters={})


def check_sections(request: Document) -> None:
    """Refuses what neither a definition nor a submission may ask for here."""
    for name in _UNSUPPORTED_SECTIONS:
        if request.get(name):
            raise ClientError(f"{name} is not supported by the local AWS Batch: it runs single containers on ECS")
    if timeout := request.get("timeout"):
        seconds = timeout.get("attemptDurationSeconds", 0)
        if seconds < 60:
            raise ClientError(f"timeout.attemptDurationSeconds is {seconds}: it has to be at least 60")
    if retry := request.get("retryStrategy"):
        _check_retry_strategy(retry)


def iterate_containers(definition: Document) -> Iterable[Document]:
    if "containerProperties" in definition:
        yield definition["containerProperties"]
    for node_range in definition.get("nodeProperties", {}).get("nodeRangeProperties", []):
        if "container" not in node_range:
            raise ClientError("nodeRangeProperties: each range has to have a container")
        yield node_range["container"]


def check_environment(container: Document) -> None:
    """Refuses variables that only Batch itself may set."""
    for variable in container.get("environment", []):
        name = variable.get("name", "")
        if not name or "=" in name or "\0" in name + variable.get("value", ""):
            raise ClientError(f"environment: {name!r} cannot be a variable's name")
        if name.startswith(_RESERVED_PREFIX):
            raise ClientError(f"environment: {name} starts with {_RESERVED_PREFIX}, which is reserved for AWS Batch")


def build_container(properties: Document, overrides: Document, *, parameters: Document) -> Document:
    """The container of one job: the definition's, with the submission's overrides and parameters in place."""
    check_environment(overrides)
    container = copy.deepcopy(properties)
    for name in ("vcpus", "memory", "instanceType"):
        if name in overrides:
            container[name] = overrides[name]
    container["environment"] = _merge(properties, overrides, "environment", key="name")
    container["resourceRequirements"] = _merge(properties, overrides, "resourceRequirements", key="type")
    command = overrides.get("command") or properties.get("command", [])
    container["command"] = [_PLACEHOLDER.sub(lambda m: parameters.get(m[1], m[0]), word) for word in command]
    Requirements.of(container)
    return container


def build_nodes(properties: Document, overrides: Document, *, parameters: Document) -> list[Document]:
    """The containers of a multi-node job, by node index.

    Raises:
        ClientError: the ranges leave a node out, or the main node is none of them.
    """
    num_nodes = int(overrides.get("numNodes") or properties["numNodes"])
    if not 1 <= num_nodes <= 1000:
        raise ClientError(f"numNodes is {num_nodes}: it has to be between 1 and 1000")
    if not 0 <= properties["mainNode"] < num_nodes:
        raise ClientError(f"mainNode is {properties['mainNode']}: there are {num_nodes} nodes, counted from 0")
    containers = []
    for index in range(num_nodes):
        node_range = _find_range(properties["nodeRangeProperties"], index, num_nodes)
        if node_range is None:
            raise ClientError(f"nodeRangeProperties: no range holds node {index} of {num_nodes}")
        override = _find_range(overrides.get("nodePropertyOverrides", []), index, num_nodes) or {}
        check_sections(override)
        changes = override.get("containerOverrides", {})
        containers.append(build_container(node_range["container"], changes, parameters=parameters))
    return containers


def to_effective_ranges(properties: Document, containers: list[Document]) -> list[Document]:
    """The definition's ranges as a job's detail shows them: each with the container that its first node has."""
    effective = []
    for entry in properties["nodeRangeProperties"]:
        nodes = _parse_range(entry["targetNodes"], len(containers))
        effective.append({**entry, "container": containers[nodes.start]} if nodes else entry)
    return effective


def _check_container(container: Document) -> None:
    if not container.get("image"):
        raise ClientError("Container properties have to name an image")
    for name in _UNSUPPORTED_PROPERTIES:
        if container.get(name):
            raise ClientError(f"containerProperties.{name} is not supported by the local AWS Batch")
    check_environment(container)
    Requirements.of(container)


def _check_retry_strategy(retry: Document) -> None:
    attempts = retry.get("attempts", 1)
    if not 1 <= attempts <= 10:
        raise ClientError(f"retryStrategy.attempts is {attempts}: it has to be between 1 and 10")
    rules = retry.get("evaluateOnExit", [])
    if len(rules) > 5:
        raise ClientError(f"retryStrategy.evaluateOnExit has {len(rules)} rules: at most 5 are allowed")
    if rules and "attempts" not in retry:
        raise ClientError("retryStrategy: evaluateOnExit needs attempts")
    for rule in rules:
        if rule["action"].upper() not in ("RETRY", "EXIT"):
            raise ClientError(f"retryStrategy.evaluateOnExit: action {rule['action']!r} is neither RETRY nor EXIT")
        if not rule.keys() & {"onExitCode", "onReason", "onStatusReason"}:
            raise ClientError("retryStrategy.evaluateOnExit: a rule has to name onExitCode, onReason or onStatusReason")


def _merge(properties: Document, overrides: Document, name: str, *, key: str) -> list[Any]:
    merged = {entry[key]: entry for source in (properties, overrides) for entry in source.get(name, [])}
    return copy.deepcopy(list(merged.values()))


def _find_range(ranges: list[Document], index: int, num_nodes: int) -> Document | None:
    """The narrowest range that holds the node: ranges may nest, and the inner one wins."""
    found = [entry for entry in ranges if index in _parse_range(entry["targetNodes"], num_nodes)]
    return min(found, key=lambda entry: len(_parse_range(entry["targetNodes"], num_nodes)), default=None)


def _parse_range(text: str, num_nodes: int) -> range:
    match = _RANGE.fullmatch(text)
    if not match or not text:
        raise ClientError(f"targetNodes is {text!r}: it has to be like 0, 0:3, :3 or 4:")
    first = int(match["first"] or 0)
    open_end = num_nodes - 1 if match["colon"] else first
    last = int(match["last"]) if match["last"] else open_end
    return range(first, min(last, num_nodes - 1) + 1)
