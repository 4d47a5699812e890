"""Reports as lines of the job's log, thinned to what a person can follow."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from batch_jobs.runtime.reporting import Reporter

_INTERVAL_SECONDS = 2.0
_log = logging.getLogger(__name__)


class ConsoleReporter:
    """Satisfies `Reporter`. Progress and metrics at most every two seconds, messages and new phases at once."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._phase = ""
        self._progress_at = self._metrics_at = float("-inf")

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""
        now = self._clock()
        is_last = step is not None and step == num_steps
        if phase == self._phase and not is_last and now - self._progress_at < _INTERVAL_SECONDS:
            return
        self._phase, self._progress_at = phase, now
        steps = "" if step is None else f" {step}" if num_steps is None else f" {step}/{num_steps}"
        _log.info("[%s]%s%s", phase, steps, f" {message}" if message else "")

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter."""
        now = self._clock()
        if now - self._metrics_at >= _INTERVAL_SECONDS:
            self._metrics_at = now
            _log.info("[metrics] step %d: %s", step, " ".join(f"{name}={value:.6g}" for name, value in values.items()))

    def message(self, text: str) -> None:
        """See Reporter."""
        _log.info("%s", text)


class Reporters:
    """Reports to several at once. Satisfies `Reporter`."""

    def __init__(self, reporters: Sequence[Reporter]) -> None:
        self._reporters = tuple(reporters)

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""
        for reporter in self._reporters:
            reporter.progress(phase, step=step, num_steps=num_steps, message=message)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter."""
        for reporter in self._reporters:
            reporter.metrics(step, values)

    def message(self, text: str) -> None:
        """See Reporter."""
        for reporter in self._reporters:
            reporter.message(text)
