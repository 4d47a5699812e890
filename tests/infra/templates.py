"""Reading access to a CloudFormation template."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE_PATH = REPOSITORY / "infra/cdk/template"

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a role's policy."""

    owner: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[Any, ...]
    condition: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Template:
    """One stack's template."""

    body: Mapping[str, Any]

    def resources(self, resource_type: str) -> dict[str, Mapping[str, Any]]:
        """Logical id to resource; a test that finds none would test nothing."""
        found = {name: item for name, item in self.body["Resources"].items() if item["Type"] == resource_type}
        assert found, f"no {resource_type} in the template"
        return found

    def properties(self, resource_type: str) -> list[Properties]:
        return [item["Properties"] for item in self.resources(resource_type).values()]

    def function(self, name: str) -> Properties:
        """A Lambda function by the folder of its code."""
        return next(
            item
            for item in self.properties("AWS::Lambda::Function")
            if item["Handler"] == f"functions.{name}.app.handler"
        )

    def statements(self) -> Iterator[Statement]:
        """Every statement of every role."""
        for name, item in self.body["Resources"].items():
            if item["Type"] == "AWS::IAM::Role":
                for policy in item["Properties"].get("Policies", ()):
                    yield from _read_statements(name, policy["PolicyDocument"])
            elif item["Type"] in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}:
                role = item["Properties"]["Roles"][0]["Ref"]
                yield from _read_statements(role, item["Properties"]["PolicyDocument"])


def load_template(stack: str) -> Template:
    return Template(json.loads((TEMPLATE_PATH / f"{stack}.template.json").read_text()))


def to_text(value: Any) -> str:
    """An ARN as it reads in AWS: references become <name>."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::ImportValue": name}:
            return f"<{name}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(to_text(part) for part in parts)
        case _:
            raise TypeError(f"not an ARN: {value}")


def _read_statements(owner: str, document: Mapping[str, Any]) -> Iterator[Statement]:
    for statement in document["Statement"]:
        yield Statement(
            owner=owner,
            effect=statement["Effect"],
            actions=_to_tuple(statement["Action"]),
            resources=_to_tuple(statement["Resource"]),
            condition=statement.get("Condition", {}),
        )


def _to_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)
