"""The job kind `fuse`: several registered models as one, where that is better than the best of them."""

from batch_jobs.fuse.workflow import run

__all__ = ["run"]
