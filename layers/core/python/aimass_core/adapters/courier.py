"""HTTP to servers of others: to public addresses only, without following anything, within a time.

The address is judged where the connection is made, and the connection goes to the address that was judged: a name that
leads elsewhere a moment later (DNS rebinding) gains nothing.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from aimass_core.domain.addresses import is_public
from aimass_core.errors import InvalidRequestError, UnavailableError
from aimass_core.ports import CourierAnswer

Resolve = Callable[[str, int], Sequence[str]]
_MAX_ANSWER_BYTES = 2_048
_PORTS = {"https": 443, "http": 80}


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system knows them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCourier:
    """Satisfies `Courier`.

    Attributes:
        allowed_hosts: those that may have an address that is not public, and be spoken to without TLS.
        seconds: for all of it, from the connection to the last byte that is read, however slowly they come.
    """

    allowed_hosts: Collection[str] = ()
    resolver: Resolve = resolve
    seconds: float = 15.0

    def check(self, url: str) -> None:
        """See Courier."""
        self._judge(urlsplit(url))

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> CourierAnswer:
        """See Courier."""
        parts = urlsplit(url)
        address = self._judge(parts)
        connection = _open(parts, address, seconds=self.seconds)
        watch = threading.Timer(self.seconds, connection.cut)
        watch.start()
        try:
            connection.request("POST", _target(parts), body=body, headers={**headers, "user-agent": "AI-Mass"})
            answer = connection.getresponse()
            if connection.is_cut:
                # NOTE: to http.client a header that was cut off is one that has ended.
                raise TimeoutError
            return _to_answer(answer, _read(answer))
        except (OSError, http.client.HTTPException) as error:
            is_late = connection.is_cut or isinstance(error, TimeoutError)
            raise UnavailableError(_explain(parts, error, is_late=is_late, seconds=self.seconds)) from error
        finally:
            watch.cancel()
            connection.close()

    def _judge(self, parts: SplitResult) -> str:
        """The address to connect to."""
        host = parts.hostname or ""
        is_allowed = host in self.allowed_hosts
        if parts.scheme != "https" and not is_allowed:
            raise InvalidRequestError(f"{parts.scheme}://{host} is not encrypted. Write an https:// address.")
        try:
            addresses = self.resolver(host, _port(parts))
        except (OSError, UnicodeError) as error:
            raise UnavailableError(f"The host {host!r} cannot be resolved. Check the address.") from error
        if not addresses:
            raise UnavailableError(f"The host {host!r} has no address. Check it.")
        if not is_allowed and not all(is_public(address) for address in addresses):
            raise InvalidRequestError(
                f"The host {host!r} leads to an address that is not public, where nothing is sent. Name a public "
                "host; a deployment allows others by the setting AIMASS_NOTIFICATION_HOSTS."
            )
        return addresses[0]


class _PlainConnection(http.client.HTTPConnection):
    """Goes to an address and speaks of a host."""

    def __init__(self, host: str, port: int, *, address: str, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds)
        self._address = address
        self._seconds = seconds
        self.is_cut = False

    def connect(self) -> None:
        """To the address that was judged."""
        self.sock = socket.create_connection((self._address, self.port), self._seconds)

    def cut(self) -> None:
        """Ends whatever waits for the other side."""
        self.is_cut = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It has ended by itself.
                return


class _TlsConnection(_PlainConnection):
    """The same, with the certificate of the host."""

    default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        """To the address that was judged."""
        super().connect()
        self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def _open(parts: SplitResult, address: str, *, seconds: float) -> _PlainConnection:
    kind = _TlsConnection if parts.scheme == "https" else _PlainConnection
    return kind(parts.hostname or "", _port(parts), address=address, seconds=seconds)


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The beginning of the body. The status, which counts, has come: a body that never ends takes nothing back."""
    try:
        return answer.read(_MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _to_answer(answer: http.client.HTTPResponse, content: bytes) -> CourierAnswer:
    text = "".join(c if c.isprintable() else " " for c in content.decode("utf-8", "replace"))
    asked = answer.headers.get("retry-after", "")
    return CourierAnswer(
        status=answer.status,
        text=" ".join(text.split()),
        retry_after_seconds=float(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else None,
    )


def _explain(parts: SplitResult, error: Exception, *, is_late: bool, seconds: float) -> str:
    host = parts.hostname
    if is_late:
        return f"{host} has not answered within {seconds:g} s."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of {host} is not valid: {error.verify_message}."
    if isinstance(error, http.client.HTTPException):
        return f"{host} does not answer as HTTP says ({type(error).__name__})."
    return f"{host} cannot be reached ({type(error).__name__})."
