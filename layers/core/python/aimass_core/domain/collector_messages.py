"""What a collector's program says on its standard output: Singer's messages, or Airbyte's, one JSON object a line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError

MAX_LINE_BYTES = 16 * 1024**2
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a stream."""

    stream: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSchema:
    """What is known of a stream before its records: the types of columns, and which of them tell rows apart."""

    stream: str
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    primary_key: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where the collector goes on once all that came before is durable. Without a stream it is that of all."""

    value: Any
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the log. An error ends the run."""

    text: str
    is_error: bool = False


Message = Record | StreamSchema | State | Note


def parse(line: bytes | str) -> Sequence[Message]:
    """The messages of a line; none of an empty one. Raises InvalidDataError."""
    if not line.strip():
        return ()
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _refuse(line, f"is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise _refuse(line, "is no JSON object")
    kind, record = found.get("type"), found.get("record")
    if kind == "RECORD" and isinstance(record, dict):
        stream = found.get("stream")
        if isinstance(stream, str):
            return (Record(stream, record),)
        if isinstance(record.get("stream"), str) and isinstance(record.get("data"), dict):
            return (Record(record["stream"], record["data"]),)
        raise _refuse(line, "names no stream")
    parser = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parser is None:
        raise _refuse(line, f"has the type {kind!r}, which is none of Singer's or Airbyte's that are read")
    try:
        return parser(found)
    except (KeyError, TypeError, AttributeError) as error:
        raise _refuse(line, f"lacks a part of a {kind} message ({error})") from error


def to_types(schema: Mapping[str, Any], prefix: str = "") -> dict[str, ColumnType]:
    """The columns of a JSON schema whose type it says; nested objects as dotted names."""
    found: dict[str, ColumnType] = {}
    for name, each in (schema.get("properties") or {}).items():
        if not isinstance(each, dict):
            continue
        kinds = each.get("type", [])
        kinds = {kinds} if isinstance(kinds, str) else set(kinds)
        kinds -= {"null"}
        if kinds == {"object"} and each.get("properties"):
            found |= to_types(each, f"{prefix}{name}.")
        elif (column_type := _to_type(kinds, each.get("format"))) is not None:
            found[prefix + name] = column_type
    return found


def _to_type(kinds: set[str], form: Any) -> ColumnType | None:
    if kinds == {"string"}:
        return ColumnType.DATETIME if form in ("date-time", "date") else ColumnType.STRING
    if kinds == {"integer"}:
        return ColumnType.INTEGER
    if kinds and kinds <= {"integer", "number"}:
        return ColumnType.NUMBER
    return ColumnType.BOOLEAN if kinds == {"boolean"} else None


def _schema(found: dict[str, Any]) -> Sequence[Message]:
    keys = found.get("key_properties") or ()
    return (StreamSchema(stream=found["stream"], types=to_types(found["schema"]), primary_key=tuple(keys)),)


def _state(found: dict[str, Any]) -> Sequence[Message]:
    if "value" in found:
        return (State(value=found["value"]),)
    state = found["state"]
    kind = state.get("type", "LEGACY")
    if kind == "STREAM":
        stream = state["stream"]
        return (State(value=stream.get("stream_state"), stream=stream["stream_descriptor"]["name"]),)
    return (State(value=state["global"] if kind == "GLOBAL" else state.get("data")),)


def _catalog(found: dict[str, Any]) -> Sequence[Message]:
    streams = found["catalog"]["streams"]
    return tuple(
        StreamSchema(
            stream=each["name"],
            types=to_types(each.get("json_schema") or {}),
            primary_key=tuple(part for path in each.get("source_defined_primary_key") or () for part in path),
        )
        for each in streams
    )


def _log(found: dict[str, Any]) -> Sequence[Message]:
    return (Note(str(found["log"].get("message", ""))[:2_000]),)


def _trace(found: dict[str, Any]) -> Sequence[Message]:
    error = found["trace"].get("error")
    return (Note(str(error.get("message", ""))[:2_000], is_error=True),) if error else ()


def _status(found: dict[str, Any]) -> Sequence[Message]:
    status = found["connectionStatus"]
    return (Note(str(status.get("message", ""))[:2_000], is_error=status["status"] != "SUCCEEDED"),)


def _nothing(found: dict[str, Any]) -> Sequence[Message]:
    del found
    return ()


_PARSERS = {
    "SCHEMA": _schema,
    "STATE": _state,
    "CATALOG": _catalog,
    "LOG": _log,
    "TRACE": _trace,
    "CONNECTION_STATUS": _status,
    "ACTIVATE_VERSION": _nothing,
    "SPEC": _nothing,
    "CONTROL": _nothing,
}


def _refuse(line: bytes | str, why: str) -> InvalidDataError:
    text = line.decode(errors="replace") if isinstance(line, bytes) else line
    return InvalidDataError(
        f"A line of the program's standard output {why}: {text.strip()[:_SHOWN]!r}. Write messages there and "
        "everything else to standard error."
    )
