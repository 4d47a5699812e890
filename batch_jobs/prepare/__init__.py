"""Turns landed files that are too large for a Lambda into a dataset version: the same code, with more room."""

from batch_jobs.prepare.preparing import run

__all__ = ["run"]
