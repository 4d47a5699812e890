"""Spark in memory."""

from dataclasses import replace

from aimass_core.domain.spark_runs import SparkStatus
from aimass_core.ports import SparkRun, SparkSubmission


class MemorySpark:
    """Keeps what was submitted. Satisfies `Spark`; `end` plays the service."""

    def __init__(self) -> None:
        self.submissions: list[SparkSubmission] = []
        self._runs: dict[str, SparkRun] = {}

    def start(self, submission: SparkSubmission) -> str:
        """See Spark."""
        if submission.token not in self._runs:
            self.submissions.append(submission)
            self._runs[submission.token] = SparkRun(status=SparkStatus.WAITING, reason="submitted")
        return submission.token

    def describe(self, run_id: str) -> SparkRun:
        """See Spark."""
        return self._runs[run_id]

    def cancel(self, run_id: str) -> None:
        """See Spark."""
        if not self._runs[run_id].status.is_terminal:
            self.end(run_id, SparkStatus.STOPPED, reason="cancelled")

    def end(self, run_id: str, status: SparkStatus, *, reason: str = "ended") -> None:
        """What becomes of a run."""
        self._runs[run_id] = replace(self._runs[run_id], status=status, reason=reason)
