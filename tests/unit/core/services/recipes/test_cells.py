"""Steps that look at one row alone."""

import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from aimass_core.errors import InvalidDataError, InvalidRequestError
from tests.unit.core.services.recipes.kitchen import Rows, cook, to_source


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def column(tmp_path: Path, cells: list[Any], step: dict[str, Any], *, type_: str = "string") -> list[Any]:
    rows: Rows = [{"c": cell} for cell in cells]
    return cook(tmp_path, to_source(tmp_path / "data", rows, c=type_), step).column("c")


def test_trim_takes_white_space_away_and_empty_cells_with_it(tmp_path: Path) -> None:
    data = to_source(tmp_path / "data", [{"c": " a b\t"}, {"c": "  "}, {"c": "x"}, {"c": None}], c="string")
    dish = cook(tmp_path, data, {"do": "trim"})
    assert dish.column("c") == ["a b", None, "x", None]
    assert dish.counts == [(4, 4, 2, 0)]


def test_text_brings_texts_into_one_form(tmp_path: Path) -> None:
    step = {"do": "text", "lower": True, "strip_accents": True, "strip_html": True, "strip_urls": True}
    cells = ["<b>Ärger</b>  im\n Café", "see https://x.y/z?a=1 now", "ﬁn", None]
    assert column(tmp_path, cells, step) == ["arger im cafe", "see now", "fin", None]


def test_parse_reads_numbers_as_people_write_them(tmp_path: Path) -> None:
    step = {"do": "parse", "columns": ["c"], "to": "number", "decimal": ",", "thousands": ".", "strip": "€"}
    assert column(tmp_path, ["1.234,50 €", " 7 ", None, "-0,5"], step) == [1234.5, 7.0, None, -0.5]


def test_parse_tries_the_formats_of_times_in_turn(tmp_path: Path) -> None:
    step = {"do": "parse", "columns": ["c"], "to": "datetime", "formats": ["%d.%m.%Y", "%Y/%m/%d"]}
    assert column(tmp_path, ["31.12.2024", "2025/01/02"], step) == [at("2024-12-31"), at("2025-01-02")]


@pytest.mark.parametrize(
    ("to", "cells", "expected"),
    [
        ("integer", ["1", " -2 ", "+3"], [1, -2, 3]),
        ("boolean", ["Yes", "f", "0"], [True, False, False]),
        ("number", ["1e3", ".5", "7"], [1000.0, 0.5, 7.0]),
        (
            "datetime",
            ["2024-02-29", "2024-02-29 12:30:00", None],
            [at("2024-02-29"), at("2024-02-29T12:30"), None],
        ),
    ],
)
def test_cast_reads_texts(tmp_path: Path, to: str, cells: list[Any], expected: list[Any]) -> None:
    assert column(tmp_path, cells, {"do": "cast", "columns": {"c": to}}) == expected


@pytest.mark.parametrize("cell", ["1.5", "9" * 20, "1e400", "nan", "inf", "1d", "0x1"])
def test_what_is_no_integer_is_kept_apart_with_the_row_as_it_was(tmp_path: Path, cell: str) -> None:
    data = to_source(tmp_path / "data", [{"c": "1", "d": "x"}, {"c": cell, "d": "y"}], c="string", d="string")
    dish = cook(tmp_path, data, {"do": "cast", "columns": {"c": "integer"}})
    assert dish.rows == [{"c": 1, "d": "x"}]
    assert dish.counts == [(2, 1, 0, 1)]
    [kept] = dish.kept
    assert (kept.file, kept.line, kept.column) == ("data@1", 2, "c")
    assert kept.text == f'{{"c":"{cell}","d":"y"}}'
    assert kept.reason == "Step 1: The cell cannot be cast (c to integer)."


def test_a_number_becomes_an_integer_only_where_it_is_one(tmp_path: Path) -> None:
    step = {"do": "cast", "columns": {"c": "integer"}, "on_error": "missing"}
    assert column(tmp_path, [2.0, 2.5, -3.0, 1e300], step, type_="number") == [2, None, -3, None]


def test_what_cannot_be_used_stops_the_job_where_that_was_asked_for(tmp_path: Path) -> None:
    data = to_source(tmp_path / "data", [{"c": "1"}, {"c": "x"}], c="string")
    with pytest.raises(InvalidDataError, match=r"step 1 stops at 1 rows, such as row 2, column 'c': .*\"x\""):
        cook(tmp_path, data, {"do": "cast", "columns": {"c": "integer"}, "on_error": "stop"})


def test_units_have_factors_and_offsets(tmp_path: Path) -> None:
    step = {"do": "units", "columns": ["c"], "unit": "degF", "to": "degC"}
    assert column(tmp_path, [32.0, 212.0, None], step, type_="number") == [pytest.approx(0), pytest.approx(100), None]


@pytest.mark.parametrize(
    ("unit", "to"), [("kg", "m"), ("foo", "m"), ("", "m"), ("dBm", "mW"), ("(", "m"), ("9**9**9", "m")]
)
def test_units_that_do_not_belong_together_are_refused(tmp_path: Path, unit: str, to: str) -> None:
    data = to_source(tmp_path / "data", [{"c": 1.0}], c="number")
    with pytest.raises((InvalidRequestError, ValidationError)):
        cook(tmp_path, data, {"do": "units", "columns": ["c"], "unit": unit, "to": to})


def test_filter_keeps_what_is_true_and_derive_sees_the_row_before(tmp_path: Path) -> None:
    data = to_source(
        tmp_path / "data", [{"a": 1, "b": 2}, {"a": 3, "b": None}, {"a": 5, "b": 0}], a="integer", b="integer"
    )
    dish = cook(
        tmp_path, data, {"do": "filter", "where": "b < 10"}, {"do": "derive", "columns": {"a": "a + b", "q": "a / b"}}
    )
    assert dish.rows == [{"a": 3, "b": 2, "q": 0.5}, {"a": 5, "b": 0, "q": None}]
    assert dish.counts == [(3, 2, 0, 0), (2, 2, 0, 0)]


def test_rows_that_a_filter_has_left_out_do_not_fail_later_steps(tmp_path: Path) -> None:
    data = to_source(tmp_path / "data", [{"c": "7"}, {"c": "x"}], c="string")
    later = {"do": "cast", "columns": {"c": "integer"}, "on_error": "stop"}
    assert cook(tmp_path, data, {"do": "filter", "where": "c <> 'x'"}, later).column("c") == [7]


def test_an_expression_that_does_not_fit_is_told_with_its_step(tmp_path: Path) -> None:
    data = to_source(tmp_path / "data", [{"c": "x"}], c="string")
    with pytest.raises(InvalidRequestError, match=r"Step 2 \(filter\): 'upper\(c\)' is a varchar"):
        cook(tmp_path, data, {"do": "trim"}, {"do": "filter", "where": "upper(c)"})


def test_columns_whose_names_differ_in_case_or_need_quotes_are_told_apart(tmp_path: Path) -> None:
    data = to_source(
        tmp_path / "data",
        [{"a": 1, "A": 2, 'we"ird; --': 3}],
        **{"a": "integer", "A": "integer", 'we"ird; --': "integer"},
    )
    dish = cook(
        tmp_path,
        data,
        {"do": "derive", "columns": {"s": 'a * 10 + A + "we""ird; --"'}},
        {"do": "drop", "columns": ["A"]},
    )
    assert dish.rows == [{"a": 1, 'we"ird; --': 3, "s": 15}]


def picture(width: int, height: int, *, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 10)).save(buffer, form)
    return buffer.getvalue()


def test_images_are_verified_and_resized(tmp_path: Path) -> None:
    whole = picture(8, 6, form="JPEG")
    rows = [{"image": picture(10, 10)}, {"image": whole[:-40]}, {"image": picture(2, 2)}, {"image": b"GIF89a"}]
    data = to_source(tmp_path / "data", [*rows, {"image": None}, {"image": whole}], image="image")
    step = {"do": "images", "min_width": 4, "width": 4, "height": 4, "channels": 1, "fit": "pad"}
    dish = cook(tmp_path, data, step)
    sizes = [(found.size, found.mode) for found in (Image.open(io.BytesIO(cell)) for cell in dish.column("image"))]
    assert sizes == [((4, 4), "L")] * 2
    assert [row.line for row in dish.kept] == [2, 3, 4, 5]


def test_what_the_engine_refuses_is_told_with_the_names_of_columns(tmp_path: Path) -> None:
    data = to_source(
        tmp_path / "data", [{"when": datetime.fromisoformat("2024-01-01T00:00:00+00:00")}], when="datetime"
    )
    with pytest.raises(InvalidDataError, match=r"Step 1 \(derive\): Binder Error.*sqrt\(TIMESTAMP\)"):
        cook(tmp_path, data, {"do": "derive", "columns": {"x": 'sqrt("when")'}})
