"""The in-process gateway as a WSGI application, for tools that speak HTTP."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, make_server

from tests.functional.gateway import Gateway

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def to_wsgi(gateway: Gateway) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """The application."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        headers: dict[str, str | list[str]] = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        num_bytes = int(environ.get("CONTENT_LENGTH") or 0)
        # NOTE: wsgiref says text/plain where the client said nothing.
        if environ.get("CONTENT_TYPE") and (num_bytes or environ["CONTENT_TYPE"] != "text/plain"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        path = quote(environ["PATH_INFO"].encode("latin-1"))
        query = environ.get("QUERY_STRING")
        answer = gateway.send(
            environ["REQUEST_METHOD"],
            f"{path}?{query}" if query else path,
            headers=headers,
            body=environ["wsgi.input"].read(num_bytes),
        )
        status = HTTPStatus(answer.status)
        start_response(f"{status.value} {status.phrase}", list(answer.headers.items()))
        return [answer.body]

    return application


class _Quiet(WSGIRequestHandler):
    wbufsize = -1
    """An answer leaves as a whole, and not a line at a time."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""


@contextmanager
def serving(gateway: Gateway) -> Iterator[str]:
    """The application on a port of 127.0.0.1: its address."""
    server = make_server("127.0.0.1", 0, to_wsgi(gateway), handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=120)
        server.server_close()
