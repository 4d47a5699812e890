"""Update expressions of DynamoDB. Names go by placeholders: each may be a reserved word, or hold any character."""

from collections.abc import Mapping, Sequence
from typing import Any

AttributeValue = Mapping[str, Any]
Item = Mapping[str, AttributeValue]


class Expression:
    """Assignments and a condition that share their placeholders."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, AttributeValue] = {}
        self._assignments: list[str] = []

    def name(self, *path: str) -> str:
        """The placeholder of an attribute, or of an entry of a map."""
        return ".".join(self._names.setdefault(part, f"#n{len(self._names)}") for part in path)

    def value(self, value: AttributeValue) -> str:
        """A new placeholder of a value."""
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = value
        return placeholder

    def assign(self, path: Sequence[str], value: AttributeValue, *, keep: bool = False) -> None:
        """Sets what the path leads to; with `keep` only where there is nothing."""
        name, placeholder = self.name(*path), self.value(value)
        self._assignments.append(
            f"{name} = if_not_exists({name}, {placeholder})" if keep else f"{name} = {placeholder}"
        )

    def arguments(self, condition: str) -> dict[str, Any]:
        """Of UpdateItem."""
        names = {placeholder: name for name, placeholder in self._names.items()}
        return {
            "UpdateExpression": f"SET {', '.join(self._assignments)}",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": self._values,
        }


def text(value: str) -> AttributeValue:
    """A string."""
    return {"S": value}


def number(value: float) -> AttributeValue:
    """A number."""
    return {"N": repr(value)}
