"""The Singer face of the built-in collectors: singer-sdk's own tests on it, and runs that go on where they ended."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from batch_jobs.collect import tap
from tests.integration.collect.conftest import Asked, Server
from tests.integration.collect.test_rest import Orders, orders_source, to_json

SUITE = Path(__file__).with_name("singer_tap.py")
ENTRIES = b"""<rss version="2.0"><channel><title>News</title>
<item><guid>a</guid><title>One</title><pubDate>Thu, 01 Jan 2026 10:00:00 GMT</pubDate></item>
<item><guid>b</guid><title>Two</title><pubDate>Fri, 02 Jan 2026 10:00:00 GMT</pubDate></item>
</channel></rss>"""


def shop(server: Server) -> dict[str, Any]:
    """Two resources of an API, the one by a cursor."""
    Orders(server, 7).num_refusals = 0
    server.answers["/people"] = lambda _asked: to_json([{"id": 1, "name": "Ann"}, {"id": 2, "name": None}])
    source = orders_source(server)
    source["config"]["resources"].append({"name": "people", "primary_key": "id", "endpoint": {"path": "people"}})
    return source


def files(server: Server) -> dict[str, Any]:
    server.answers["/a.csv"] = lambda _asked: (200, {}, b"id,price,day\n1,1.5,2026-01-31\n2,,2026-02-01\n")
    return {"type": "files", "urls": [f"{server.url}/a.csv"]}


def feed(server: Server) -> dict[str, Any]:
    server.answers["/feed"] = lambda _asked: (200, {"content-type": "application/rss+xml"}, ENTRIES)
    return {"type": "feed", "urls": [f"{server.url}/feed"]}


@pytest.mark.parametrize(
    "make", [shop, pytest.param(files, marks=pytest.mark.slow), pytest.param(feed, marks=pytest.mark.slow)]
)
def test_singer_sdks_tests_of_taps_pass(server: Server, make: Any) -> None:
    config = {"collector": make(server)}
    variables = {**os.environ, "TAP_CONFIG": json.dumps(config), "AIMASS_COLLECT_ALLOWED_HOSTS": "127.0.0.1"}
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", "-W", "default"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(SUITE)],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


class Tried:
    """Runs of the tap in this process."""

    def __init__(self, folder: Path, config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIMASS_COLLECT_ALLOWED_HOSTS", "127.0.0.1")
        self.folder, self.config = folder, folder / "config.json"
        self.config.write_text(json.dumps(config))

    def run(self, capsys: pytest.CaptureFixture[str], **files: Any) -> list[dict[str, Any]]:
        arguments = ["--config", str(self.config)]
        for name, content in files.items():
            (self.folder / name).write_text(json.dumps(content))
            arguments += [f"--{name}", str(self.folder / name)]
        assert tap.main(arguments) == 0, capsys.readouterr().err
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def records(messages: list[dict[str, Any]], stream: str) -> list[Any]:
    found = [message for message in messages if message["type"] == "RECORD" and message["stream"] == stream]
    return [message["record"]["id"] for message in found]


def test_a_run_goes_on_where_the_one_before_ended(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shop(server)
    tried = Tried(tmp_path, {"collector": source}, monkeypatch)

    first = tried.run(capsys)
    assert (records(first, "orders"), records(first, "people")) == ([0, 1, 2, 3, 4, 5, 6], [1, 2])
    assert first[-1]["value"]["bookmarks"] == {"orders": {"cursor": 6}}
    schema = next(message for message in first if message["type"] == "SCHEMA")
    assert (schema["key_properties"], schema["bookmark_properties"]) == (["id"], ["id"])

    later = tried.run(capsys, state=first[-1]["value"])
    assert (records(later, "orders"), records(later, "people")) == ([], [1, 2])


def test_streams_that_are_not_selected_are_left_out(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = Tried(tmp_path, {"collector": shop(server)}, monkeypatch)
    metadata = [{"breadcrumb": [], "metadata": {"selected": True}}]
    catalog = {"streams": [{"tap_stream_id": "orders"}, {"tap_stream_id": "people", "metadata": metadata}]}

    messages = tried.run(capsys, catalog=catalog)

    assert {message["stream"] for message in messages if "stream" in message} == {"people"}
    assert [asked.path for asked in server.asked] == ["/people"]


def test_a_column_that_comes_later_is_told_before_its_record(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(_asked: Asked) -> Any:
        return to_json([{"id": 1}, {"id": "2", "name": "Bob"}])

    server.answers["/people"] = answer
    config = {"client": {"base_url": server.url}, "resources": [{"name": "people", "endpoint": {"path": "people"}}]}
    messages = Tried(tmp_path, {"collector": {"type": "rest", "config": config}}, monkeypatch).run(capsys)

    assert [message["type"] for message in messages] == ["SCHEMA", "RECORD", "SCHEMA", "RECORD", "STATE"]
    assert messages[2]["schema"]["properties"] == {
        "id": {"type": ["null", "integer", "string"]},
        "name": {"type": ["null", "string"]},
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"collector": {"type": "webhook"}}, "type webhook is not read here"),
        ({"collector": {"type": "feed"}}, "urls: Field required"),
        ({}, "collector: Field required"),
        ([], "holds list, expected a JSON object"),
    ],
)
def test_a_configuration_that_is_none_is_told(
    config: Any, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert tap.main(["--config", str(path)]) == 1
    assert expected in capsys.readouterr().err
