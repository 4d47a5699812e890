"""Policies with one statement taken away: which tests of the templates notice."""

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.infra import test_permissions, test_rights
from tests.infra.templates import Template, load_template

STACKS = {
    "application": "AimassApplication",
    "batch": "AimassBatch",
    "identity": "AimassIdentity",
    "sagemaker": "AimassSageMaker",
    "stateful": "AimassStateful",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A statement, by its place: the stack's fixture, the role's logical id, and the number among its statements."""

    stack: str
    role: str
    index: int


def list_mutations() -> dict[Mutation, Mapping[str, Any]]:
    """Every statement of every role."""
    return {
        Mutation(stack=stack, role=role, index=index): document["Statement"][position]
        for stack, name in STACKS.items()
        for body in [load_template(name).body]
        for role, resource in body["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
        for index, (document, position) in enumerate(_places(body, role))
    }


def find_noticed() -> set[Mutation]:
    """Those whose absence fails a test of the templates."""
    templates = {stack: load_template(name) for stack, name in STACKS.items()}
    assert _holds(templates), "the templates fail their tests without any mutation"
    return {each for each in list_mutations() if not _holds({**templates, each.stack: _without(templates, each)})}


def _without(templates: Mapping[str, Template], mutation: Mutation) -> Template:
    body = copy.deepcopy(dict(templates[mutation.stack].body))
    document, position = list(_places(body, mutation.role))[mutation.index]
    del document["Statement"][position]
    return Template(body)


def _places(body: Mapping[str, Any], role: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Those that the role's own resource holds, then those of policies that are resources of their own."""
    own = [policy["PolicyDocument"] for policy in body["Resources"][role]["Properties"].get("Policies", ())]
    added = [
        resource["Properties"]["PolicyDocument"]
        for resource in body["Resources"].values()
        if resource["Type"] == "AWS::IAM::Policy" and {"Ref": role} in resource["Properties"]["Roles"]
    ]
    for document in [*own, *added]:
        for position in range(len(document["Statement"])):
            yield document, position


def _holds(templates: Mapping[str, Template]) -> bool:
    try:
        for test, arguments in _tests():
            test(**{name: templates[name] for name in arguments})
    except (AssertionError, ValueError, KeyError, StopIteration):
        return False
    return True


def _tests() -> Iterator[tuple[Callable[..., None], set[str]]]:
    """Those that need nothing but templates."""
    for module in (test_permissions, test_rights):
        for name, test in inspect.getmembers(module, inspect.isfunction):
            arguments = set(inspect.signature(test).parameters)
            if name.startswith("test_") and arguments <= STACKS.keys():
                yield test, arguments
