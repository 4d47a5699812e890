"""A report on a workspace or a model: what happened within some days, as HTML and as PDF."""

from batch_jobs.report.workflow import run

__all__ = ["run"]
