"""Cells as people see them in JSON: long texts and series are cut, images become data: URLs or null."""

import base64
from datetime import UTC, datetime
from typing import Any

_MAX_IMAGE_BYTES = 64 * 1024
_MAX_TEXT = 10_000
_MAX_VALUES = 1_000


def to_json(value: Any) -> Any:
    """A time without a zone is one of UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return _to_data_url(value)
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    if isinstance(value, list):
        return value[:_MAX_VALUES]
    return value


def _to_data_url(image: bytes) -> str | None:
    if len(image) > _MAX_IMAGE_BYTES:
        return None
    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
