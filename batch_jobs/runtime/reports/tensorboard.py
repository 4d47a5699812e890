"""Reports as TensorBoard's event files: whatever framework trains, its curves are there."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from batch_jobs.runtime.reports.curves import CurveBuffer, Point
from batch_jobs.runtime.reports.event_files import Scalars, append_events, begin_event_file

_INTERVAL_SECONDS = 5.0
_MAX_POINTS = 256


class TensorBoardReporter:
    """Satisfies `Reporter`. Each phase of a job is a run of its own, named `<attempt>/<phase>`.

    Points are written at most every five seconds and thinned as those that go to the registry are, so that a flood of
    them stays a small file.
    """

    def __init__(
        self,
        folder: Path,
        *,
        attempt: int,
        clock: Callable[[], float] = time.time,
        interval_seconds: float = _INTERVAL_SECONDS,
    ) -> None:
        self._folder, self._attempt, self._clock, self._interval_seconds = folder, attempt, clock, interval_seconds
        self._lock = threading.Lock()
        self._phase = "job"
        self._path: Path | None = None
        self._buffer = CurveBuffer()
        self._written_at = float("-inf")

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""
        del step, num_steps, message
        if phase != self._phase:
            self.close()
            self._phase = phase

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter."""
        with self._lock:
            self._buffer.add(step, values)
            if self._clock() - self._written_at >= self._interval_seconds:
                self._write()

    def message(self, text: str) -> None:
        """See Reporter. TensorBoard shows curves only."""

    def close(self) -> None:
        """Writes what is left of the phase."""
        with self._lock:
            self._write()
            self._path = None

    def _write(self) -> None:
        self._written_at = self._clock()
        points = self._buffer.take(_MAX_POINTS)
        if not points:
            return
        if self._path is None:
            name = re.sub(r"[^a-z0-9]+", "-", self._phase.lower())
            self._path = begin_event_file(self._folder / f"{self._attempt:04d}" / name)
        append_events(self._path, [_to_scalars(point, at=self._written_at) for point in points])


def _to_scalars(point: Point, *, at: float) -> Scalars:
    values = {name: float("nan") if value is None else value for name, value in point.values.items()}
    return Scalars(step=point.step, values=values, at=at)
