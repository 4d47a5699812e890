"""Reads JSON that strangers send: strict where the standard library is lenient."""

import json
import math
import re
from typing import Any

from aimass_core.errors import MalformedRequestError

MAX_DEPTH = 64
# NOTE: what is looked for before it is checked value by value, which would take longer than many a model.
_MAYBE_HUGE = re.compile(r"[eE]\+?[0-9]{3}|[0-9]{300}")
_MAYBE_SURROGATE = re.compile(r"\\u[dD]|[\ud800-\udfff]")


def parse(text: str) -> Any:
    """The value of a JSON document.

    Refuses what two readers could understand differently or what cannot be stored: duplicate keys, NaN, Infinity,
    numbers that overflow, nesting deeper than `MAX_DEPTH`, half of a surrogate pair.

    Raises:
        MalformedRequestError: with the position.
    """
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(text)
    try:
        parse_float = _finite if _MAYBE_HUGE.search(text) else None
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=parse_float)
        if _MAYBE_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise MalformedRequestError(
            f"The body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from error
    except UnicodeEncodeError as error:
        raise MalformedRequestError("The body holds half of a UTF-16 surrogate pair, which is no text.") from error
    except ValueError as error:
        raise MalformedRequestError(f"The body is not JSON: {error}") from error
    return value


def parse_object(text: str) -> dict[str, Any]:
    """The same for a body that must be an object."""
    value = parse(text)
    if not isinstance(value, dict):
        raise MalformedRequestError(f"The body must be a JSON object, not {_words(value)}.")
    return value


def _check_depth(text: str) -> None:
    depth, in_string, escaped = 0, False, False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedRequestError(f"The body is nested deeper than {MAX_DEPTH} levels.")
        elif character in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name[:100]!r} comes twice in one object.")
        found[name] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value; leave the field out or send null.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is out of range.")
    return value


def _words(value: Any) -> str:
    if value is None:
        return "null"
    return {list: "an array", str: "a string", bool: "a boolean"}.get(type(value), "a number")
