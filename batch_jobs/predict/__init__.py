"""Batch prediction: every row of a dataset version answered by a registered model, out of core, by several workers."""

from batch_jobs.predict.workflow import run

__all__ = ["run"]
