"""The body of a friendly request as records: JSON, or CSV with a header line."""

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from aimass_core.domain.endpoints import PredictRequest
from aimass_core.errors import ErrorDetail, InvalidRequestError, PayloadTooLargeError, UnsupportedMediaTypeError
from aimass_core.inference.limits import MAX_ROWS
from aimass_core.inference.messages import PredictionRequest
from aimass_core.lambda_support import json_body

_IMAGES = ("image/png", "image/jpeg")
_DELIMITERS = (",", ";", "\t")
# As ingest reads such a file.
_DECIMAL_COMMA = re.compile(r"^\s*([+-]?[0-9]+),([0-9]+)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Rows by column; `errors` are rows that could not be read at all."""

    rows: Sequence[Mapping[str, Any]]
    errors: Mapping[int, str] = field(default_factory=dict)


def media_type_of(request: PredictionRequest) -> str:
    """Without parameters, in lower case. What says nothing is JSON."""
    return (request.header("content-type") or "application/json").partition(";")[0].strip().lower()


def read_records(request: PredictionRequest, columns: Collection[str], *, image_column: str | None = None) -> Records:
    """The rows of a request.

    Args:
        columns: those that the model knows; they tell a CSV file's delimiter.
        image_column: which of them takes an image that is sent as it is.

    Raises:
        UnsupportedMediaTypeError: Neither JSON nor CSV, nor an image for a model that takes one.
        MalformedRequestError, InvalidRequestError: The body cannot be read.
        PayloadTooLargeError: Too many rows.
    """
    media_type = media_type_of(request)
    if media_type == "text/csv":
        return _read_csv(request.text(), columns)
    if media_type in _IMAGES and image_column is not None:
        return Records(rows=[{image_column: request.body}])
    if media_type != "application/json":
        raise UnsupportedMediaTypeError(
            f"The content type {media_type[:100]!r} is not understood. Send application/json or text/csv"
            + (f", or one image as {' or '.join(_IMAGES)}." if image_column else ".")
        )
    return _read_json(json_body.parse_object(request.text()))


def _read_json(document: dict[str, Any]) -> Records:
    rows = document.get("rows")
    if isinstance(rows, list) and len(rows) > MAX_ROWS:
        raise _too_many(len(rows))
    try:
        return Records(rows=PredictRequest.model_validate(document).rows)
    except ValidationError as error:
        details = [
            ErrorDetail(location=".".join(["body", *map(str, fault["loc"])]), message=fault["msg"])
            for fault in error.errors()[:20]
        ]
        words = "; ".join(f"{detail.location}: {detail.message}" for detail in details[:3])
        raise InvalidRequestError(
            f'The request is not valid: {words}. Send {{"rows": [{{"column": value, ...}}, ...]}}.', details=details
        ) from error


def _read_csv(text: str, columns: Collection[str]) -> Records:
    delimiter = max(_DELIMITERS, key=lambda each: len(set(_header(text, each)) & set(columns)))
    names = _header(text, delimiter)
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidRequestError(f"The CSV header names the column {duplicates[0]!r} more than once.")
    rows: list[Mapping[str, Any]] = []
    errors: dict[int, str] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        next(reader, None)
        for line in reader:
            if not line:
                continue
            cells = [_DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in line] if delimiter == ";" else line
            fits = len(cells) == len(names)
            if not fits:
                errors[len(rows)] = f"line {reader.line_num} has {len(cells)} cells, the header has {len(names)}"
            rows.append(dict(zip(names, cells, strict=True)) if fits else {})
            if len(rows) > MAX_ROWS:
                raise PayloadTooLargeError(f"At most {MAX_ROWS} rows are taken. Send several requests.")
    except csv.Error as error:
        raise InvalidRequestError(f"The CSV cannot be read in line {reader.line_num}: {error}.") from error
    if not rows:
        raise InvalidRequestError("The CSV has no rows below its header line.")
    return Records(rows=rows, errors=errors)


def _header(text: str, delimiter: str) -> list[str]:
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise InvalidRequestError(f"The header line of the CSV cannot be read: {error}.") from error
    return [name.strip() for name in header]


def _too_many(num_rows: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(f"{num_rows} rows are too many: at most {MAX_ROWS} are taken. Send several requests.")
