"""The rules by which text becomes typed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.services.ingest.column_types import Evidence, convert


def evidence(*blocks: Sequence[str | None]) -> Evidence:
    found = Evidence()
    for block in blocks:
        found.add(pa.array(block, type=pa.string()))
    return found


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([], "string"),
        ([None, None], "string"),
        (["1", "-2", "+3", None], "integer"),
        (["0", "-0", "10"], "integer"),
        (["007", "8"], "string"),
        (["-01"], "string"),
        (["00.5", "1"], "number"),
        (["1", "2.5", ".5", "1.", "1e5", "1E-3"], "number"),
        (["1", "inf", "-Infinity", "1e400"], "number"),
        (["9223372036854775807"], "integer"),
        (["9223372036854775808"], "number"),
        (["0x1F", "2"], "string"),
        (["1_000"], "string"),
        (["1,5"], "number"),
        (["1,5", "1.5"], "string"),
        (["$1,234.50", "$7", "-$0.5", "($1,000)", "12"], "number"),
        (["$5", "€5"], "string"),
        (["12.5%", "3 %"], "number"),
        (["12.5%", "3"], "string"),
        (["999", "1,000", "12,345,678"], "number"),
        (["0.5", "1.000,5"], "string"),
        (["1 234 kr", "12 kr"], "number"),
        (["1,23,456"], "string"),
        (["1.2.3", "2.0.0"], "string"),
        (["3.11.7", "3.12.1"], "string"),
        (["SKU 100", "SKU 200"], "string"),
        (["١٢"], "string"),
        (["true", "FALSE", None], "boolean"),
        (["true", "1"], "string"),
        (["yes", "no"], "string"),
        (["2026-01-31", "2026-02-28 12:30", "2026-02-28T12:30:15.25"], "datetime"),
        (["2026-01-31T00:00:00Z", "2026-01-31T00:00:00+02:00"], "datetime"),
        (["2026-01-31T00:00:00Z", "2026-01-31"], "string"),
        (["2026-02-30"], "string"),
        (["0000-01-01"], "string"),
        (["9999-12-31", "0001-01-01"], "datetime"),
        (["1949-01", "1949-12"], "datetime"),
        (["31.12.2026", "1.2.2026"], "datetime"),
        (["12/31/2026"], "datetime"),
        (["12/31/26", "1/2/99"], "datetime"),
        (["31-Dec-2026"], "datetime"),
        (["20261231"], "integer"),
        (["red", "1"], "string"),
    ],
)
def test_the_type_follows_from_all_cells(cells: list[str | None], expected: str) -> None:
    assert evidence(cells).resolve() == expected
    assert evidence(*[[cell] for cell in cells]).resolve() == expected


def test_few_bad_cells_among_many_numbers_do_not_make_text() -> None:
    assert evidence(["1"] * 99 + ["x"]).resolve() is ColumnType.INTEGER
    assert evidence(["1.5"] * 98 + ["x", "y"]).resolve() is ColumnType.STRING
    assert evidence(["1"] * 98 + ["x"]).resolve() is ColumnType.STRING


def test_evidence_of_two_files_merges() -> None:
    whole, part, text = evidence(["1"] * 50), evidence(["2.5"]), evidence(["x"])
    assert whole.merge(part).resolve() is ColumnType.NUMBER
    assert whole.merge(text).resolve() is ColumnType.STRING
    assert whole.merge(evidence([None])).resolve() is ColumnType.INTEGER
    iso, zoned = evidence(["2026-01-01"]), evidence(["2026-01-01T00:00Z"])
    assert iso.merge(iso).resolve() is ColumnType.DATETIME
    assert iso.merge(zoned).resolve() is ColumnType.STRING


def test_a_column_of_text_is_settled_early_and_stays_text() -> None:
    found = evidence([f"word {index}" for index in range(2_000)], ["1"] * 100_000)
    assert found.is_text
    assert found.resolve() is ColumnType.STRING


def test_ambiguous_dates_and_big_numbers_warn() -> None:
    assert "month first" in str(evidence(["01/02/2026"]).note("day", ColumnType.DATETIME, "%m/%d/%Y"))
    assert evidence(["13/02/2026", "01/02/2026"]).note("day", ColumnType.DATETIME, "%d/%m/%Y") is None
    assert "64 bits" in str(evidence(["9223372036854775808"]).warning("id"))


@pytest.mark.parametrize(
    ("column_type", "cells", "values", "bad"),
    [
        ("integer", ["1", "+2", "007", "0x1F", "1.0", "", None], [1, 2, 7, None, None, None, None], [3, 4, 5]),
        ("integer", ["9223372036854775807", "9223372036854775808"], [2**63 - 1, None], [1]),
        ("number", ["1", "+2.5", "x", "nan", "inf", "1e400", "-0.0", None], [1, 2.5] + [None] * 4 + [0, None], [2]),
        ("boolean", ["TRUE", "false", "1", None], [True, False, None, None], [2]),
        ("string", ["", "x", None], ["", "x", None], []),
        (
            "datetime",
            ["2026-01-02", "2026-01-02T03:04:05.5", "2026-01-02T03:00:00+02:00", "2026-13-01", "0000-01-01", None],
            [
                datetime(2026, 1, 2, tzinfo=UTC),
                datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC),
                datetime(2026, 1, 2, 1, tzinfo=UTC),
                None,
                None,
                None,
            ],
            [3, 4],
        ),
        (
            "datetime",
            ["31/12/99", "1/2/2026", "1/2/0999"],
            [datetime(1999, 12, 31, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), None],
            [2],
        ),
    ],
)
def test_cells_are_converted_or_bad(
    column_type: str, cells: list[str | None], values: list[Any], bad: list[int]
) -> None:
    converted = convert(pa.array(cells, type=pa.string()), ColumnType(column_type))
    assert converted.values.to_pylist() == values
    is_bad = [] if converted.is_bad is None else converted.is_bad.to_pylist()
    assert [index for index, flag in enumerate(is_bad) if flag] == bad


def test_infinities_are_counted_and_zero_has_no_sign() -> None:
    converted = convert(pa.array(["inf", "-inf", "1e999", "-0"]), ColumnType.NUMBER)
    assert converted.num_infinite == 3
    assert str(converted.values[3].as_py()) == "0.0"


@pytest.mark.parametrize(
    ("cells", "written", "values"),
    [
        (["$1,234.50", "-$7", "($1,000)", "12", None], "$1,234.5", [1234.5, -7, -1000, 12, None]),
        (["1.234,50 €", "7€", ",5"], "1.234,5€", [1234.5, 7, 0.5]),
        (["12.5%", "-3 %"], "1,234.5%", [12.5, -3]),
        (["Fr. 1'200.50", "Fr.5"], "Fr.1'234.5", [1200.5, 5]),
        (["1 234", "12\u00a0345"], "1 234.5", [1234, 12345]),
    ],
)
def test_numbers_as_people_write_them(cells: list[str | None], written: str, values: list[float | None]) -> None:
    found = evidence(cells[:1], cells[1:])
    assert found.written(ColumnType.NUMBER)[0] == written
    converted = convert(pa.array(cells), ColumnType.NUMBER, found.written(ColumnType.NUMBER))
    assert converted.values.to_pylist() == values
    assert converted.is_bad is None
    assert repr(cells[0]) in str(found.note("price", ColumnType.NUMBER, written))


def test_files_that_write_numbers_in_different_forms_share_none() -> None:
    assert evidence(["1,234.5"]).merge(evidence(["1.234,5"])).resolve() == "string"
    assert evidence(["0.5"]).merge(evidence(["1.234,5"])).resolve() == "string"
    assert evidence(["12"]).merge(evidence(["1.234,5"])).resolve() == "number"
    assert evidence(["true"]).merge(evidence(["$1"])).resolve() == "string"
