"""Which columns are learned from."""

from pathlib import Path
from typing import Any

import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.features import choose_features, has_only_texts
from tests.unit.batch_jobs.channel_files import build_channel

ROWS = 60
GOOD: tuple[ColumnType, list[Any]] = (ColumnType.NUMBER, [n / 7 for n in range(ROWS)])
TARGET: tuple[ColumnType, list[Any]] = (ColumnType.STRING, ["a", "b"] * (ROWS // 2))


def _choose(path: Path, columns: dict[str, Any], exclude: list[str] | None = None) -> tuple[list[str], list[str]]:
    messages: list[str] = []
    channel = build_channel(path, columns | {"y": TARGET})
    kept = choose_features(channel, target="y", exclude=exclude or [], message=messages.append)
    return [column.name for column in kept], messages


@pytest.mark.parametrize(
    ("name", "column", "reason"),
    [
        ("c", (ColumnType.NUMBER, [3.5] * ROWS), "it always is 3.5"),
        ("c", (ColumnType.STRING, [None] * ROWS), "it has no values"),
        ("c", (ColumnType.STRING, [f"customer {n}" for n in range(ROWS)]), "60 different values in 60 rows"),
        ("PassengerId", (ColumnType.INTEGER, [*range(ROWS)]), "it numbers the rows"),
        ("row_id", (ColumnType.INTEGER, [*range(ROWS)]), "it numbers the rows"),
    ],
)
def test_columns_that_say_nothing_are_left_out_with_the_reason(
    tmp_path: Path, name: str, column: tuple[ColumnType, list[Any]], reason: str
) -> None:
    kept, messages = _choose(tmp_path, {"good": GOOD, name: column})
    assert kept == ["good"]
    assert any(repr(name) in text and reason in text for text in messages)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("c", (ColumnType.STRING, [None if n % 2 else "yes" for n in range(ROWS)])),
        ("humid", (ColumnType.INTEGER, [*range(ROWS)])),
        ("day", (ColumnType.INTEGER, [*range(ROWS)])),
        ("c", (ColumnType.STRING, [f"town {n % 20}" for n in range(ROWS)])),
    ],
)
def test_columns_that_may_say_something_stay(tmp_path: Path, name: str, column: tuple[ColumnType, list[Any]]) -> None:
    kept, messages = _choose(tmp_path, {"good": GOOD, name: column})
    assert kept == ["good", name]
    assert not messages


def test_free_text_is_kept_for_its_common_words(tmp_path: Path) -> None:
    names = [f"{'Miss' if row % 3 else 'Dr'} n{row}" for row in range(ROWS)]
    kept, messages = _choose(tmp_path, {"good": GOOD, "name": (ColumnType.STRING, names)})
    assert kept == ["good", "name"]
    assert messages == ["free text: which common words a row has in 'name' is learned from"]


def test_a_table_of_nothing_but_free_text_has_only_texts(tmp_path: Path) -> None:
    names = (ColumnType.STRING, [f"{'Miss' if row % 3 else 'Dr'} n{row}" for row in range(ROWS)])
    for name, columns, is_so in (("texts", {}, True), ("more", {"good": GOOD}, False)):
        channel = build_channel(tmp_path / name, {"name": names, "y": TARGET, **columns})
        assert has_only_texts(channel, target="y", exclude=[]) is is_so


def test_no_feature_beside_the_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="no usable feature column beside the target 'y'"):
        _choose(tmp_path, {"good": GOOD}, exclude=["good"])


def test_excluding_a_column_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match="names \\['god'\\]"):
        _choose(tmp_path, {"good": GOOD}, exclude=["god"])
