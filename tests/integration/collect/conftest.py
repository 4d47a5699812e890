"""A server on this machine that answers as a test says."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.sockets import allow_hosts
from tests.unit.batch_jobs.collect.scene import SourceScene


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, ["127.0.0.1", "localhost"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that came."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Server:
    """Answers by path with `answers[path](asked)`: a status, headers and a body, also in pieces."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, Callable[[Asked], tuple[int, Mapping[str, str], bytes | Iterator[bytes]]]] = field(
        default_factory=dict
    )


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(path=parts.path, query=dict(parse_qsl(parts.query)), headers=headers, body=body)
            found.asked.append(asked)
            status, sent, answer = found.answers[parts.path](asked)
            self.send_response(status)
            pieces = [answer] if isinstance(answer, bytes) else answer
            if isinstance(answer, bytes):
                self.send_header("content-length", str(len(answer)))
            else:
                self.send_header("connection", "close")
                self.close_connection = True
            for name, value in sent.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for piece in pieces:
                    self.wfile.write(piece)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        do_POST = do_GET  # noqa: N815 - the base class looks for it

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        found.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield found
        http.shutdown()
        thread.join()


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., SourceScene]:
    return lambda collector, **policy: SourceScene(tmp_path, collector, **policy)
