"""The console's function: which files it gives, and what it lets a page do."""

import base64
import gzip
from pathlib import Path
from typing import Any

import pytest

from functions.console.app import ConsoleHandler, make_handler

PAGE = '<!doctype html><base href="/console/" /><script type="module" src="./assets/index-1.js"></script>'
SCRIPT = b"console.log(1);" * 100


@pytest.fixture
def static(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "assets" / "index-1.js").write_bytes(SCRIPT)
    return tmp_path


@pytest.fixture
def console(static: Path) -> ConsoleHandler:
    return make_handler(static, lambda: ["https://landing.example"])


def _ask(console: ConsoleHandler, path: str, *, method: str = "GET", stage: str = "", **headers: str) -> dict[str, Any]:
    event = {"httpMethod": method, "path": path, "headers": headers, "requestContext": {"path": f"{stage}{path}"}}
    return console(event, None)  # type: ignore[arg-type]


def _header(answer: dict[str, Any], name: str) -> str:
    (value,) = answer["multiValueHeaders"][name]
    return str(value)


@pytest.mark.parametrize(
    ("path", "base"),
    [("/console/", "./"), ("/console/training", "./"), ("/console/training/jobs", "../"), ("/console/a/b/c", "../../")],
)
def test_every_address_is_the_page_which_finds_its_folder(console: ConsoleHandler, path: str, base: str) -> None:
    answer = _ask(console, path)
    assert answer["statusCode"] == 200
    assert f'<base href="{base}" />' in answer["body"]
    assert _header(answer, "cache-control") == "no-cache"


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "assets/../../app.py", "assets/.gitignore", "assets/old.js"]
)
def test_nothing_but_what_was_built_is_given(console: ConsoleHandler, name: str) -> None:
    answer = _ask(console, f"/console/{name}")
    assert answer["statusCode"] == 404 or "<base" in answer["body"]
    assert "make_handler" not in answer["body"]


def test_scripts_are_compressed_and_kept_for_ever(console: ConsoleHandler) -> None:
    answer = _ask(console, "/console/assets/index-1.js", **{"accept-encoding": "gzip, br"})
    assert gzip.decompress(base64.b64decode(answer["body"])) == SCRIPT
    assert "immutable" in _header(answer, "cache-control")
    plain = _ask(console, "/console/assets/index-1.js")
    assert base64.b64decode(plain["body"]) == SCRIPT
    assert "content-encoding" not in plain["multiValueHeaders"]


def test_i11_page_allows_no_frame_no_inline_script_and_no_other_site(console: ConsoleHandler) -> None:
    policy = dict(
        part.split(" ", 1) for part in _header(_ask(console, "/console/"), "content-security-policy").split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' https://landing.example"


@pytest.mark.parametrize(
    ("path", "stage", "location"),
    [
        ("/", "", "console/"),
        ("/", "/live", "console/"),
        ("/console", "", "console/"),
        ("/console", "/live", "console/"),
    ],
)
def test_entrances_lead_to_the_folder(console: ConsoleHandler, path: str, stage: str, location: str) -> None:
    answer = _ask(console, path, stage=stage)
    assert (answer["statusCode"], _header(answer, "location")) == (302, location)


def test_page_that_is_not_built_says_how(tmp_path: Path) -> None:
    assert "make console" in _ask(make_handler(tmp_path, tuple), "/console/")["body"]


def test_is_read_only(console: ConsoleHandler) -> None:
    answer = _ask(console, "/console/", method="POST")
    assert (answer["statusCode"], _header(answer, "allow")) == (405, "GET, HEAD")
