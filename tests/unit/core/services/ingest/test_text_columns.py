"""Cells that are kept typed while they are read are those that the whole column's text becomes afterwards."""

from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aimass_core.domain.datasets import DatasetPolicy
from aimass_core.domain.schemas import ColumnType
from aimass_core.services.ingest import column_types
from aimass_core.services.ingest.text_columns import NotAsBegunError, TextColumn, clean_cells

MISSING = pa.array(DatasetPolicy().missing_values, type=pa.string())

INTEGERS = st.integers(-(2**63), 2**63 - 1).map(str) | st.integers(-100, 100).map(str)
NUMBERS = st.floats(allow_nan=False).map(repr) | st.decimals(-999, 999, places=2).map(str)
DAYS = st.dates().map(str)
ODD = st.sampled_from(
    [
        *("", " ", "NA", "nan", "NaN", "inf", "-Infinity", "1e400", "-0", "-0.0", "+5", "007", "00.5", "5.", ".5"),
        *("0x1F", "0xFFFFFFF", "-0x1", "1e5", "1E3", " 12", "7 ", "\t3", "9223372036854775808", "1_0", "١٢", "true"),
        *("2026-01-31T00:00:00Z", "01/02/2026", "31/12/2026", "12/31/2026", "2026-02-30", "red", "[1, 2]", "-"),
    ]
)
BLOCKS = st.one_of(
    st.lists(st.lists(cells, min_size=1, max_size=12), min_size=1, max_size=4)
    for cells in (INTEGERS, NUMBERS, DAYS, INTEGERS | NUMBERS, INTEGERS | ODD, NUMBERS | ODD, DAYS | ODD, ODD)
)


def begin(*, wanted: ColumnType | None = None, keeps_text: bool = False, may_be_plain: bool = True) -> TextColumn:
    return TextColumn(
        missing=MISSING, has_decimal_comma=False, wanted=wanted, keeps_text=keeps_text, may_be_plain=may_be_plain
    )


def read(column: TextColumn, blocks: Sequence[Sequence[str]]) -> pa.ChunkedArray:
    return pa.chunked_array([column.take(pa.array(block, type=pa.string())) for block in blocks])


@given(BLOCKS)
@example([["1"], ["0xFFFFFFF"]])
@example([["1"], ["-0"], ["-0.0"]])
@example([["1.5"], ["nan"], ["2"]])
@example([["01/02/2026"], ["31/12/2026"]])
@example([["1.5"], ["9007199254740993"]])
def test_what_is_kept_is_what_the_text_becomes(blocks: list[list[str]]) -> None:
    column, as_text = begin(), begin(keeps_text=True)
    text = read(as_text, blocks)
    try:
        kept = read(column, blocks)
    except NotAsBegunError:
        return
    assert column.evidence == as_text.evidence
    if kept.type == pa.string():
        assert kept.equals(text)
        return
    found = as_text.evidence.resolve()
    expected = column_types.convert(text.combine_chunks(), found, as_text.evidence.formats or ())
    assert expected.is_bad is None
    assert column_types.to_normal_form(kept.combine_chunks(), found).values.equals(expected.values)


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([["1", "-2"], ["", "30"]], pa.int64()),
        ([["1.5", "nan"], ["7"]], pa.float64()),
        ([["2026-01-31"], ["NA"]], pa.timestamp("us", tz="UTC")),
        ([["007"], ["8"]], pa.string()),
        ([["true"]], pa.string()),
    ],
)
def test_numbers_and_times_are_kept_as_such(blocks: list[list[str]], expected: pa.DataType) -> None:
    assert read(begin(), blocks).type == expected


@pytest.mark.parametrize("later", ["red", "007", "0x1F", "1.5", "9223372036854775808"])
def test_a_block_of_another_type_is_told(later: str) -> None:
    with pytest.raises(NotAsBegunError):
        read(begin(), [["1", "2"], [later]])


def test_dates_stay_text_while_they_fit_month_and_day_first() -> None:
    assert read(begin(), [["01/02/2026"], ["31/12/2026"]]).type == pa.string()
    assert read(begin(), [["31/12/2026"], ["01/02/2026"]]).type == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ColumnType.INTEGER, pa.int64()),
        (ColumnType.NUMBER, pa.float64()),
        (ColumnType.STRING, pa.string()),
        (ColumnType.DATETIME, pa.string()),
    ],
)
def test_the_type_of_the_former_version_decides(wanted: ColumnType, expected: pa.DataType) -> None:
    assert read(begin(wanted=wanted), [["1", "2"], ["3"]]).type == expected


def test_a_number_that_means_no_value_is_missing() -> None:
    column = TextColumn(
        missing=pa.array(["-999"]), has_decimal_comma=False, wanted=None, keeps_text=False, may_be_plain=False
    )

    assert read(column, [["1"], ["-999", "2"]]).to_pylist() == [1, None, 2]


def test_clean_cells_trims_and_finds_gaps() -> None:
    assert clean_cells(pa.array([" a ", "NA", ""]), MISSING).to_pylist() == ["a", None, None]
