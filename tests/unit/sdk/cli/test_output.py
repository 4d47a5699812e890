"""What goes to stdout."""

import json

import pytest
from pydantic import BaseModel

from aimass.cli.output import Column, OutputFormat, format_bytes, format_value, show_list, to_counts, write_csv


class _Item(BaseModel):
    name: str
    size: int


_COLUMNS = [Column("NAME", lambda item: item.name), Column("SIZE", lambda item: item.size, is_number=True)]


def test_a14_cells_that_begin_like_a_formula_are_defused(capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(["name", "value"], [["=HYPERLINK(1)", -1.5], ["+cmd", None], ["@SUM", "ok"], ["\tx", "-x"]])
    assert capsys.readouterr().out.splitlines() == [
        "name,value",
        "'=HYPERLINK(1),-1.5",
        "'+cmd,",
        "'@SUM,ok",
        "'\tx,'-x",
    ]


def test_markup_in_names_is_shown_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([_Item(name="[red]x[/red]", size=1)], _COLUMNS, output=OutputFormat.TABLE)
    assert "[red]x[/red]" in capsys.readouterr().out


def test_json_is_complete_and_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([_Item(name="a", size=1)], _COLUMNS, output=OutputFormat.JSON)
    assert json.loads(capsys.readouterr().out) == [{"name": "a", "size": 1}]


def test_empty_list_says_so_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([], _COLUMNS, output=OutputFormat.TABLE, empty="None yet.")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "None yet." in captured.err


@pytest.mark.parametrize(("size", "text"), [(999, "999 B"), (1234, "1.2 kB"), (5_300_000, "5.3 MB"), (None, "-")])
def test_bytes_are_readable(size: int | None, text: str) -> None:
    assert format_bytes(size) == text


def test_what_counts_is_shown_whole() -> None:
    shown = {name: format_value(value) for name, value in to_counts({"num_rows": 2030.0, "accuracy": 1.0}).items()}
    assert shown == {"num_rows": "2,030", "accuracy": "1.0000"}
