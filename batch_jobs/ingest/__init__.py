"""Turns landed files that are too large for a Lambda into a dataset version: the same code, with more room."""

from batch_jobs.ingest.ingesting import run

__all__ = ["run"]
