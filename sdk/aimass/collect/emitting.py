"""Runs streams and says what they yield as Singer messages, one JSON object a line."""

import datetime as dt
import decimal
import enum
import importlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from aimass.collect.streams import Run, StreamInfo, find_streams
from aimass_core.errors import InvalidDataError, InvalidRequestError

Emit = Callable[[str], None]
_SINGER_TYPES: dict[str, dict[str, Any]] = {
    "datetime": {"type": ["null", "string"], "format": "date-time"},
    "string": {"type": ["null", "string"]},
    "integer": {"type": ["null", "integer"]},
    "number": {"type": ["null", "number"]},
    "boolean": {"type": ["null", "boolean"]},
}


def load(entry_point: str) -> Any:
    """`module:name`. Raises InvalidRequestError."""
    module_name, colon, name = entry_point.partition(":")
    if not colon:
        raise InvalidRequestError(f"{entry_point!r} is no entry point. Write module:name, such as my_source:orders.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        raise InvalidRequestError(f"There is no module {module_name!r} beside the configuration.") from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        raise InvalidRequestError(f"The module {module_name!r} has no {name!r}.") from error


def emit_all(
    found: Any, *, config: Mapping[str, Any], state: Mapping[str, Any], only: Iterable[str] = (), emit: Emit
) -> None:
    """Everything of the streams that are asked for (none: all). `state` is Singer's, with `bookmarks` by stream."""
    bookmarks = dict(state.get("bookmarks", {}))
    wanted = frozenset(only)
    for info, function in find_streams(found, config):
        if not wanted or info.name in wanted:
            _emit_stream(info, function, config=config, bookmarks=bookmarks, emit=emit)


def _emit_stream(
    info: StreamInfo, function: Callable[..., Any], *, config: Mapping[str, Any], bookmarks: dict[str, Any], emit: Emit
) -> None:
    def say_state(state: Mapping[str, Any]) -> None:
        bookmarks[info.name] = dict(state)
        emit(_to_json({"type": "STATE", "value": {"bookmarks": bookmarks}}, info))

    properties = {column: _SINGER_TYPES[found] for column, found in info.columns.items()}
    schema = {"type": "object", "properties": properties}
    keys = list(info.primary_key)
    emit(_to_json({"type": "SCHEMA", "stream": info.name, "schema": schema, "key_properties": keys}, info))
    run = Run(config=config, state=bookmarks.get(info.name, {}), on_save=say_state)
    highest = run.start()
    for record in function(run):
        if not isinstance(record, Mapping):
            raise InvalidDataError(
                f"The stream {info.name!r} yielded {type(record).__name__} instead of a mapping of column to value."
            )
        emit(_to_json({"type": "RECORD", "stream": info.name, "record": dict(record)}, info))
        if info.cursor is not None:
            highest = _larger(highest, _plain(record.get(info.cursor)), info)
    if info.cursor is not None and highest is not None:
        run.state["cursor"] = highest
    say_state(run.state)


def _larger(highest: Any, value: Any, info: StreamInfo) -> Any:
    if value is None or highest is None:
        return highest if value is None else value
    try:
        return value if value > highest else highest
    except TypeError as error:
        raise InvalidDataError(
            f"The stream {info.name!r}: the cursor {info.cursor!r} is {value!r} after {highest!r}, which cannot be "
            "compared. Yield values of one type."
        ) from error


def _to_json(message: Mapping[str, Any], info: StreamInfo) -> str:
    try:
        return json.dumps(message, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise InvalidDataError(
            f"The stream {info.name!r} yielded what JSON cannot hold: {error}. Yield texts, numbers, truth values, "
            "times, lists and mappings."
        ) from error


def _plain(value: Any) -> Any:
    """Values that JSON does not know, as those that it does."""
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, uuid.UUID | Path):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if value is None or isinstance(value, str | int | float | bool | list | dict):
        return value
    raise TypeError(f"{type(value).__name__} ({str(value)[:80]})")
