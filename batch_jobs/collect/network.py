"""HTTP as collectors speak it: to public addresses only, at a pace, within limits, and patient with a busy source."""

import email.utils
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpcore2
import httpx2

from aimass_core.domain.common import Clock, utc_now
from batch_jobs.collect import addresses
from batch_jobs.collect.addresses import Resolve
from batch_jobs.collect.errors import (
    AddressRefusedError,
    AuthFailedError,
    SourceUnavailableError,
    TooMuchError,
)

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_REFUSED = frozenset({401, 403})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_CHUNK_BYTES = 64 * 1024
_MAX_WAIT_SECONDS = 60.0

TakenT = TypeVar("TakenT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one answer and one run may take. Bytes are counted after they are unpacked."""

    page_bytes: int = 64 * 1024**2
    file_bytes: int = 20 * 1024**3
    idle_seconds: float = 30.0
    answer_seconds: float = 600.0
    patience_seconds: float = 300.0
    num_tries: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Time as the network sees it; tests bring their own."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    clock: Clock = utc_now
    uniform: Callable[[float, float], float] = random.uniform


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A page: its status is one of success."""

    url: str
    headers: httpx2.Headers
    body: bytes


@dataclass(slots=True, kw_only=True)
class Network:
    """What the readers of one run share.

    Attributes:
        max_requests_per_second: None where the policy sets no pace.
        deadline: the monotonic time at which the run's time is up.
        num_requests: how many were made, of which `num_retries` because the one before was in vain.
    """

    allowed_hosts: frozenset[str] = frozenset()
    max_requests_per_second: float | None = None
    limits: Limits = Limits()
    timing: Timing = Timing()
    deadline: float | None = None
    resolver: Resolve = addresses.resolve
    num_requests: int = 0
    num_retries: int = 0
    _waited: float = 0.0
    _next_at: float = 0.0
    _client: httpx2.Client | None = field(default=None, init=False)

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
    ) -> Answer:
        """A whole page.

        Raises:
            AuthFailedError: it answers 401 or 403.
            SourceUnavailableError, AddressRefusedError, TooMuchError.
        """
        request = _Request(method=method, url=url, headers=headers, params=params, json=json, data=data)
        return self._patiently(request, lambda answer: self._read(answer, self.limits.page_bytes))

    def download(self, url: str, path: Path, *, headers: Mapping[str, str] | None = None) -> Answer | None:
        """A file to the disk; None where the server says that it has not changed (304)."""
        request = _Request(method="GET", url=url, headers=headers)

        def write(answer: httpx2.Response) -> Answer | None:
            if answer.status_code == 304:
                return None
            with path.open("wb") as stream:
                for chunk in self._chunks(answer, self.limits.file_bytes):
                    stream.write(chunk)
            return Answer(url=shown(str(answer.url)), headers=answer.headers, body=b"")

        return self._patiently(request, write)

    def connect(self, host: str, port: int) -> str:
        """The checked address of a host, for protocols other than HTTP."""
        return addresses.checked(host, port, allowed_hosts=self.allowed_hosts, resolver=self.resolver)[0]

    def close(self) -> None:
        """Ends the connections."""
        if self._client is not None:
            self._client.close()

    def _patiently(self, request: "_Request", take: Callable[[httpx2.Response], TakenT]) -> TakenT:
        """Tries again what a busy source refuses, with growing pauses, or as long as it asks for."""
        for number in range(1, self.limits.num_tries + 1):
            wait: float | None = None
            try:
                with self._send(request) as answer:
                    if answer.status_code not in _RETRIED:
                        self._require_success(request, answer)
                        return take(answer)
                    why, wait = f"answers {answer.status_code}", _asked_wait(answer.headers, self.timing.clock())
            except (httpx2.TransportError, httpx2.DecodingError) as error:
                why = f"breaks off ({type(error).__name__})"
            if number == self.limits.num_tries or not self._pause(number, wait):
                break
            self.num_retries += 1
        raise SourceUnavailableError(
            f"{shown(request.url)} {why}, also after {number} tries. The run ends here, and what was read is not "
            "counted as read; the next run begins at the same place."
        )

    def _pause(self, number: int, asked: float | None) -> bool:
        """False where waiting would take longer than the run's patience."""
        longest = min(_MAX_WAIT_SECONDS, 0.5 * 2.0**number)
        wait = asked if asked is not None else self.timing.uniform(longest / 2, longest)
        is_late = self.deadline is not None and self.timing.monotonic() + wait > self.deadline
        if is_late or self._waited + wait > self.limits.patience_seconds:
            return False
        self._waited += wait
        self.timing.sleep(wait)
        return True

    @contextmanager
    def _send(self, request: "_Request") -> Iterator[httpx2.Response]:
        """Follows redirects; what goes to another origin takes none of the request's headers along."""
        client = self._open()
        built = request.build(client)
        origin = _origin(built.url)
        for _ in range(_MAX_REDIRECTS + 1):
            _check_url(built.url)
            self._keep_pace()
            answer = client.send(built, stream=True)
            try:
                if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                    yield answer
                    return
                target = built.url.join(answer.headers["location"])
            except (httpx2.InvalidURL, ValueError) as error:
                raise SourceUnavailableError(f"{shown(request.url)} redirects to what is no address.") from error
            finally:
                answer.close()
            is_same = _origin(target) == origin
            built = client.build_request("GET", target, headers=dict(request.headers or {}) if is_same else None)
        raise SourceUnavailableError(f"{shown(request.url)} redirects more than {_MAX_REDIRECTS} times.")

    def _require_success(self, request: "_Request", answer: httpx2.Response) -> None:
        if answer.status_code in _REFUSED:
            raise AuthFailedError(
                f"{shown(request.url)} answers {answer.status_code}: the secret is refused, or does not allow this. "
                "Set it anew: aimass sources secrets set <source> <name>"
            )
        if answer.status_code >= 400:
            raise SourceUnavailableError(
                f"{shown(request.url)} answers {answer.status_code}. Check the collector's address and parameters."
            )

    def _read(self, answer: httpx2.Response, max_bytes: int) -> Answer:
        body = b"".join(self._chunks(answer, max_bytes))
        return Answer(url=shown(str(answer.url)), headers=answer.headers, body=body)

    def _chunks(self, answer: httpx2.Response, max_bytes: int) -> Iterator[bytes]:
        """NOTE: a slow server is stopped by the time of the whole answer, since each byte of it comes in time."""
        ends_at = self.timing.monotonic() + self.limits.answer_seconds
        if self.deadline is not None:
            ends_at = min(ends_at, self.deadline)
        num_bytes = 0
        for chunk in answer.iter_bytes(_CHUNK_BYTES):
            num_bytes += len(chunk)
            if num_bytes > max_bytes:
                raise TooMuchError(
                    f"{shown(str(answer.url))} answers with more than {max_bytes:,} bytes. Ask for smaller pages."
                )
            if self.timing.monotonic() > ends_at:
                raise SourceUnavailableError(
                    f"{shown(str(answer.url))} takes longer than {self.limits.answer_seconds:g} s for one answer, or "
                    "longer than the run may take (policy.max_seconds)."
                )
            yield chunk

    def _keep_pace(self) -> None:
        self.num_requests += 1
        if self.max_requests_per_second is None:
            return
        now = self.timing.monotonic()
        if now < self._next_at:
            self.timing.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + 1 / self.max_requests_per_second

    def _open(self) -> httpx2.Client:
        if self._client is None:
            timeout = httpx2.Timeout(self.limits.idle_seconds)
            transport = _GuardedTransport(self.allowed_hosts, self.resolver)
            self._client = httpx2.Client(
                transport=transport,
                timeout=timeout,
                follow_redirects=False,
                trust_env=False,
                # NOTE: what other encodings make of few bytes is not bounded piece by piece.
                headers={"accept-encoding": "gzip", "user-agent": "aimass-collector"},
            )
        return self._client


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    url: str
    headers: Mapping[str, str] | None = None
    params: Mapping[str, Any] | None = None
    json: Any = None
    data: Mapping[str, str] | None = None

    def build(self, client: httpx2.Client) -> httpx2.Request:
        try:
            url = httpx2.URL(self.url)
            if self.params:
                url = url.copy_merge_params({name: value for name, value in self.params.items() if value is not None})
            return client.build_request(self.method, url, headers=self.headers, json=self.json, data=self.data)
        except (httpx2.InvalidURL, ValueError) as error:
            raise AddressRefusedError(f"{self.url[:200]!r} is no address that can be read: {error}") from error


class _GuardedTransport(httpx2.HTTPTransport):
    """The usual transport with our own way to connect. NOTE: the pool is not part of httpx2's public interface."""

    def __init__(self, allowed_hosts: frozenset[str], resolver: Resolve) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=8,
            network_backend=_GuardedBackend(allowed_hosts, resolver),
        )


class _GuardedBackend(httpcore2.NetworkBackend):
    """Connects to the address that was checked. TLS still asks for the certificate of the name."""

    def __init__(self, allowed_hosts: frozenset[str], resolver: Resolve) -> None:
        self._allowed_hosts, self._resolver = allowed_hosts, resolver
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        """See NetworkBackend."""
        found = addresses.checked(host, port, allowed_hosts=self._allowed_hosts, resolver=self._resolver)
        for address in found[:-1]:
            try:
                return self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError:
                continue
        return self._inner.connect_tcp(found[-1], port, timeout, local_address, socket_options)

    def sleep(self, seconds: float) -> None:
        """See NetworkBackend."""
        self._inner.sleep(seconds)


def shown(url: str) -> str:
    """An address without what may be secret in it: no user, no query."""
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return repr(url[:100])
    return f"{parsed.scheme}://{parsed.host}{f':{parsed.port}' if parsed.port else ''}{parsed.path}"[:300]


def _check_url(url: httpx2.URL) -> None:
    if url.scheme not in ("http", "https"):
        raise AddressRefusedError(f"{shown(str(url))!r} is neither http nor https, which is all that is read.")
    if url.userinfo:
        raise AddressRefusedError(
            f"The address of {url.host!r} holds a user name. Leave it out, and give the collector an auth instead."
        )


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _asked_wait(headers: httpx2.Headers, now: datetime) -> float | None:
    """The seconds of Retry-After, which is a number or a date."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None
