"""A report as PDF, with what the page shows: A4, one column, a number on each sheet."""

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, TableCellFillMode, XPos, YPos
from fpdf.fonts import FontFace

from aimass_core.domain.workspace_reports import ReportFigure
from batch_jobs.report.charts import to_png
from batch_jobs.report.content import Content, Section, Table

_FONT = "DejaVu"
_INK, _SOFT, _LINE, _CARD = (31, 41, 55), (107, 114, 128), (229, 231, 235), (246, 247, 249)
_MARGIN = 18.0
_TILES_IN_ROW, _TILE_HEIGHT, _GAP = 4, 19.0, 4.0
_CHART_HEIGHT = 66.0
_MAX_CELL = 160

# It tells of each glyph that a font lacks, letter by letter.
logging.getLogger("fpdf").setLevel(logging.ERROR)
logging.getLogger("fontTools").setLevel(logging.ERROR)


class _Document(FPDF):
    """With our font, which matplotlib brings along: it knows Latin, Greek, Cyrillic and more, and draws a box for the
    rest."""

    def __init__(self, words: str) -> None:
        super().__init__(format="A4")
        self._words = words
        fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
        self.add_font(_FONT, "", fonts / "DejaVuSans.ttf")
        self.add_font(_FONT, "B", fonts / "DejaVuSans-Bold.ttf")
        self.set_margin(_MARGIN)
        self.set_auto_page_break(True, margin=_MARGIN)

    def footer(self) -> None:
        """On each sheet."""
        self.set_y(-12)
        self.set_font(_FONT, size=7)
        self.set_text_color(*_SOFT)
        self.cell(self.epw / 2, 5, self._words)
        self.cell(self.epw / 2, 5, f"{self.page_no()} / {{nb}}", align="R")


def to_pdf(content: Content) -> bytes:
    """The file. The same content gives the same bytes."""
    document = _Document(_clean(f"AI Mass, {content.workspace}, {content.span}"))
    document.set_creation_date(content.until)
    document.set_title(_clean(f"{content.title}, {content.workspace}"))
    document.set_lang("en")
    document.set_creator("AI Mass")
    document.add_page()
    _add_text(document, content.title, size=20, bold=True, height=10)
    _add_text(document, f"{content.workspace}, {content.span}", size=9, colour=_SOFT, height=6)
    document.ln(4)
    _add_tiles(document, content.figures)
    for section in content.sections:
        _add_section(document, section)
    return bytes(document.output())


def _add_tiles(document: FPDF, figures: Sequence[ReportFigure]) -> None:
    width = (document.epw - _GAP * (_TILES_IN_ROW - 1)) / _TILES_IN_ROW
    for first in range(0, len(figures), _TILES_IN_ROW):
        top = document.get_y()
        for place, each in enumerate(figures[first : first + _TILES_IN_ROW]):
            left = document.l_margin + place * (width + _GAP)
            document.set_fill_color(*_CARD)
            document.rect(left, top, width, _TILE_HEIGHT, style="F", round_corners=True, corner_radius=2)
            _add_line(document, each.value, left, top + 2, width, size=12, bold=True)
            _add_line(document, each.name, left, top + 9, width, size=7, colour=_SOFT)
            if each.before is not None:
                _add_line(document, f"before: {each.before}", left, top + 13.5, width, size=7, colour=_SOFT)
        document.set_y(top + _TILE_HEIGHT + _GAP)


def _add_line(
    document: FPDF,
    text: str,
    left: float,
    top: float,
    width: float,
    *,
    size: int,
    bold: bool = False,
    colour: tuple[int, int, int] = _INK,
) -> None:
    """One that is made as small as its place."""
    document.set_text_color(*colour)
    shown = _clean(text)
    for smaller in range(size, 4, -1):
        document.set_font(_FONT, "B" if bold else "", smaller)
        if document.get_string_width(shown) <= width - 4:
            break
    document.set_xy(left + 2, top)
    document.cell(width - 4, 5, shown)


def _add_section(document: FPDF, section: Section) -> None:
    # NOTE: a heading that would stand alone at the foot of a sheet goes to the next.
    needed = _CHART_HEIGHT if section.charts else 30.0
    if document.will_page_break(needed):
        document.add_page()
    document.ln(4)
    document.start_section(_clean(section.title))
    _add_text(document, section.title, size=12, bold=True, height=8)
    for table in section.tables:
        _add_table(document, table)
        document.ln(3)
    for chart in section.charts:
        if document.will_page_break(_CHART_HEIGHT):
            document.add_page()
        document.image(io.BytesIO(to_png(chart)), w=document.epw, alt_text=_clean(chart.title))
        document.ln(2)
    for note in section.notes:
        _add_text(document, note, size=8, colour=_SOFT, height=4.5)


def _add_table(document: FPDF, table: Table) -> None:
    document.set_font(_FONT, size=7.5)
    document.set_draw_color(*_LINE)
    document.set_text_color(*_INK)
    with document.table(
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=FontFace(emphasis="", color=_SOFT, fill_color=(255, 255, 255)),
        text_align=tuple("RIGHT" if is_number else "LEFT" for is_number in table.numbers),
        col_widths=tuple(_width_of(table, column) for column in range(len(table.names))),
        line_height=5,
        padding=(0.6, 1.5),
        cell_fill_mode=TableCellFillMode.NONE,
    ) as drawn:
        for cells in [table.names, *table.rows]:
            row = drawn.row()
            for cell in cells:
                row.cell(_clean(cell)[:_MAX_CELL])


def _width_of(table: Table, column: int) -> float:
    """As much as its cells need, within reason."""
    longest = max(len(cells[column]) for cells in [table.names, *table.rows])
    return float(min(max(longest, 6), 40))


def _add_text(document: FPDF, text: str, *, size: float, height: float, bold: bool = False, **more: Any) -> None:
    document.set_font(_FONT, "B" if bold else "", size)
    document.set_text_color(*more.get("colour", _INK))
    document.multi_cell(document.epw, height, _clean(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="L")


def _clean(text: str) -> str:
    """Without what controls a terminal, a line or the direction of reading."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
