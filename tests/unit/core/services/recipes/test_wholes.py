"""Steps that look at all rows before they change one."""

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aimass_core.errors import InvalidDataError
from tests.unit.core.services.recipes.kitchen import Dish, cook, to_source

IDS = {"id": "integer", "v": "integer"}


def test_dedupe_leaves_the_first_or_the_last_of_equal_rows(tmp_path: Path) -> None:
    rows = [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}, {"k": 1, "v": "c"}, {"k": 1, "v": "a"}, {"k": None, "v": "d"}]
    for name, step, left in (
        ("all", {}, ["a", "b", "c", "d"]),
        ("first", {"columns": ["k"]}, ["a", "b", "d"]),
        ("last", {"columns": ["k"], "keep": "last"}, ["b", "a", "d"]),
        ("newest", {"columns": ["k"], "keep": "last", "order_by": "v"}, ["b", "c", "d"]),
    ):
        folder = tmp_path / name
        dish = cook(folder, to_source(folder / "data", rows, k="integer", v="string"), {"do": "dedupe", **step})
        assert dish.column("v") == left
        assert dish.counts == [(5, len(left), 0, 0)]


def test_near_duplicates_are_found_by_their_shingles(tmp_path: Path) -> None:
    rng = random.Random(3)
    texts = [" ".join("".join(rng.choices("abcdefgh", k=6)) for _ in range(12)) for _ in range(300)]
    near = [f"{text[:-1]}z" for text in texts[:100]]
    far = [" ".join(text.split()[6:] + text.split()[:2]) for text in texts[:100]]
    rows = [{"t": text, "n": index} for index, text in enumerate([*texts, *near, *far, "abc", "abc", None])]
    data = to_source(tmp_path / "data", rows, num_files=2, t="string", n="integer")
    dish = cook(tmp_path, data, {"do": "dedupe_near", "columns": ["t"], "threshold": 0.9})
    left = set(dish.column("n"))
    assert left >= set(range(300)) | set(range(400, 503))
    assert len(left & set(range(300, 400))) <= 3


def test_what_is_alike_by_way_of_others_counts_as_alike(tmp_path: Path) -> None:
    base = "the quick brown fox jumps over the lazy dog and runs away from the farm"
    rows = [
        {"t": base},
        {"t": f"{base} again"},
        {"t": f"{base} again today"},
        {"t": "something else altogether, really"},
    ]
    dish = cook(tmp_path, to_source(tmp_path / "data", rows, t="string"), {"do": "dedupe_near", "columns": ["t"]})
    assert dish.column("t") == [base, "something else altogether, really"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"action": "clip"}, [1, 2, 3, 4, 5, 8]),
        ({"action": "missing"}, [1, 2, 3, 4, 5, None]),
        ({"action": "drop"}, [1, 2, 3, 4, 5]),
        ({"method": "quantile", "factor": 0.2, "action": "clip"}, [2, 2, 3, 4, 5, 5]),
        ({"method": "zscore", "factor": 3}, [1, 2, 3, 4, 5, 1000]),
    ],
)
def test_outliers_are_brought_to_the_bounds_or_left_out(
    tmp_path: Path, step: dict[str, Any], expected: list[Any]
) -> None:
    rows = [{"v": value} for value in (1, 2, 3, 4, 5, 1000)]
    dish = cook(tmp_path, to_source(tmp_path / "data", rows, v="integer"), {"do": "outliers", **step})
    assert dish.column("v") == expected


def test_bounds_of_outliers_are_noted_and_rows_can_be_kept_apart(tmp_path: Path) -> None:
    rows = [{"v": float(value)} for value in (1, 2, 3, 4, 5, 1000)]
    dish = cook(tmp_path, to_source(tmp_path / "data", rows, v="number"), {"do": "outliers", "action": "quarantine"})
    assert dish.reports[0].notes == ["v: -1.5 to 8.5"]
    assert [(row.line, row.column) for row in dish.kept] == [(6, "v")]


@pytest.mark.parametrize(
    ("step", "numbers", "words"),
    [
        ({"strategy": "mean"}, [1.0, 2.0, 3.0, 2.0], ["a", "b", "b", None]),
        ({"strategy": "mode"}, [1.0, 1.0, 3.0, 1.0], ["a", "b", "b", "b"]),
        ({"strategy": "constant", "columns": ["w"], "value": "?"}, [1.0, None, 3.0, None], ["a", "b", "b", "?"]),
        ({"strategy": "median", "columns": ["v"]}, [1.0, 2.0, 3.0, 2.0], ["a", "b", "b", None]),
    ],
)
def test_impute_fills_in(tmp_path: Path, step: dict[str, Any], numbers: list[Any], words: list[Any]) -> None:
    rows = [{"v": 1.0, "w": "a"}, {"v": None, "w": "b"}, {"v": 3.0, "w": "b"}, {"v": None, "w": None}]
    dish = cook(tmp_path, to_source(tmp_path / "data", rows, v="number", w="string"), {"do": "impute", **step})
    assert (dish.column("v"), dish.column("w")) == (numbers, words)


def test_impute_says_where_a_value_was_missing_and_refuses_one_that_does_not_fit(tmp_path: Path) -> None:
    data = to_source(tmp_path / "data", [{"v": 1}, {"v": None}], v="integer")
    step = {"do": "impute", "strategy": "constant", "columns": ["v"], "value": 9, "indicator": True}
    assert cook(tmp_path, data, step).rows == [{"v": 1, "v_missing": False}, {"v": 9, "v_missing": True}]
    other = to_source(tmp_path / "other" / "data", [{"v": 1}], v="integer")
    with pytest.raises(InvalidDataError, match="'x' does not fit the column 'v', whose type is integer"):
        cook(tmp_path / "other", other, step | {"value": "x"})


JOIN = {"do": "join", "dataset": "other", "keys": ["id"]}


def join(tmp_path: Path, names: list[tuple[int, str]], *steps: dict[str, Any]) -> Dish:
    data = to_source(tmp_path / "data", [{"id": 2, "v": 1}, {"id": 1, "v": 2}, {"id": 3, "v": 3}], **IDS)
    other = [{"id": number, "n": name} for number, name in names]
    source = to_source(tmp_path / "other", other, label="other@4", id="integer", n="string")
    return cook(tmp_path, data, *steps, join_1=source)


def test_join_looks_up_columns_of_another_dataset(tmp_path: Path) -> None:
    names = [(1, "one"), (2, "two")]
    assert join(tmp_path / "left", names, JOIN | {"prefix": "o_"}).column("o_n") == ["two", "one", None]
    assert join(tmp_path / "inner", names, JOIN | {"how": "inner"}).column("id") == [2, 1]


def test_a_key_with_several_partners_is_refused_unless_a_row_for_each_is_wanted(tmp_path: Path) -> None:
    names = [(1, "a"), (1, "b")]
    with pytest.raises(InvalidDataError, match=r"Step 1 \(join\): id = 1 comes 2 times in other@4.*many: true"):
        join(tmp_path / "one", names, JOIN)
    dish = join(tmp_path / "many", names, JOIN | {"many": True}, {"do": "filter", "where": "n <> 'x'"})
    assert dish.column("n") == ["a", "b"]
    assert [(num_in, num_out) for num_in, num_out, *_ in dish.counts] == [(3, 4), (4, 2)]


def test_samples_are_of_the_size_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    rows = [{"n": index, "g": "ab"[index % 10 == 0]} for index in range(1_000)]

    def draw(name: str, **step: Any) -> list[int]:
        folder = tmp_path / name
        dish = cook(folder, to_source(folder / "data", rows, n="integer", g="string"), {"do": "sample", **step})
        return dish.column("n")

    assert len(draw("exact", num_rows=70)) == 70
    assert 160 < len(draw("share", fraction=0.2)) < 240
    assert draw("one", fraction=0.2, seed=1) == draw("two", fraction=0.2, seed=1) != draw("three", fraction=0.2, seed=2)
    stratified = draw("strata", fraction=0.1, by=["g"])
    assert len([n for n in stratified if n % 10 == 0]) == 10
    assert len(stratified) == 100


def split(tmp_path: Path, rows: list[dict[str, Any]], **step: Any) -> dict[str, list[dict[str, Any]]]:
    data = to_source(tmp_path / "data", rows, n="integer", g="string", t="datetime")
    return cook(tmp_path, data, {"do": "split", "parts": {"train": 0.7, "test": 0.3}, **step}).parts


@pytest.fixture
def dated() -> list[dict[str, Any]]:
    start = datetime.fromisoformat("2024-01-01T00:00:00+00:00")
    return [{"n": index, "g": f"g{index % 50}", "t": start + timedelta(days=(index * 7) % 200)} for index in range(400)]


def test_a_split_by_time_puts_the_earliest_first_and_parts_no_moment(
    tmp_path: Path, dated: list[dict[str, Any]]
) -> None:
    parts = split(tmp_path, dated, by="time", column="t")
    assert max(row["t"] for row in parts["train"]) < min(row["t"] for row in parts["test"])
    assert abs(len(parts["train"]) - 280) <= 2


def test_a_split_by_group_parts_no_group(tmp_path: Path, dated: list[dict[str, Any]]) -> None:
    parts = split(tmp_path, dated, by="group", column="g")
    groups = {name: {row["g"] for row in rows} for name, rows in parts.items()}
    assert groups["train"] & groups["test"] == set()
    assert len(groups["train"]) + len(groups["test"]) == 50
    assert len(groups["test"]) > 5


def test_a_split_by_stratum_gives_each_the_same_shares(tmp_path: Path) -> None:
    rows = [{"n": index, "g": "rare" if index % 20 == 0 else "common", "t": None} for index in range(400)]
    parts = split(tmp_path, rows, by="stratum", column="g")
    assert [row["g"] for row in parts["train"]].count("rare") == 14
    assert [row["g"] for row in parts["test"]].count("rare") == 6


def test_a_random_split_loses_no_row(tmp_path: Path, dated: list[dict[str, Any]]) -> None:
    parts = split(tmp_path, dated)
    assert sorted(row["n"] for rows in parts.values() for row in rows) == list(range(400))
    assert 90 < len(parts["test"]) < 150
