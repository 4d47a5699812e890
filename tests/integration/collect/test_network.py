"""HTTP against a server that is busy, slow, malicious, or not where it says."""

import gzip
import itertools
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from batch_jobs.collect import addresses
from batch_jobs.collect.errors import (
    AddressRefusedError,
    AuthFailedError,
    SourceUnavailableError,
    TooMuchError,
)
from batch_jobs.collect.network import Limits, Network, Timing
from tests.integration.collect.conftest import Asked, Server

ALLOWED = frozenset({"127.0.0.1"})


class Time:
    """A time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []  # type: float, list[float]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def timing(self) -> Timing:
        return Timing(
            monotonic=lambda: self.now,
            sleep=self.sleep,
            clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            uniform=lambda low, _high: low,
        )


Make = Callable[..., Network]


@pytest.fixture
def network() -> Iterator[Make]:
    """Makes networks that may reach this machine, and closes them."""
    made: list[Network] = []

    def make(time: Time | None = None, **given: Any) -> Network:
        made.append(Network(**{"allowed_hosts": ALLOWED, "timing": (time or Time()).timing(), **given}))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_b1_a_busy_source_is_asked_again_after_as_long_as_it_says(server: Server, network: Make) -> None:
    waits = iter([{"retry-after": "7"}, {"retry-after": "Thu, 01 Jan 2026 00:00:09 GMT"}, {}])

    def answer(_asked: Asked) -> tuple[int, dict[str, str], bytes]:
        headers = next(waits, None)
        return (200, {}, b"fine") if headers is None else (429, headers, b"")

    server.answers["/"] = answer
    time = Time()
    found = network(time)
    assert found.fetch(server.url + "/").body == b"fine"
    assert time.slept == [7.0, 9.0, 2.0]
    assert (found.num_requests, found.num_retries) == (4, 3)


def test_b1_patience_ends_and_says_that_nothing_is_lost(server: Server, network: Make) -> None:
    server.answers["/"] = lambda _asked: (503, {}, b"busy")
    with pytest.raises(SourceUnavailableError, match=r"answers 503, also after 8 tries.*begins at the same place"):
        network().fetch(server.url + "/?key=s3cr3t")
    server.answers["/"] = lambda _asked: (503, {"retry-after": "3600"}, b"")
    time = Time()
    with pytest.raises(SourceUnavailableError, match="after 1 tries") as caught:
        network(time).fetch(server.url + "/?key=s3cr3t")
    assert time.slept == []
    assert "s3cr3t" not in str(caught.value)


def test_b11_a_refusal_is_told_apart(server: Server, network: Make) -> None:
    server.answers["/"] = lambda _asked: (401, {}, b"the body is never shown")
    with pytest.raises(AuthFailedError, match="the secret is refused") as caught:
        network().fetch(server.url + "/")
    assert "never shown" not in str(caught.value)


def test_a_policy_sets_the_pace(server: Server, network: Make) -> None:
    server.answers["/"] = lambda _asked: (200, {}, b"")
    time = Time()
    found = network(time, max_requests_per_second=2.0)
    for _ in range(3):
        found.fetch(server.url + "/")
    assert time.slept == [0.5, 0.5]


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost", "localhost.", "[::1]"])
def test_b7_this_machine_is_refused_however_it_is_written(host: str, server: Server, network: Make) -> None:
    port = server.url.rpartition(":")[2]
    with pytest.raises((AddressRefusedError, SourceUnavailableError)):
        network(allowed_hosts=frozenset()).fetch(f"http://{host}:{port}/")
    assert server.asked == []


def test_b7_a_name_that_resolves_to_another_address_later_gains_nothing(server: Server, network: Make) -> None:
    answers = itertools.cycle([["93.184.215.14"], ["127.0.0.1"]])
    rebinding = network(
        allowed_hosts=frozenset(), resolver=lambda _host, _port: next(answers), limits=Limits(num_tries=1)
    )
    # The address that was checked is the one that is connected to: here one that no test may reach.
    with pytest.raises((SourceUnavailableError, Exception)) as caught:
        rebinding.fetch(f"http://rebind.example.com:{server.url.rpartition(':')[2]}/")
    assert not isinstance(caught.value, AddressRefusedError)
    assert server.asked == []


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "file:///etc/passwd", "http://a:b@127.0.0.1/"])
def test_b7_b8_redirects_are_checked_again(server: Server, target: str, network: Make) -> None:
    server.answers["/"] = lambda _asked: (302, {"location": target}, b"")
    with pytest.raises(AddressRefusedError):
        network().fetch(server.url + "/")


def test_a_redirect_to_another_origin_takes_no_secrets_along(server: Server, network: Make) -> None:
    other = server.url.replace("127.0.0.1", "localhost")
    server.answers["/"] = lambda _asked: (302, {"location": f"{other}/there"}, b"")
    server.answers["/here"] = lambda _asked: (302, {"location": "/there"}, b"")
    server.answers["/there"] = lambda _asked: (200, {}, b"ok")
    found = network(allowed_hosts=ALLOWED | {"localhost"})
    for path in ("/", "/here"):
        assert found.fetch(server.url + path, headers={"x-api-key": "k", "authorization": "Bearer t"}).body == b"ok"
    seen = [(asked.path, asked.headers.get("x-api-key")) for asked in server.asked]
    assert seen == [("/", "k"), ("/there", None), ("/here", "k"), ("/there", "k")]


def test_a_redirect_that_does_not_end_is_stopped(server: Server, network: Make) -> None:
    server.answers["/"] = lambda _asked: (302, {"location": "/"}, b"")
    with pytest.raises(SourceUnavailableError, match="more than 5 times"):
        network().fetch(server.url + "/")


def test_b8_only_http_is_spoken(network: Make) -> None:
    for url in ("file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "http://", "http://[x"):
        with pytest.raises((AddressRefusedError, SourceUnavailableError)):
            network(limits=Limits(num_tries=1)).fetch(url)


def test_b9_an_endless_body_is_cut(server: Server, network: Make) -> None:
    server.answers["/"] = lambda _asked: (200, {}, (b"x" * 65_536 for _ in itertools.count()))
    with pytest.raises(TooMuchError, match="more than 1,000,000 bytes"):
        network(limits=Limits(page_bytes=1_000_000)).fetch(server.url + "/")


def test_b9_a_bomb_is_counted_as_it_unpacks(server: Server, network: Make) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    assert len(bomb) < 100_000
    server.answers["/"] = lambda _asked: (200, {"content-encoding": "gzip"}, bomb)
    with pytest.raises(TooMuchError):
        network(limits=Limits(page_bytes=1_000_000)).fetch(server.url + "/")


def test_b9_a_slow_body_is_stopped_by_the_time_of_the_whole(server: Server, network: Make) -> None:
    time = Time()

    def drip(_asked: Asked) -> tuple[int, dict[str, str], Iterator[bytes]]:
        def pieces() -> Iterator[bytes]:
            for _ in itertools.count():
                # Each byte comes in time, and takes a second of the network's own clock.
                time.now += 1
                yield b"x" * 65_536

        return 200, {}, pieces()

    server.answers["/"] = drip
    with pytest.raises(SourceUnavailableError, match="takes longer than 30 s for one answer"):
        network(time, limits=Limits(answer_seconds=30.0)).fetch(server.url + "/")


def test_b9_silence_is_stopped(server: Server, network: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(SourceUnavailableError, match="breaks off"):
            network(limits=Limits(idle_seconds=0.05, num_tries=1)).fetch(url)


def test_a_file_comes_to_the_disk_or_has_not_changed(server: Server, tmp_path: Path, network: Make) -> None:
    def answer(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        return (304, {}, b"") if asked.headers.get("if-none-match") == '"1"' else (200, {"etag": '"1"'}, b"a,b\n")

    server.answers["/f"] = answer
    found = network()
    first = found.download(server.url + "/f", tmp_path / "f")
    assert first is not None
    assert (first.headers["etag"], (tmp_path / "f").read_bytes()) == ('"1"', b"a,b\n")
    assert found.download(server.url + "/f", tmp_path / "f", headers={"if-none-match": '"1"'}) is None


def test_the_system_resolves() -> None:
    assert addresses.resolve("127.0.0.1", 80) == ["127.0.0.1"]
