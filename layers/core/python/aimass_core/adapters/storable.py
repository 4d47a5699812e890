"""What a registry row can hold: JSON with numbers of at most 38 digits, and 400 KB of it."""

import json
import math
from collections.abc import Mapping
from typing import Any

from aimass_core.errors import InvalidRequestError

MAX_ROW_BYTES = 400 * 1024
MAX_DIGITS = 38


def check_storable(data: Mapping[str, Any]) -> None:
    """Raises InvalidRequestError where the data is no JSON, or more than a row can hold."""
    _check(data)
    if len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_ROW_BYTES:
        raise InvalidRequestError("This is more than one resource can hold (400 KB). Make it smaller.")


def _check(value: Any) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, Mapping):
        for item in value.values():
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    elif isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        raise InvalidRequestError(f"A whole number has more than {MAX_DIGITS} digits. Send it as text.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequestError(f"{value} is not a number that can be stored. Leave it out or send null.")
