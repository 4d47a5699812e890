"""What comes in and goes out, whichever transport carries it: Lambda's events, or a socket of a container."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aimass_core.errors import MalformedRequestError, PayloadTooLargeError
from aimass_core.inference.capturing.observed import Observed
from aimass_core.inference.limits import MAX_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRequest:
    """Method, path, headers (names in lower case, each with its values) and the body's bytes. `id` is what the answer's
    header x-request-id says; `num_sent_bytes` the body had before it was unpacked."""

    method: str
    path: str
    headers: Mapping[str, Sequence[str]]
    body: bytes
    seconds_left: Callable[[], float]
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    id: str = ""
    num_sent_bytes: int = 0
    max_rows: int = MAX_ROWS

    def flag(self, name: str) -> bool:
        """Whether the query says `name=true`. Raises MalformedRequestError where it says neither true nor false."""
        values = self.query.get(name, ())
        if any(value not in ("true", "false") for value in values) or len(set(values)) > 1:
            raise MalformedRequestError(f"{name} is {', '.join(values)[:40]!r} in the query; write true or false.")
        return "true" in values

    def header(self, name: str) -> str | None:
        """The one value of a header, by its name in lower case. Raises MalformedRequestError where it comes twice."""
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise MalformedRequestError(f"The header {name} comes more than once.")
        return values[0].strip() if values else None

    def check_rows(self, num_rows: int) -> None:
        """Raises PayloadTooLargeError where they are more than the workspace wants in one request."""
        if num_rows > self.max_rows:
            raise PayloadTooLargeError(
                f"{num_rows} rows are too many: at most {self.max_rows} are taken. Send several requests."
            )

    def text(self) -> str:
        """The body as text. Raises MalformedRequestError."""
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise MalformedRequestError(f"The body is not UTF-8 text (byte {error.start}).") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionAnswer:
    """Status, headers and the body's bytes. `num_rows` is how many rows it answers, for who has to bound it;
    `observed` what it was made of, for who captures it."""

    content: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    num_rows: int = 1
    observed: Observed | None = None


def json_answer(body: Any, *, status: HTTPStatus = HTTPStatus.OK) -> PredictionAnswer:
    """An answer in JSON."""
    return PredictionAnswer(content=json.dumps(body, allow_nan=False).encode(), status=status)
