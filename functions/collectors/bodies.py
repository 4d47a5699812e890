"""The records in the body of a delivery: one JSON object, an array of them, or JSON Lines."""

from typing import Any

from aimass_core.errors import ErrorDetail, InvalidRequestError, MalformedRequestError, UnsupportedMediaTypeError
from aimass_core.lambda_support import json_body

MAX_RECORDS = 10_000
_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines", "application/x-jsonlines")


def parse(body: bytes, *, media_type: str, encoding: str) -> list[dict[str, Any]]:
    """Raises UnsupportedMediaTypeError, MalformedRequestError, or InvalidRequestError where one is no object."""
    if encoding:
        raise UnsupportedMediaTypeError("Content-Encoding is not supported here. Send the body as it is.")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequestError(f"The body is not UTF-8: byte {error.start}.") from error
    kind = media_type.partition(";")[0].strip().lower() or "application/json"
    if kind in _LINES:
        values = [json_body.parse(line) for line in text.splitlines() if line.strip()]
    elif kind == "application/json":
        value = json_body.parse(text)
        values = value if isinstance(value, list) else [value]
    else:
        raise UnsupportedMediaTypeError(f"{kind!r} is not taken. Send application/json, or {_LINES[0]} for JSON Lines.")
    if len(values) > MAX_RECORDS:
        raise InvalidRequestError(f"The body has {len(values)} records; at most {MAX_RECORDS} are taken at a time.")
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            raise InvalidRequestError(
                f"Record {index} is no JSON object, but {value!r:.100}.",
                details=[ErrorDetail(location=f"body.{index}", message="must be an object")],
            )
    return values
