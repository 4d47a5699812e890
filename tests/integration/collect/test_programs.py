"""Collectors that are programs: in Python, in shell, in JavaScript; Singer's own streams; and what goes wrong."""

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import singer_sdk

from aimass.packing import packed
from aimass_core.domain import keys
from aimass_core.domain.sources import SourceUpdate, dataset_name
from aimass_core.errors import InvalidDataError
from aimass_core.services import sources
from batch_jobs.collect.errors import TooMuchError
from batch_jobs.runtime.failures import UserCodeError
from tests.unit.batch_jobs.collect.scene import FEED, SourceScene

CANARY = "canary-7f3a9c-secret"
STREAMS = Path(singer_sdk.__file__).parent / "testing" / "target_test_streams"


def publish(tmp_path: Path, files: dict[str, str], collector: dict[str, Any], **policy: Any) -> SourceScene:
    """A source of a packed folder."""
    scene = SourceScene(tmp_path, FEED, **policy)
    folder = tmp_path / f"package-{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    with packed(folder, entry_point=next(iter(files))) as path:
        body = path.read_bytes()
    sha256 = hashlib.sha256(body).hexdigest()
    scene.ports.lake.put(keys.job_source(scene.principal.workspace_id, sha256), body)
    request = SourceUpdate.model_validate({"collector": {"package": sha256, **collector}})
    sources.update(scene.ports, scene.principal, scene.source_id, request, revision=scene.record.revision)
    return scene


PYTHON = """
import sys
from aimass.collect import Collector, Run, stream

class Shop(Collector):
    @stream(primary_key="id", cursor="id")
    def orders(self, run: Run):
        print("not a message, and a secret:", self.config["token"])
        start = run.start(0)
        for number in range(start, start + 3):
            yield {"id": number, "user": {"name": "Ann"}}

    @stream(columns={"code": "string"})
    def codes(self, run: Run):
        page = run.state.get("page", 0)
        yield {"code": "1", "page": page}
        run.save(page=page + 1)
"""


def test_a_python_collector_goes_on_where_it_ended(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    config = {"token": {"secret": "TOKEN"}}
    scene = publish(
        tmp_path, {"shop.py": PYTHON}, {"type": "python", "entry_point": "shop:Shop", "config": config}, mode="append"
    )
    scene.put_secret("TOKEN", CANARY)
    for _ in range(2):
        scene.collect()
    assert [row["id"] for row in scene.data("shop-orders")] == [0, 1, 2, 2, 3, 4]
    assert [(row["code"], row["page"]) for row in scene.data("shop-codes")] == [("1", 0), ("1", 1)]
    state = {"codes": {"page": 2}, "orders": {"cursor": 4}}
    assert scene.state.collector == {"singer": {"bookmarks": state}}
    # B11: what it printed went to the log, without the secret.
    log = "".join(capfd.readouterr())
    assert "not a message, and a secret: [redacted]" in log
    assert CANARY not in log
    scene.collect(streams=["codes"])
    assert len(scene.data("shop-orders")) == 6


TAP = """
echo '{"type": "SCHEMA", "stream": "items", "schema": {"properties": {}}, "key_properties": ["id"]}'
echo '{"type": "RECORD", "stream": "items", "record": {"id": 1}}'
echo "arguments: $1 $(basename $2) $3" >&2
echo '{"type": "STATE", "value": {"bookmarks": {"items": 1}}}'
"""
NODE = """
for (const id of [1, 2]) console.log(JSON.stringify({type: "RECORD", stream: "items", record: {id, from: "node"}}))
"""


def test_a_shell_script_is_a_collector(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scene = publish(tmp_path, {"tap.sh": TAP}, {"type": "singer", "command": ["sh", "tap.sh"]})
    scene.collect()
    scene.collect()
    assert [row["id"] for row in scene.data("shop-items")] == [1, 1]
    out = capfd.readouterr().out
    assert "arguments: --config config.json \narguments: --config config.json --state" in out.replace("\r", "")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_a_program_in_another_language_is_a_collector(tmp_path: Path) -> None:
    scene = publish(tmp_path, {"tap.js": NODE}, {"type": "singer", "command": ["node", "tap.js"]})
    scene.collect()
    assert scene.data("shop-items") == [{"id": 1, "from": "node"}, {"id": 2, "from": "node"}]


def test_airbyte_messages_keep_a_state_for_each_stream(tmp_path: Path) -> None:
    lines = [
        {"type": "LOG", "log": {"level": "INFO", "message": "hello"}},
        {"type": "RECORD", "record": {"stream": "a", "data": {"id": 1}, "emitted_at": 1}},
        {
            "type": "STATE",
            "state": {"type": "STREAM", "stream": {"stream_descriptor": {"name": "a"}, "stream_state": {"at": 1}}},
        },
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    command = ["sh", "-c", 'cat lines.jsonl; test -z "$4" || cat "$4" >&2', "sh"]
    scene = publish(tmp_path, {"lines.jsonl": text}, {"type": "singer", "command": command})
    scene.collect()
    assert scene.state.collector == {"airbyte": {"a": {"at": 1}}}
    assert scene.reports.messages == ["hello"]
    scene.collect()


@pytest.mark.parametrize("path", sorted(STREAMS.glob("*.singer")), ids=lambda path: path.stem)
def test_the_test_streams_of_singer_sdk_come_in(path: Path, tmp_path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    records = [line for line in found if line["type"] == "RECORD"]
    scene = publish(
        tmp_path, {"lines": path.read_text("utf-8")}, {"type": "singer", "command": ["sh", "-c", "cat lines"]}
    )
    for stream in {line["stream"] for line in records}:
        scene.allow_bad_rows(dataset_name(scene.record, stream))
    if path.stem == "record_missing_key_property":
        with pytest.raises(InvalidDataError, match="The primary key has no value"):
            scene.collect()
        return
    metrics = scene.collect()
    assert (metrics["num_rows"], metrics["num_quarantined"]) == (len(records), 0)
    names = {dataset_name(scene.record, line["stream"]) for line in records}
    assert sum(len(scene.data(name)) for name in names) == len(records)


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("echo hello", InvalidDataError, "is no JSON"),
        ("echo 'it broke' >&2; exit 3", UserCodeError, "ended with exit code 3: it broke"),
        ('echo \'{"type": "TRACE", "trace": {"error": {"message": "no rows"}}}\'', UserCodeError, "says: no rows"),
        ("kill -9 $$", UserCodeError, "exit code 137"),
    ],
)
def test_a_program_that_fails_leaves_nothing(tmp_path: Path, script: str, error: type[Exception], words: str) -> None:
    record = """echo '{"type": "RECORD", "stream": "items", "record": {"id": 1}}'\n"""
    scene = publish(tmp_path, {"tap.sh": record + script}, {"type": "singer", "command": ["sh", "tap.sh"]})
    with pytest.raises(error) as caught:
        scene.collect()
    assert words in str(caught.value)
    assert scene.state.collector == {}
    with pytest.raises(Exception, match="no dataset named"):
        scene.dataset_named("shop-items")


def test_a_program_that_goes_on_for_ever_ends_at_its_last_state(tmp_path: Path) -> None:
    program = """
import itertools, json, sys
state = 0
if "--state" in sys.argv:
    state = json.load(open(sys.argv[sys.argv.index("--state") + 1]))["bookmarks"]["n"]["id"]
for number in itertools.count(state + 1):
    print(json.dumps({"type": "RECORD", "stream": "n", "record": {"id": number}}))
    if number % 10 == 0:
        print(json.dumps({"type": "STATE", "value": {"bookmarks": {"n": {"id": number}}}}))
"""
    scene = publish(
        tmp_path, {"tap.py": program}, {"type": "singer", "command": [sys.executable, "tap.py"]}, max_rows_per_run=25
    )
    scene.collect()
    scene.collect()
    assert [row["id"] for row in scene.data("shop-n")] == list(range(1, 41))
    assert "the next run goes on there" in scene.reports.messages[-1]


def test_a_program_without_a_state_cannot_be_cut(tmp_path: Path) -> None:
    script = """while true; do echo '{"type": "RECORD", "stream": "n", "record": {"id": 1}}'; done"""
    scene = publish(tmp_path, {"tap.sh": script}, {"type": "singer", "command": ["sh", "tap.sh"]}, max_rows_per_run=25)
    with pytest.raises(TooMuchError):
        scene.collect()


def test_a_program_sees_no_credentials_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    program = "import json, os\nprint(json.dumps({'type': 'RECORD', 'stream': 'v', 'record': dict(os.environ)}))"
    scene = publish(tmp_path, {"tap.py": program}, {"type": "singer", "command": [sys.executable, "tap.py"]})
    scene.collect()
    [row] = scene.data("shop-v")
    assert not [name for name in row if name.startswith(("AWS_", "AIMASS_"))]
