"""Pages that are complete in themselves: plots are inline SVG, and nothing is fetched.

A page carries its own policy: no script, no style but the one sheet whose digest it names, pictures in the page. All
texts of the user's data are escaped.
"""

import base64
import hashlib
from functools import cache
from typing import Any

import jinja2

INK, MUTED, GRID = "#1f2937", "#9ca3af", "#e5e7eb"
BLUE, ORANGE = "#2563eb", "#d97706"
COLOURS = (BLUE, ORANGE, "#059669", "#dc2626", "#7c3aed")
# What a page draws for each of them in the dark.
DARK = dict(
    zip(
        (INK, MUTED, GRID, *COLOURS),
        ("#e5e7eb", "#6b7280", "#2b3340", "#60a5fa", "#fbbf24", "#34d399", "#f87171", "#a78bfa"),
        strict=True,
    )
)


def render_page(package: str, template: str, **values: Any) -> str:
    """A template of a package, which finds `sheet` and `digest`, the house's style, beside its own values."""
    environment = _open_templates(package)
    sheet = environment.get_template("report.css.j2").render(dark=DARK)
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    return environment.get_template(template).render(sheet=sheet, digest=digest, **values)


@cache
def _open_templates(package: str) -> jinja2.Environment:
    """Compiled once: a study renders a page for each trial that is the best so far."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package), jinja2.PackageLoader("aimass_core.services")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = to_figure
    environment.filters["size"] = to_size
    return environment


def to_figure(value: float) -> str:
    """Four digits that matter: 0.9274, 46920, 1.2e-07."""
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.2g}" if abs(value) < 1e-3 else f"{value:.4g}"
    return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.1f}"


def to_size(num_bytes: int) -> str:
    """Bytes for people."""
    return f"{num_bytes / 1024**2:.1f} MiB" if num_bytes >= 1024**2 else f"{num_bytes / 1024:.0f} KiB"
