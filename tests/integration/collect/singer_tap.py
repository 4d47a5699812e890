"""singer-sdk's tests of a tap, on ours: a thin tap of the SDK's that hands on what `tap-aimass` says.

Run in a process of its own by `test_tap.py`, which names the configuration; it is discovered when it is imported.
"""

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from singer_sdk import Stream, Tap
from singer_sdk import typing as th
from singer_sdk.testing import get_tap_test_class

CONFIG = json.loads(os.environ.get("TAP_CONFIG", "{}"))


@functools.cache
def run(*arguments: str, catalog: str | None = None) -> str:
    """What the tap says to this: the SDK asks dozens of times, and the source always answers the same."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(CONFIG))
        if catalog is not None:
            (Path(folder) / "catalog.json").write_text(catalog)
            arguments = (*arguments, "--catalog", str(Path(folder) / "catalog.json"))
        command = [sys.executable, "-m", "batch_jobs.collect.tap", "--config", str(config), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class ReadByUs(Stream):
    """A stream of the catalog."""

    def __init__(self, tap: Tap, entry: dict[str, Any]) -> None:
        super().__init__(tap, schema=entry["schema"], name=entry["stream"])
        self.primary_keys, self.replication_key = entry["key_properties"], entry["replication_key"]

    def get_records(self, context: Any) -> Iterable[dict[str, Any]]:
        selected = {"tap_stream_id": self.name, "selected": True, "schema": self.schema}
        messages = [json.loads(line) for line in run(catalog=json.dumps({"streams": [selected]})).splitlines()]
        assert messages[0]["type"] == "SCHEMA"
        assert messages[-1]["type"] == "STATE"
        return [message["record"] for message in messages if message["type"] == "RECORD"]


class TapAimass(Tap):
    """`tap-aimass`."""

    name = "tap-aimass"
    config_jsonschema = th.PropertiesList(
        th.Property("collector", th.ObjectType(additional_properties=True), required=True),
        th.Property("policy", th.ObjectType(additional_properties=True)),
    ).to_dict()

    def discover_streams(self) -> list[Stream]:
        return [ReadByUs(self, entry) for entry in json.loads(run("--discover"))["streams"]]


if CONFIG:
    TestTapAimass = get_tap_test_class(TapAimass, config=CONFIG)
