"""The console: one page of built files, closed to everything that it does not bring along."""

import base64
import gzip
import re
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core import bootstrap
from aimass_core.errors import MethodNotAllowedError, NotFoundError
from aimass_core.lambda_support import http
from aimass_core.lambda_support.http import HttpAnswer, HttpEvent
from aimass_core.lambda_support.logging import build_logger
from aimass_core.settings import ConsoleSettings

STATIC: Final = Path(__file__).parent / "static"
ROOT: Final = "/console"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_COMPRESSED = frozenset({".css", ".html", ".js", ".json", ".svg"})
_BASE = re.compile(r'<base href="[^"]*"')
# What the build names after its content never changes.
_FOR_EVER = "public, max-age=31536000, immutable"
_UNBUILT = (
    "<!doctype html><html lang=en><title>AI Mass</title><p>The console is not built. <code>make console</code> builds "
    "it and <code>make down up</code> brings it in. Everything that it shows is in the API and the CLI too."
)

ConsoleHandler = Callable[[HttpEvent, LambdaContext], HttpAnswer]


def make_handler(static: Path, origins: Callable[[], Iterable[str]]) -> ConsoleHandler:
    """The handler over a folder of built files. `origins` are those that files are uploaded to and read from."""
    logger = build_logger("console")
    files = {path.relative_to(static).as_posix(): path for path in static.rglob("*") if path.suffix in _TYPES}

    def answer(event: HttpEvent) -> HttpAnswer:
        if event["httpMethod"].upper() not in {"GET", "HEAD"}:
            raise MethodNotAllowedError("The console is read with GET.", allowed=["GET", "HEAD"])
        path = str(event["path"])
        if path in {"/", ROOT}:
            return {"statusCode": 302, "multiValueHeaders": {"location": [_way_in(event)]}}
        name = path.removeprefix(f"{ROOT}/")
        if name in files and name != "index.html":
            return _file(files[name], gzipped=_takes_gzip(event))
        if "/" in name and name.split("/", maxsplit=1)[0] == "assets":
            # NOTE: a tab that was opened before a deployment asks for files that are gone; the page would be no script.
            raise NotFoundError("There is no such file. Load the page anew.")
        # Every other address is one of the page's own.
        return _page(files.get("index.html"), depth=name.count("/"), origins=origins())

    def handle(event: HttpEvent, context: LambdaContext) -> HttpAnswer:  # noqa: ARG001
        started = time.perf_counter()
        answered = http.boundary(event, lambda: answer(event))
        http.log_request(event, answered, log=logger.info, started=started)
        return answered

    return handle


def _page(index: Path | None, *, depth: int, origins: Iterable[str]) -> HttpAnswer:
    """The one page, for an address so many folders below the console's."""
    text = _UNBUILT if index is None else _BASE.sub(f'<base href="{"../" * depth or "./"}"', index.read_text("utf-8"))
    headers = {
        "content-type": _TYPES[".html"],
        "cache-control": "no-cache",
        "content-security-policy": _policy(origins),
        "cross-origin-opener-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }
    return {"statusCode": 200, "multiValueHeaders": {name: [value] for name, value in headers.items()}, "body": text}


def _policy(origins: Iterable[str]) -> str:
    """Scripts and styles from here alone, none in the page; requests to the API and to the buckets."""
    allowed = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": " ".join(["'self'", *origins]),
        "base-uri": "'self'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _file(path: Path, *, gzipped: bool) -> HttpAnswer:
    headers = {
        "content-type": _TYPES[path.suffix],
        "cache-control": _FOR_EVER if path.parent.name == "assets" else "no-cache",
        "vary": "accept-encoding",
    }
    body = path.read_bytes()
    if gzipped and path.suffix in _COMPRESSED:
        headers["content-encoding"] = "gzip"
        body = _compress(path)
    return {
        "statusCode": 200,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": base64.b64encode(body).decode("ascii"),
        "isBase64Encoded": True,
    }


@cache
def _compress(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)


def _takes_gzip(event: HttpEvent) -> bool:
    return any("gzip" in value for value in http.header_values(event, "accept-encoding"))


def _way_in(event: HttpEvent) -> str:
    """The console's folder, from where the browser is: what stands before the path (a stage) is none of ours."""
    asked = str((event.get("requestContext") or {}).get("path") or event["path"])
    last = asked.rsplit("/", maxsplit=1)[-1]
    within = "" if asked.endswith(ROOT) else f"{ROOT.strip('/')}/"
    return f"{last}/{within}" if last else within


@cache
def _origins() -> tuple[str, ...]:
    """Where presigned addresses lead to."""
    ports = bootstrap.build_ports(ConsoleSettings())
    urls = (store.sign_get("any", expires_seconds=1) for store in (ports.landing, ports.lake))
    return tuple(dict.fromkeys(f"{split.scheme}://{split.netloc}" for split in map(urlsplit, urls)))


handler = make_handler(STATIC, _origins)
