"""Nested objects as dotted columns, as the conversion of JSON Lines names them."""

from typing import Any

MAX_NESTING = 16


class TooNestedError(Exception):
    """Objects within objects, beyond what is read."""


def flatten(record: dict[str, Any]) -> dict[str, Any]:
    """The same record where nothing is nested. Lists stay what they are; an object without keys is no column."""
    for value in record.values():
        if isinstance(value, dict):
            break
    else:
        return record
    flat: dict[str, Any] = {}
    _add(flat, record, "", MAX_NESTING)
    return flat


def _add(flat: dict[str, Any], record: dict[str, Any], prefix: str, depth: int) -> None:
    if not depth:
        raise TooNestedError
    for key, value in record.items():
        if not isinstance(value, dict):
            flat[prefix + key] = value
        elif value:
            _add(flat, value, f"{prefix}{key}.", depth - 1)


def is_allowed(name: str, allowed: frozenset[str]) -> bool:
    """A field, or one within a field, that a policy names."""
    if name in allowed:
        return True
    head, dot, _ = name.rpartition(".")
    return bool(dot) and is_allowed(head, allowed)


def find(record: Any, path: str) -> Any:
    """What lies at a path of keys with dots (`$.` before it is allowed); None where nothing does."""
    found = record
    for key in path.removeprefix("$.").split("."):
        if isinstance(found, dict):
            found = found.get(key)
        elif isinstance(found, list) and key.lstrip("-").isdecimal() and -len(found) <= int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found
