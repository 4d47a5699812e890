"""A report as one page that is complete in itself."""

from aimass_core.services.pages import render_page
from batch_jobs.report.charts import to_svg
from batch_jobs.report.content import Content


def render(content: Content) -> str:
    """The page."""
    drawn = [[to_svg(chart) for chart in section.charts] for section in content.sections]
    return render_page(
        "batch_jobs.report",
        "workspace_report.html.j2",
        content=content,
        sections=list(zip(content.sections, drawn, strict=True)),
    )
