"""What a job has told and nobody has heard yet: bounded, however much it tells and however long nobody listens."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aimass_core.domain.common import Clock
from aimass_core.domain.jobs import EventType, Progress
from batch_jobs.runtime.reports.curves import CurveBuffer

_MAX_CURVES = 100
_MAX_POINTS_PER_EVENT = 100
_MAX_VALUES_PER_EVENT = 2_000
_MAX_MESSAGES = 1_000
_MAX_MESSAGES_PER_BATCH = 50
_MAX_TEXT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An event that has no number yet."""

    at: datetime
    type: EventType
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is reported at once. `progress` is null where it has not changed."""

    drafts: list[Draft] = field(default_factory=list)
    progress: Progress | None = None


class ReportBuffer:
    """Satisfies `Reporter`; `take` empties it. Only the newest progress is kept, curves are thinned."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self.is_closed = False
        self._progress: Draft | None = None
        self._curves = CurveBuffer()
        self._names: set[str] = set()
        self._warned: set[str] = set()
        self._messages: list[Draft] = []
        self._num_dropped = 0

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""
        fraction = None if step is None or not num_steps else min(1.0, max(0.0, step / num_steps))
        progress = Progress(phase=phase, step=step, num_steps=num_steps, fraction=fraction, message=message[:_MAX_TEXT])
        with self._changed:
            self._progress = Draft(at=self._clock(), type=EventType.PROGRESS, data=progress.model_dump(mode="json"))
            self._changed.notify()

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter. A value that is not finite is kept as null and told once in words."""
        with self._changed:
            lost = self._curves.add(step, self._admit(values))
            for name in set(lost) - self._warned:
                self._warned.add(name)
                self._add_message(f"{name} became {values[name]} at step {step}.")
            self._changed.notify()

    def message(self, text: str) -> None:
        """See Reporter."""
        with self._changed:
            self._add_message(text)
            self._changed.notify()

    def close(self) -> None:
        """Ends every waiting."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()

    def wait(self) -> None:
        """Until there is something to take, or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_closed or not self.is_empty)

    def wait_for_close(self, seconds: float) -> bool:
        """Waits that long; whether the buffer was closed meanwhile."""
        with self._changed:
            return self._changed.wait_for(lambda: self.is_closed, timeout=seconds)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return self._progress is None and not self._curves and not self._messages

    def take(self) -> Batch:
        """What is due: some messages, all points of curves as one event, the newest progress."""
        with self._changed:
            drafts, self._messages = self._messages[:_MAX_MESSAGES_PER_BATCH], self._messages[_MAX_MESSAGES_PER_BATCH:]
            if self._num_dropped and not self._messages:
                drafts.append(self._to_message(f"... and {self._num_dropped} more messages: see the log."))
                self._num_dropped = 0
            if self._curves:
                limit = min(_MAX_POINTS_PER_EVENT, max(2, _MAX_VALUES_PER_EVENT // max(1, len(self._names))))
                points = self._curves.take(limit)
                data = {"points": [{"step": point.step, "values": dict(point.values)} for point in points]}
                drafts.append(Draft(at=self._clock(), type=EventType.METRICS, data=data))
            progress = None
            if self._progress is not None:
                progress = Progress.model_validate(self._progress.data)
                drafts.append(self._progress)
                self._progress = None
            return Batch(drafts=drafts, progress=progress)

    def _admit(self, values: Mapping[str, float]) -> dict[str, float]:
        """The first hundred curves that a job names, and no more."""
        admitted = {}
        for name, value in values.items():
            if name in self._names or len(self._names) < _MAX_CURVES:
                self._names.add(name)
                admitted[name] = value
            elif "" not in self._warned:
                self._warned.add("")
                self._add_message(f"The job names more than {_MAX_CURVES} curves; {name} and others are left out.")
        return admitted

    def _add_message(self, text: str) -> None:
        if len(self._messages) < _MAX_MESSAGES:
            self._messages.append(self._to_message(text))
        else:
            self._num_dropped += 1

    def _to_message(self, text: str) -> Draft:
        return Draft(at=self._clock(), type=EventType.MESSAGE, data={"text": text[:_MAX_TEXT]})
