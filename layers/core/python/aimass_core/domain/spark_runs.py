"""Runs of Spark, and how far they are."""

from enum import StrEnum


class SparkStatus(StrEnum):
    """Of a run."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows."""
        return self in (SparkStatus.SUCCEEDED, SparkStatus.FAILED, SparkStatus.STOPPED)
