"""Reads JSON that strangers send: strict where the standard library is lenient."""

import json
import math
import re
from typing import Any

import orjson

from aimass_core.errors import MalformedRequestError

MAX_DEPTH = 64
# A whole number that is longer may not fit into 64 bits.
_MAX_DIGITS = 18
_TEXT = re.compile(rb'"[^"]*"')
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_DIGITS_TO_ZERO = bytes(ord("0") if chr(byte).isascii() and chr(byte).isdigit() else byte for byte in range(256))


def parse(text: str) -> Any:
    """The value of a JSON document.

    Refuses what two readers could understand differently or what cannot be stored: duplicate keys, NaN, Infinity,
    numbers that overflow, nesting deeper than `MAX_DEPTH`, half of a surrogate pair.

    Raises:
        MalformedRequestError: with the position.
    """
    known = _parse_plain(text)
    if known is not None:
        return known
    _check_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
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


def _parse_plain(text: str) -> Any | None:
    """The value of a document that is as programs write it, in a tenth of the time; None where it has to be looked at.

    orjson refuses what is refused here too, but for duplicate keys, of which it keeps the last. Where no text has an
    escape, each `":` ends a key: as many keys must come out as went in.
    """
    if "\\" in text:
        return None
    try:
        body = text.encode()
        if b"0" * (_MAX_DIGITS + 1) in body.translate(_DIGITS_TO_ZERO):
            return None
        value = orjson.loads(body)
        is_plain = orjson.dumps(value).count(b'":') == body.count(b'":') and not _is_deep(body)
    except (ValueError, TypeError):
        return None
    return value if is_plain else None


def _is_deep(body: bytes) -> bool:
    """Whether JSON without escapes is nested too deeply: the innermost of its levels is taken out again and again."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _TEXT.sub(b"", body).translate(_TO_SQUARE, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


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
