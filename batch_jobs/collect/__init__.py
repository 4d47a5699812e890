"""Reads a source once: what it says becomes versions of its datasets, and its state moves with them."""

from batch_jobs.collect.workflow import run

__all__ = ["run"]
