"""Reports to the registry: events and the job's progress, at most once a second, from a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable

from aimass_core.domain import keys
from aimass_core.domain.jobs import Job, JobEvent
from aimass_core.errors import AimassError, InvalidRequestError, NotFoundError, StaleRevisionError
from aimass_core.ports import Put, Row, WriteConflictError
from aimass_core.services import job_states, records
from batch_jobs.runtime.fence import Fence, SupersededError
from batch_jobs.runtime.reports.buffer import Batch, ReportBuffer

# Status events of an attempt lie above these, see services/job_states.
_MAX_EVENTS = 900_000 - 1
_INTERVAL_SECONDS = 1.0
_MAX_INTERVAL_SECONDS = 10.0
_LONG_JOB_SECONDS = 3_600
_LONG_JOB_INTERVAL_SECONDS = 5.0
_log = logging.getLogger(__name__)


class RegistryReporter(ReportBuffer):
    """Satisfies `Reporter`. While the registry cannot be reached, reports wait and are sent in order afterwards.

    Events and progress are one transaction with the check that this attempt may write.

    Args:
        fence: whose right to write is checked with every report.
        job: as the claim returned it; numbers go on from its last event.
        on_superseded: called from the thread, once, when this attempt may not write any more.
        interval_seconds: between reports.
    """

    def __init__(
        self,
        fence: Fence,
        job: Job,
        *,
        on_superseded: Callable[[], None],
        interval_seconds: float = _INTERVAL_SECONDS,
    ) -> None:
        super().__init__(fence.ports.clock)
        self._fence, self._on_superseded, self._interval_seconds = fence, on_superseded, interval_seconds
        self._base = fence.attempt * job_states.EVENTS_PER_ATTEMPT
        self._counter = job.last_event - self._base if 0 < job.last_event - self._base < _MAX_EVENTS else 0
        self._started = time.monotonic()
        self._num_failures = 0
        self._unsent: tuple[Batch, list[JobEvent]] | None = None
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Begins to report."""
        self._thread.start()

    def finish(self, *, timeout_seconds: float) -> None:
        """Reports what is left, and ends."""
        self.close()
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            _log.warning("the registry could not be reached: the last reports are lost")

    def _run(self) -> None:
        is_closed = False
        while not (is_closed and self._unsent is None and self.is_empty):
            if self._unsent is None:
                self.wait()
            try:
                self._flush()
            except (SupersededError, NotFoundError) as error:
                _log.warning("%s", error)
                if not self.is_closed:
                    self._on_superseded()
                return
            pause = self._pause_seconds()
            # After the end there is no more waiting between reports, but between vain attempts.
            is_closed = self.wait_for_close(pause)
            if is_closed and self._unsent is not None:
                time.sleep(min(pause, _INTERVAL_SECONDS))

    def _flush(self) -> None:
        """Sends what failed before, or else what is new."""
        if self._unsent is None:
            batch = self.take()
            self._unsent = batch, self._to_events(batch)
        batch, events = self._unsent
        try:
            self._send(batch, events)
        except InvalidRequestError as error:
            _log.warning("the registry refuses a report, which is left out: %s", error.message)
        except AimassError as error:
            if self._num_failures == 0:
                _log.warning("reports wait: %s", error.message)
            self._num_failures += 1
            return
        if self._num_failures:
            _log.info("the registry hears us again")
        self._unsent, self._num_failures = None, 0

    def _to_events(self, batch: Batch) -> list[JobEvent]:
        events = []
        for draft in batch.drafts[: _MAX_EVENTS - self._counter]:
            self._counter += 1
            events.append(
                JobEvent(
                    number=self._base + self._counter,
                    at=draft.at,
                    attempt=self._fence.attempt,
                    type=draft.type,
                    data=draft.data,
                )
            )
        return events

    def _send(self, batch: Batch, events: list[JobEvent]) -> None:
        puts = [Put(row=self._to_row(event)) for event in events]
        while True:
            job = self._fence.check()
            try:
                records.save(
                    self._fence.ports,
                    job,
                    job.id,
                    also=puts,
                    progress=batch.progress or job.progress,
                    last_event=max(job.last_event, self._base + self._counter),
                )
            except StaleRevisionError:
                continue
            except WriteConflictError as error:
                raise SupersededError("Another process reports as this attempt: this one writes no more.") from error
            return

    def _to_row(self, event: JobEvent) -> Row:
        key = keys.row(self._fence.workspace_id, "job_event", self._fence.job_id, event.number)
        return Row(key=key, data=event.model_dump(mode="json"), revision=1)

    def _pause_seconds(self) -> float:
        if self._num_failures:
            return min(self._interval_seconds * 2.0 ** min(self._num_failures, 10), _MAX_INTERVAL_SECONDS)
        is_long = time.monotonic() - self._started > _LONG_JOB_SECONDS
        return max(self._interval_seconds, _LONG_JOB_INTERVAL_SECONDS) if is_long else self._interval_seconds
