"""Matplotlib figures as inline SVG that a page can style: dark or light, under a policy that forbids inline styles."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine, TightLayoutEngine

from aimass_core.services import pages

INK, MUTED, GRID = pages.INK, pages.MUTED, pages.GRID
BLUE, ORANGE, COLOURS = pages.BLUE, pages.ORANGE, pages.COLOURS
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    # The grid says where a number is; marks beside it are a third of the time that a picture takes.
    "xtick.bottom": False,
    "ytick.left": False,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
# In points: a text's height, the label of an axis with what is around it, and a letter's width in its height.
_EM, _LABEL, _LETTER = 10.0, 28.0, 0.65
# Of the picture, that names may take away from what they name.
_MOST = 0.7
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"


class Drawing:
    """Where `figure` leaves the SVG."""

    svg: str = ""


class _Margins(LayoutEngine):
    """Leaves room for what stands left of the axes and below them, by how many letters that has.

    Texts are drawn by the browser, in its own fonts: to measure them in ours takes as long as to draw all.
    """

    _adjust_compatible, _colorbar_gridspec = True, True

    def execute(self, fig: Figure) -> None:
        width, height = (float(inches) * 72 for inches in fig.get_size_inches())
        across = fig.axes[-1].xaxis
        is_upright = bool(across.get_major_ticks(1)[0].label1.get_rotation())
        left = max(_points_of_longest(axes.yaxis) for axes in fig.axes) + _LABEL
        bottom = (_points_of_longest(across) if is_upright else _EM) + _LABEL
        right = _EM if is_upright else min(max(_points_of_longest(across) / 2, _EM), width / 7)
        # Where numbers are told as multiples of a power of ten, it stands above them.
        top = _EM * (2 if any(axes.yaxis.get_major_formatter().get_offset() for axes in fig.axes) else 1)
        left, bottom = min(left / width, _MOST), min(bottom / height, _MOST)
        fig.subplots_adjust(left=left, right=1 - right / width, bottom=bottom, top=1 - top / height)


def _points_of_longest(axis: Axis) -> float:
    """Of its numbers or names that are seen."""
    low, high = sorted(axis.get_view_interval())
    texts = axis.get_major_formatter().format_ticks([each for each in axis.get_majorticklocs() if low <= each <= high])
    size = float(axis.get_major_ticks(1)[0].label1.get_fontsize())
    return _LETTER * size * max(map(len, texts), default=0)


@contextmanager
def figure(width: float, height: float, *, title: str, is_plain: bool = False) -> Iterator[tuple[Figure, Drawing]]:
    """A figure without pyplot (which keeps global state), in inches; the title is read out, not shown.

    Texts stay texts, so the page is small and can be searched. A plain one has axes above each other, and nothing
    around them but ticks and labels.
    """
    drawing = Drawing()
    # Texts are drawn by the browser, in its own fonts; ours are only measured with.
    with styled({"svg.hashsalt": title}):
        # NOTE: the layout "constrained" measures all texts twice.
        drawn = Figure(figsize=(width, height), layout=_Margins() if is_plain else TightLayoutEngine(pad=0.4))
        yield drawn, drawing
        buffer = io.BytesIO()
        # NOTE: `savefig` would draw twice, once for nothing.
        FigureCanvasSVG(drawn).print_svg(buffer, metadata={"Date": None, "Creator": None})
    drawing.svg = to_inline(buffer.getvalue(), title=title)


@contextmanager
def styled(more: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Within it figures look as ours do. Where a font lacks a letter it draws a box, and says nothing."""
    with mpl.rc_context(_STYLE | dict(more or {})), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def to_inline(svg: bytes, *, title: str) -> str:
    """Style attributes become presentation attributes, which a style sheet overrules and no policy forbids.

    Names that nothing refers to go: the figures of one page would share them.
    """
    root = ET.fromstring(svg)  # noqa: S314  Matplotlib wrote it just now
    root.attrib = {"viewBox": root.attrib["viewBox"], "width": root.attrib["width"], "role": "img", "aria-label": title}
    for element in list(root):
        if element.tag.endswith("metadata"):
            root.remove(element)
    for definitions in root.iter(f"{_SVG}defs"):
        for style in definitions.findall(f"{_SVG}style"):
            definitions.remove(style)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        _unstyle(element)
    referred = {name for element in root.iter() for name in _references(element)}
    for element in root.iter():
        if element.attrib.get("id") not in referred:
            element.attrib.pop("id", None)
    return ET.tostring(root, encoding="unicode")


def _unstyle(element: ET.Element) -> None:
    for declaration in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name and name != "font-family":
            element.set(name, value)
    if _HREF in element.attrib:
        element.set("href", element.attrib.pop(_HREF))
    if "d" in element.attrib:
        element.set("d", element.attrib["d"].replace("\n", "").strip())


def _references(element: ET.Element) -> Iterator[str]:
    for value in element.attrib.values():
        if value.startswith("url(#"):
            yield value[5:-1]
        elif value.startswith("#") and element.tag == "use":
            yield value[1:]


def to_label(text: str, limit: int = 28) -> str:
    """As a figure can carry it: without characters that XML forbids, and short, with both its ends."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    if len(clean) <= limit:
        return clean
    tail = (limit - 1) // 2
    return f"{clean[: limit - 1 - tail]}…{clean[-tail:]}"
