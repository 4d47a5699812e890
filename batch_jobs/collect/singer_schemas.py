"""The JSON schema of a stream, as far as its records have shown it."""

from collections.abc import Mapping
from typing import Any

from aimass_core.domain.collector_messages import StreamSchema
from aimass_core.domain.schemas import ColumnType

_KINDS: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    dict: "object",
    list: "array",
}
_DECLARED = {
    ColumnType.STRING: "string",
    ColumnType.INTEGER: "integer",
    ColumnType.NUMBER: "number",
    ColumnType.BOOLEAN: "boolean",
    # As text: not every source writes times as RFC 3339 does.
    ColumnType.DATETIME: "string",
    ColumnType.SERIES: "array",
}


class Shape:
    """The columns of records and the JSON types of each, which only become more."""

    def __init__(self) -> None:
        self._kinds: dict[str, set[str]] = {}

    def add(self, record: Mapping[str, Any]) -> bool:
        """Whether the record shows something new."""
        is_new = False
        for name, value in record.items():
            known = self._kinds.get(name)
            if known is None:
                known, is_new = self._kinds.setdefault(name, set()), True
            kind = None if value is None else _KINDS[type(value)]
            if kind is not None and kind not in known and not (kind == "integer" and "number" in known):
                known.add(kind)
                is_new = True
        return is_new

    def declare(self, declared: StreamSchema | None) -> None:
        """What the source itself tells of its columns."""
        for name, found in ({} if declared is None else declared.types).items():
            if found in _DECLARED:
                self._kinds.setdefault(name, set()).add(_DECLARED[found])

    def load(self, schema: Mapping[str, Any]) -> None:
        """What a catalog says, which was discovered once."""
        for name, each in schema.get("properties", {}).items():
            kinds = each.get("type", []) if isinstance(each, dict) else []
            self._kinds.setdefault(name, set()).update({kinds} if isinstance(kinds, str) else kinds)

    def to_schema(self) -> dict[str, Any]:
        """Every column may be null; one that always was is text until it shows something else."""
        return {
            "type": "object",
            "properties": {
                name: {"type": ["null", *(sorted(kinds - {"null"}) or ["string"])]}
                for name, kinds in self._kinds.items()
            },
        }
