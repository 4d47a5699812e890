"""The quick reader of JSON Lines never differs from the careful one."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimass_core.domain.datasets import DatasetPolicy
from aimass_core.services.ingest import json_lines
from aimass_core.services.ingest.issues import Quarantine
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.reading import Reading

KEYS = st.sampled_from(["a", "b", 'c"', "d\\", "e:", "a.b"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(st.sampled_from('a"\\: é,{}\ud800'), max_size=5),
)
OBJECTS = st.lists(st.tuples(KEYS, VALUES), max_size=4).map(
    lambda pairs: "{" + ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs) + "}"
)
LINES = st.lists(
    OBJECTS | st.sampled_from(["", "1", "{", '{"a": 1}, {"a": 2}', '{"a": -0}', '{"a": 1e400}']), max_size=8
)
CAREFULLY = '{"objects within": {"objects": 1}}'


def read(folder: Path, lines: list[str]) -> tuple[dict[str, list[str | None]], dict[str, bool], list[Any]]:
    """Columns, which of them have texts, and bad rows. The last line is no part of any."""
    path, quarantined = folder / "in.jsonl", folder / "quarantine.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    with Quarantine(quarantined) as quarantine:
        reading = Reading(display_name="in", policy=DatasetPolicy(), quarantine=quarantine, limits=Limits())
        spool = json_lines.spool(path, folder, reading)
    names, batches = spool.names[:-1], list(spool.batches())
    cells = {name: [c for b in batches for c in b.column(str(i)).to_pylist()[:-1]] for i, name in enumerate(names)}
    quoted = {
        name: bool(each.evidence and each.evidence.is_quoted)
        for name, each in zip(names, spool.columns[:-1], strict=True)
    }
    return cells, quoted, quarantined.read_text(encoding="utf-8").splitlines()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES)
def test_both_readers_read_the_same(tmp_path: Path, lines: list[str]) -> None:
    carefully = read(tmp_path, [*lines, CAREFULLY])
    assert read(tmp_path, [*lines, '{"last": 1}']) == carefully


@pytest.mark.parametrize(
    "line",
    ['{"a": 1, "a": 2}', '{"a": "\\"", "a": 2}', '{"a": "\\\\", "b": "\\": ", "a": 1}'],
)
def test_a_key_that_occurs_twice_is_a_bad_row(tmp_path: Path, line: str) -> None:
    cells, _, bad = read(tmp_path, ['{"a": 0}', line, '{"last": 1}'])
    assert cells == {"a": ["0"]}
    assert len(bad) == 1


def test_a_block_without_anything_special_is_read_quickly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "_parse", None)
    cells, quoted, bad = read(tmp_path, ['{"a": 1, "b": "x\\"", "c": true}', '{"b": null, "c": "y"}', '{"last": 1}'])
    assert cells == {"a": ["1", None], "b": ['x"', None], "c": ["true", "y"]}
    assert quoted == {"a": False, "b": True, "c": True}
    assert not bad
