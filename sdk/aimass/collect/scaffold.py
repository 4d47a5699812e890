"""A new collector's folder: a stream that works, its settings, its test."""

import re
from pathlib import Path

from aimass_core.errors import AlreadyExistsError, InvalidRequestError

_NAME = re.compile(r"^[a-z][a-z0-9-]{0,62}$")

_MODULE = '''"""Collects {name}."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

from aimass.collect import Run, stream


@stream(primary_key="id", cursor="updated_at")
def {stream}(run: Run) -> Iterator[dict[str, Any]]:
    """One record for each item that was updated since the last run."""
    since = run.start("2000-01-01T00:00:00Z")
    for item in fetch(run.config["url"]):
        if item["updated_at"] > since:
            yield item


def fetch(url: str) -> list[dict[str, Any]]:
    """The items that the address answers. NOTE: an example; take the library of your choice."""
    if not url:
        return [
            {{"id": 1, "name": "Ann", "amount": 12.5, "updated_at": "2026-01-01T10:00:00Z"}},
            {{"id": 2, "name": "Bob", "amount": 7.0, "updated_at": "2026-01-02T10:00:00Z"}},
        ]
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)
'''

_TEST = '''"""Tests of the collector: it is a function, so call it."""

from aimass.collect import Run
from {module} import {stream}


def run(**state: str) -> Run:
    return Run(config={{"url": ""}}, state=state, on_save=lambda _state: None)


def test_every_record_has_its_key_and_its_cursor() -> None:
    records = list({stream}(run()))
    assert records
    assert all(record["id"] and record["updated_at"] for record in records)


def test_a_later_run_brings_only_what_is_new() -> None:
    last = max(record["updated_at"] for record in {stream}(run()))
    assert list({stream}(run(cursor=last))) == []
'''

_SETTINGS = """# What `aimass collectors publish` sends. docs/COLLECTION.md tells what a policy can say.
description: Collects {name}.
collector:
  type: python
  entry_point: {module}:{stream}
  config:
    url: ""
    # A secret is named, never written here: {{secret: API_TOKEN}}
policy:
  # schedule: rate(1 hour)
  mode: merge
  primary_key: [id]
"""

_SINGER_SETTINGS = """# What `aimass collectors publish` sends. docs/COLLECTION.md tells what a policy can say.
description: Collects {name}.
collector:
  type: singer
  command: [sh, tap.sh]
  config: {{}}
policy:
  # schedule: rate(1 hour)
  mode: merge
  primary_key: [id]
"""

_TAP = """#!/bin/sh
# Any program can be a collector: it writes Singer messages to standard output, all else to standard error.
echo '{"type": "SCHEMA", "stream": "items", "schema": {"properties": {}}, "key_properties": ["id"]}'
echo '{"type": "RECORD", "stream": "items", "record": {"id": 1, "name": "Ann"}}'
echo '{"type": "RECORD", "stream": "items", "record": {"id": 2, "name": "Bob"}}'
echo '{"type": "STATE", "value": {"bookmarks": {"items": {"id": 2}}}}'
"""


def make(name: str, parent: Path, *, singer: bool = False) -> list[Path]:
    """Writes the folder and returns its files. Raises AlreadyExistsError or InvalidRequestError."""
    if not _NAME.match(name):
        raise InvalidRequestError(f"{name!r} is no name for a source: small letters, digits and -, such as my-source.")
    folder = parent / name
    if folder.exists():
        raise AlreadyExistsError(f"{folder} is there already. Name another one, or delete it.")
    words = {"name": name, "module": name.replace("-", "_"), "stream": "items"}
    files = (
        {"tap.sh": _TAP, "source.yaml": _SINGER_SETTINGS.format(**words)}
        if singer
        else {
            f"{words['module']}.py": _MODULE.format(**words),
            "source.yaml": _SETTINGS.format(**words),
            f"tests/test_{words['module']}.py": _TEST.format(**words),
            "tests/conftest.py": _CONFTEST,
        }
    )
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return [folder / path for path in files]


_CONFTEST = '''"""Lets the tests import the collector."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
'''
