"""Runs a program of the user's own as SageMaker would, and registers the model that it leaves."""

from batch_jobs.script.workflow import run

__all__ = ["run"]
