"""Whatever cells a CSV holds, they come back; and the quick reader never differs from the careful one."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimass_core.services.ingest import delimited
from aimass_core.services.ingest.delimited import NeedsCareError, TextBlock
from aimass_core.services.ingest.dialects import Dialect
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.text_files import TextFile, normalize

CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]) | st.sampled_from('",;\n\t '),
    max_size=12,
)
TABLES = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=12)
)
RAW = st.lists(st.sampled_from(["a", "b", '"', ",", "\n", " ", "\r\n", "é", '""', "1"]), max_size=60).map("".join)


def dialect(width: int, delimiter: str = ",") -> Dialect:
    return Dialect(
        delimiter=delimiter,
        has_literal_quotes=False,
        first_line=1,
        has_header=False,
        names=tuple(f"c{index}" for index in range(width)),
        has_decimal_comma=False,
        warnings=(),
    )


def rows_of(blocks: Sequence[TextBlock]) -> list[tuple[int, list[str]]]:
    return [
        (line, [column[index].as_py() for column in block.cells.columns])
        for block in blocks
        for index, line in enumerate(block.lines.to_pylist())
    ]


def normalized(folder: Path, body: bytes) -> TextFile:
    path = folder / "in.csv"
    path.write_bytes(body)
    return normalize(path, folder / "normalized", limits=Limits())


def read_carefully(file: TextFile, found: Dialect) -> tuple[list[tuple[int, list[str]]], list[int]]:
    bad: list[int] = []
    blocks = list(delimited.read_carefully(file, found, on_bad_row=lambda line, _reason, _text: bad.append(line)))
    return rows_of(blocks), bad


@settings(max_examples=200, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=TABLES)
def test_cells_that_were_written_are_read(tmp_path: Path, table: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(table)
    rows, bad = read_carefully(normalized(tmp_path, text.getvalue().encode()), dialect(len(table[0])))
    assert bad == []
    assert [row for _, row in rows] == table


@settings(max_examples=500, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=RAW, width=st.integers(2, 3))
def test_where_the_quick_reader_answers_it_answers_the_same(tmp_path: Path, text: str, width: int) -> None:
    if not text.strip():
        return
    file, found = normalized(tmp_path, text.encode()), dialect(width)
    if not delimited.can_be_quick(file, found):
        return
    try:
        quick = rows_of(list(delimited.read_quickly(file, found)))
    except NeedsCareError:
        return
    careful, bad = read_carefully(file, found)
    assert bad == []
    assert [(line, [cell.strip() for cell in row]) for line, row in quick] == [
        (line, [cell.strip() for cell in row]) for line, row in careful
    ]


@settings(max_examples=200, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=RAW)
def test_every_line_is_in_a_row_or_a_bad_row(tmp_path: Path, text: str) -> None:
    file = normalized(tmp_path, text.encode())
    rows, bad = read_carefully(file, dialect(2))
    lines = [line for line, _ in rows] + bad
    assert len(lines) == len(set(lines))
    physical = file.path.read_text().split("\n")
    spanned = sum(cell.count("\n") for _, row in rows for cell in row)
    assert len([line for line in physical if line.strip()]) <= len(lines) + spanned


def test_an_unclosed_quote_costs_one_line(tmp_path: Path) -> None:
    body = b'a,b\n1,"open\n' + b"2,x\n" * 2_000
    rows, bad = read_carefully(normalized(tmp_path, body), dialect(2))
    assert bad == [2]
    assert len(rows) == 2_001


def test_a_line_that_is_too_long_is_named(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"a,b\n1,2\n" + b"x" * 2_000 + b"\n3,4\n")
    with pytest.raises(FileRejectedError, match="Line 3 is longer"):
        normalize(path, tmp_path / "normalized", limits=Limits(max_line_bytes=1_000))


def test_blanks_around_quoted_cells_and_literal_quotes(tmp_path: Path) -> None:
    body = b'1, "a, b" ,2\n3,5" pipe,4\n'
    rows, bad = read_carefully(normalized(tmp_path, body), dialect(3))
    assert [[cell.strip() for cell in row] for _, row in rows] == [["1", "a, b", "2"], ["3", '5" pipe', "4"]]
    assert bad == []


def test_blocks_that_are_read_side_by_side_come_in_order(tmp_path: Path) -> None:
    num_rows = 400_000
    body = b"".join(b'%d,"x, %d",words of text\r\n' % (number, number % 7) for number in range(num_rows))
    file = normalized(tmp_path, body)
    blocks = list(delimited.read_quickly(file, dialect(3)))
    assert len(blocks) > 3
    lines = pa.chunked_array([block.lines for block in blocks])
    ids, texts, _ = (pa.chunked_array([block.cells.column(index) for block in blocks]) for index in range(3))
    assert lines.to_pylist() == list(range(1, num_rows + 1))
    assert ids.to_pylist() == [str(number) for number in range(num_rows)]
    assert texts.slice(num_rows - 2).to_pylist() == [f"x, {number % 7}" for number in (num_rows - 2, num_rows - 1)]


def test_a_row_that_is_broken_in_a_later_block_is_named_by_its_line(tmp_path: Path) -> None:
    rows = [b"%d,some words of text" % number for number in range(300_000)]
    rows[250_000] = b"250000"
    file = normalized(tmp_path, b"\n".join(rows))
    with pytest.raises(NeedsCareError):
        list(delimited.read_quickly(file, dialect(2)))
    _, bad = read_carefully(file, dialect(2))
    assert bad == [250_001]
