"""Imports of models that other tools have made: converted where nothing can be reached, compared, registered."""

from batch_jobs.importing.workflow import run

__all__ = ["run"]
