"""The wire: authentication, timeouts, retries with Idempotency-Key, and problem+json turned into errors again."""

import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import tenacity
from pydantic import ValidationError

from aimass.errors import ConfigurationError, ConnectionFailedError
from aimass.profiles import Profile
from aimass.version import __version__
from aimass_core.domain.common import Problem
from aimass_core.errors import AimassError, ErrorDetail, InternalError, error_classes

USER_AGENT = f"aimass-python/{__version__}"
_RETRIED_STATUS = frozenset({429, 502, 503, 504})
_SAFE_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_MAX_WAIT_SECONDS = 20.0
_ERRORS = error_classes()


class _RetryLaterError(Exception):
    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Http:
    """One server, one key."""

    def __init__(
        self,
        profile: Profile,
        *,
        timeout_seconds: float,
        max_retries: int,
        transport: httpx2.BaseTransport | None = None,
        user_agent: str = USER_AGENT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = profile.base_url.rstrip("/")
        self._profile, self._max_retries, self._sleep = profile, max_retries, sleep
        self._client = httpx2.Client(
            base_url=self.base_url,
            transport=transport,
            timeout=httpx2.Timeout(timeout_seconds, connect=5.0),
            headers={"user-agent": user_agent, "accept": "application/json"},
        )

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Sends JSON, returns JSON (None for 204). Raises the server's error as the same class.

        A POST gets an Idempotency-Key, so that it may be repeated after a lost answer. An answer that lies in S3 is
        fetched from there.

        Args:
            body: What becomes JSON; bytes are JSON already.
        """
        sent = dict(headers or {})
        if method == "POST":
            sent.setdefault("idempotency-key", uuid.uuid4().hex)
        kept = {name: value for name, value in (params or {}).items() if value is not None}
        response = self._send(method, path, body, kept, sent)
        if response.status_code >= 400:
            raise to_error(response)
        if response.status_code == 303:
            return json.loads(self.fetch(response.headers["location"], name="a large answer"))
        return None if response.status_code == 204 else _to_json(response)

    def read_text(self, path: str, *, params: Mapping[str, Any] | None = None) -> str:
        """An answer that is no JSON: a page, CSV. Raises the server's error as the same class."""
        response = self._send("GET", path, None, params or {}, {"accept": "*/*"})
        if response.status_code >= 400:
            raise to_error(response)
        return response.text

    def send_signed(
        self, method: str, url: str, *, content: Callable[[], Any], headers: Mapping[str, str]
    ) -> httpx2.Response:
        """Sends a presigned request to S3, without our key. `content` is called again for every attempt."""
        clean = {"user-agent": USER_AGENT, **headers}

        def attempt() -> httpx2.Response:
            request = httpx2.Request(method, url, content=content(), headers=clean)
            return self._client.send(request)

        return self._retrying(attempt, is_repeatable=True)

    def fetch(self, url: str, *, name: str) -> bytes:
        """What a presigned URL reads. Raises ConnectionFailedError, which names the file."""
        response = self.send_signed("GET", url, content=lambda: None, headers={})
        if response.status_code >= 300:
            raise ConnectionFailedError(f"S3 answered {response.status_code} for {name}.")
        return response.content

    def download(self, url: str, path: Path, *, sha256: str, name: str) -> None:
        """Saves what a presigned URL reads, chunk by chunk. Raises ConnectionFailedError where it is not what its
        SHA-256 says; then nothing is at the path."""
        part = path.with_name(f"{path.name}.part")

        def attempt() -> httpx2.Response:
            digest = hashlib.sha256()
            with self._client.stream("GET", url) as response, part.open("wb") as file:
                for chunk in response.iter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
            response.extensions["sha256"] = digest.hexdigest()
            return response

        try:
            response = self._retrying(attempt, is_repeatable=True)
            if response.status_code >= 300 or response.extensions["sha256"] != sha256:
                why = f"answered {response.status_code}" if response.status_code >= 300 else "gave other bytes"
                raise ConnectionFailedError(f"S3 {why} for {name}. Try again.")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _send(
        self, method: str, path: str, body: Any, params: Mapping[str, Any], headers: dict[str, str]
    ) -> httpx2.Response:
        if self._profile.api_key is None:
            raise ConfigurationError(
                "There is no API key. Start the local cloud (aimass local up), run aimass configure, or set "
                "AIMASS_API_KEY."
            )
        headers["authorization"] = f"Bearer {self._profile.api_key}"
        content = body if isinstance(body, bytes) else None
        if content is not None:
            headers["content-type"] = "application/json"
        is_repeatable = method in _SAFE_METHODS or "idempotency-key" in headers or "if-match" in headers
        return self._retrying(
            lambda: self._client.request(
                method, path, json=None if content else body, content=content, params=params, headers=headers
            ),
            is_repeatable=is_repeatable,
        )

    def _retrying(self, attempt: Callable[[], httpx2.Response], *, is_repeatable: bool) -> httpx2.Response:
        def once() -> httpx2.Response:
            response = attempt()
            if _is_passing(response):
                raise _RetryLaterError(response)
            return response

        retried: tuple[type[Exception], ...] = (_RetryLaterError, httpx2.ConnectError)
        if is_repeatable:
            retried = (_RetryLaterError, httpx2.TransportError)
        retryer = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._max_retries + 1),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(retried),
            reraise=True,
            sleep=self._sleep,
        )
        try:
            return retryer(once)
        except _RetryLaterError as error:
            return error.response
        except httpx2.TransportError as error:
            raise ConnectionFailedError(
                f"{self.base_url} does not answer ({type(error).__name__}). Is it running? For the local cloud: "
                "aimass local up"
            ) from error


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _RetryLaterError):
        asked = _retry_after_seconds(error.response)
        if asked is not None:
            return asked
    return tenacity.wait_exponential_jitter(multiplier=0.2, max=_MAX_WAIT_SECONDS)(state)


def _is_passing(response: httpx2.Response) -> bool:
    """Whether the same request may succeed within a time that is worth waiting for."""
    asked = _retry_after_seconds(response)
    is_in_progress = response.status_code == 409 and asked is not None
    return (response.status_code in _RETRIED_STATUS or is_in_progress) and (asked or 0) <= _MAX_WAIT_SECONDS


def _retry_after_seconds(response: httpx2.Response) -> int | None:
    asked = response.headers.get("retry-after", "")
    return int(asked) if re.fullmatch(r"[0-9]{1,9}", asked) else None


def _to_json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except json.JSONDecodeError as error:
        raise ConnectionFailedError(
            f"{response.request.url} answered {response.status_code} with something that is not JSON. "
            "Is this the address of an AI Mass API?"
        ) from error


def to_error(response: httpx2.Response) -> AimassError:
    """The error of a problem+json answer, as the class that the server raised."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return ConnectionFailedError(
            f"{response.request.method} {response.request.url} answered {response.status_code}: "
            f"{response.text[:300] or 'no text'}"
        )
    cls = _ERRORS.get(problem.code, InternalError)
    details = [
        ErrorDetail(location=str(e.get("location", "")), message=str(e.get("message", ""))) for e in problem.errors
    ]
    error = cls(problem.detail, details=details)
    error.retry_after_seconds = _retry_after_seconds(response)
    if problem.status >= 500 and problem.request_id:
        error.add_note(f"request id {problem.request_id}")
    return error
