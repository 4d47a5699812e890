"""Collectors in Python: what a stream yields becomes messages, and its state goes on."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aimass.collect import Collector, Run, stream
from aimass.collect.emitting import emit_all, load
from aimass_core.errors import InvalidDataError, InvalidRequestError


def emit(found: Any, *, state: Any = None, only: tuple[str, ...] = (), config: Any = None) -> list[dict[str, Any]]:
    lines: list[str] = []
    emit_all(found, config=config or {}, state=state or {}, only=only, emit=lines.append)
    return [json.loads(line) for line in lines]


@stream(primary_key="id", cursor="at", columns={"id": "integer"})
def orders(run: Run) -> Iterator[dict[str, Any]]:
    for number, day in enumerate((3, 1, 2)):
        if (at := datetime(2026, 1, day, tzinfo=UTC)).isoformat() > run.start(""):
            yield {"id": number, "at": at, "price": Decimal("1.50")}


def test_a_function_says_its_schema_its_records_and_its_state() -> None:
    messages = emit(orders)
    assert messages[0] == {
        "type": "SCHEMA",
        "stream": "orders",
        "schema": {"type": "object", "properties": {"id": {"type": ["null", "integer"]}}},
        "key_properties": ["id"],
    }
    assert messages[1]["record"] == {"id": 0, "at": "2026-01-03T00:00:00+00:00", "price": 1.5}
    state = {"bookmarks": {"orders": {"cursor": "2026-01-03T00:00:00+00:00"}}}
    assert messages[-1] == {"type": "STATE", "value": state}
    again = emit(orders, state=state)
    assert [message["type"] for message in again] == ["SCHEMA", "STATE"]
    assert again[-1]["value"] == state


class Shop(Collector):
    @stream(name="pages")
    def read_pages(self, run: Run) -> Iterator[dict[str, Any]]:
        for page in range(run.state.get("page", 0), 2):
            yield {"page": page, "token": self.config["token"]}
            run.save(page=page + 1)

    @stream()
    def others(self, run: Run) -> Iterator[dict[str, Any]]:
        yield {"day": date(2026, 1, 1), "tags": ("a", "b")}


def test_a_class_shares_its_configuration_and_saves_on_the_way() -> None:
    messages = emit(Shop, config={"token": "t"}, only=("pages",))
    states = [message["value"]["bookmarks"]["pages"] for message in messages if message["type"] == "STATE"]
    assert states == [{"page": 1}, {"page": 2}, {"page": 2}]
    assert messages[1]["record"] == {"page": 0, "token": "t"}
    others = emit(Shop, config={"token": "t"}, only=("others",), state={"bookmarks": {"pages": {"page": 1}}})
    assert others[1]["record"] == {"day": "2026-01-01", "tags": ["a", "b"]}
    # What the others have saved stays.
    assert others[-1]["value"]["bookmarks"] == {"pages": {"page": 1}, "others": {}}


@pytest.mark.parametrize(
    ("record", "words"),
    [([1], "yielded list instead of a mapping"), ({"x": object()}, "what JSON cannot hold")],
)
def test_what_is_no_record_is_named(record: Any, words: str) -> None:
    def bad(run: Run) -> Iterator[Any]:
        yield record

    with pytest.raises(InvalidDataError, match=words):
        emit(bad)


def test_a_cursor_that_changes_its_type_is_named() -> None:
    @stream(cursor="id")
    def mixed(run: Run) -> Iterator[dict[str, Any]]:
        yield {"id": 1}
        yield {"id": "x"}

    with pytest.raises(InvalidDataError, match="the cursor 'id' is 'x' after 1"):
        emit(mixed)


def test_entry_points_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine_here.py").write_text("value = 1\nclass Empty: \n    def __init__(self, config): pass\n")
    for entry_point, words in (
        ("x", "is no entry point"),
        ("no_module_of_that_name:a", "There is no module"),
        ("mine_here:b", "has no 'b'"),
    ):
        with pytest.raises(InvalidRequestError, match=words):
            load(entry_point)
    with pytest.raises(InvalidRequestError, match="is neither a function"):
        emit(load("mine_here:value"))
    with pytest.raises(InvalidRequestError, match="has no stream"):
        emit(load("mine_here:Empty"))
    with pytest.raises(InvalidRequestError, match="are no types"):
        stream(columns={"a": "text"})
