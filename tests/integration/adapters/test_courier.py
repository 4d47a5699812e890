"""HTTP to servers of others, over real connections: private, slow, redirecting, endless."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from aimass_core.adapters.courier import HttpCourier
from aimass_core.errors import InvalidRequestError, UnavailableError
from tests.integration.collect.conftest import Server
from tests.integration.collect.conftest import server as server  # noqa: PLC0414 - a fixture

ALLOWED = frozenset({"127.0.0.1", "localhost"})
METADATA = "http://169.254.169.254/latest/meta-data/"


def leads_to(*addresses: str) -> HttpCourier:
    """One for which every name has these addresses."""

    def resolver(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return HttpCourier(resolver=resolver)


def test_post_brings_headers_and_body(server: Server) -> None:
    server.answers["/in"] = lambda _: (202, {"retry-after": "30"}, b"thanks\x00\n  all")
    answer = HttpCourier(allowed_hosts=ALLOWED).post(f"{server.url}/in?a=1", headers={"x-y": "z"}, body=b"\x00\xff")
    (asked,) = server.asked
    assert (asked.query, asked.headers["x-y"], asked.body) == ({"a": "1"}, "z", b"\x00\xff")
    assert (answer.status, answer.text, answer.retry_after_seconds) == (202, "thanks all", 30.0)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:169.254.169.254",
        "fd00::1",
        "0.0.0.0",
        "64:ff9b::a00:1",
    ],
)
def test_h14_address_that_is_not_public_is_refused(address: str) -> None:
    for courier in (leads_to(address), leads_to("93.184.216.34", address)):
        with pytest.raises(InvalidRequestError, match="not public"):
            courier.check("https://rebound.example/")
        with pytest.raises(InvalidRequestError, match="not public"):
            courier.post("https://rebound.example/", headers={}, body=b"")


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://[::1]/"])
def test_h14_address_in_another_form_is_refused(url: str) -> None:
    with pytest.raises((InvalidRequestError, UnavailableError)):
        HttpCourier().check(url)


def test_h14_connection_goes_to_the_address_that_was_judged(server: Server) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    server.answers["/in"] = lambda _: (200, {}, b"")
    asked_for: list[str] = []

    def resolver(host: str, _port: int) -> Sequence[str]:
        asked_for.append(host)
        return ["127.0.0.1"] if len(asked_for) == 1 else ["169.254.169.254"]

    courier = HttpCourier(allowed_hosts={"somewhere.example"}, resolver=resolver)
    assert courier.post(f"http://somewhere.example:{port}/in", headers={}, body=b"").status == 200
    assert server.asked[0].headers["host"] == f"somewhere.example:{port}"
    assert asked_for == ["somewhere.example"], "a name is resolved once"


def test_plain_http_is_for_hosts_that_are_allowed() -> None:
    with pytest.raises(InvalidRequestError, match="not encrypted"):
        leads_to("93.184.216.34").check("http://example.org/")


def test_h14_redirect_is_not_followed(server: Server) -> None:
    server.answers["/in"] = lambda _: (302, {"location": METADATA}, b"")
    assert HttpCourier(allowed_hosts=ALLOWED).post(f"{server.url}/in", headers={}, body=b"").status == 302
    assert len(server.asked) == 1


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], str]]:
    """Servers that begin an answer with these bytes, and go on drop by drop for as long as anybody listens."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def begin(first: bytes) -> str:
        listening = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with listening, listening.accept()[0] as connection, contextlib.suppress(OSError):
                connection.sendall(first)
                # Each drop comes within the time that a single read may take.
                while not over.wait(0.05):
                    connection.sendall(b"x")

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}/in"

    yield begin
    over.set()
    for thread in threads:
        thread.join(timeout=10)


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nx-slow: "])
def test_h14_drop_by_drop_ends_in_time(dripping: Callable[[bytes], str], first: bytes) -> None:
    with pytest.raises(UnavailableError, match=r"has not answered within 0\.4 s"):
        HttpCourier(allowed_hosts=ALLOWED, seconds=0.4).post(dripping(first), headers={}, body=b"")


def test_h14_body_that_never_ends_is_left(dripping: Callable[[bytes], str]) -> None:
    url = dripping(b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n")
    assert HttpCourier(allowed_hosts=ALLOWED, seconds=3).post(url, headers={}, body=b"").status == 200


def test_no_more_is_read_than_is_shown(server: Server) -> None:
    server.answers["/in"] = lambda _: (200, {}, b"x" * 1_000_000)
    assert len(HttpCourier(allowed_hosts=ALLOWED).post(f"{server.url}/in", headers={}, body=b"").text) == 2_048


def test_nobody_there_is_told() -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        HttpCourier(allowed_hosts=ALLOWED).post("http://127.0.0.1:9/", headers={}, body=b"")


def test_certificate_of_somebody_else_is_refused(server: Server) -> None:
    with pytest.raises(UnavailableError):
        HttpCourier(allowed_hosts=ALLOWED, seconds=5.0).post(
            server.url.replace("http:", "https:"), headers={}, body=b""
        )
