"""Pictures of a study: as Plotly JSON for those who look closer, and as one small page for everybody."""

from batch_jobs.search.figures.interactive import build_figures
from batch_jobs.search.figures.page import build_page
from batch_jobs.search.figures.readable import FigureName, explain_left_out, importances

__all__ = ["FigureName", "build_figures", "build_page", "explain_left_out", "importances"]
