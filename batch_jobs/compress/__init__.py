"""Compress jobs: a smaller and faster model from a registered one, every candidate measured as it will be served."""

from batch_jobs.compress.compressing import run

__all__ = ["run"]
