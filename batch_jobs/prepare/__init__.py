"""Prepares datasets by recipes."""

from batch_jobs.prepare.workflow import run

__all__ = ["run"]
