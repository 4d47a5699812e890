"""The job kind `decompose`: one task split among small experts, of which those are run that a row needs."""

from batch_jobs.decompose.workflow import run

__all__ = ["run"]
