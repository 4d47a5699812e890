"""Logs, figures and dead letters of the platform in memory, as a test puts them there."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from aimass_core.domain.logs import JOB_SOURCE
from aimass_core.ports import FoundLine, FunctionFigures, JobQueueState, Letter, QueueFigures, RaisedAlarm

FUNCTIONS = ("api", "authorizer", "collectors", "console", "dispatch", "ingest", "job_events", "predictions")


class MemoryLogSearch:
    """Lines in the order in which they were written."""

    def __init__(self) -> None:
        self.lines: list[FoundLine] = []

    def search(
        self,
        *,
        functions: Sequence[str],
        streams: Sequence[str] = (),
        containing: Sequence[Sequence[str]] = (),
        text: str | None = None,
        since: datetime,
        until: datetime,
        limit: int,
    ) -> Sequence[FoundLine]:
        """See LogSearch."""

        def is_wanted(line: FoundLine) -> bool:
            if line.source == JOB_SOURCE:
                is_listed = line.stream.startswith(tuple(streams))
            else:
                is_listed = line.source in functions and all(
                    any(needle in line.text for needle in needles) for needles in containing
                )
            has_text = text is None or text.lower() in line.text.lower()
            return is_listed and has_text and since <= line.at <= until

        found = [line for line in self.lines if is_wanted(line)]
        return sorted(found, key=lambda line: line.at, reverse=True)[:limit]


class MemoryWatch:
    """Figures that a test sets."""

    def __init__(self) -> None:
        self.figures: dict[str, FunctionFigures] = {}
        self.queue = QueueFigures(num_waiting=0, num_in_flight=0)
        self.job_queue: JobQueueState | None = JobQueueState(state="ENABLED", status="VALID")
        self.alarms: list[RaisedAlarm] = []

    def list_functions(self) -> Sequence[str]:
        """See Watch."""
        return FUNCTIONS

    def measure_functions(self) -> Mapping[str, FunctionFigures]:
        """See Watch."""
        return self.figures

    def measure_queue(self) -> QueueFigures:
        """See Watch."""
        return self.queue

    def read_job_queue(self) -> JobQueueState | None:
        """See Watch."""
        return self.job_queue

    def list_alarms(self) -> Sequence[RaisedAlarm]:
        """See Watch."""
        return self.alarms


class MemoryDeadLetters:
    """Letters by queue; what was sent again, and what somebody holds at present, lie beside them."""

    def __init__(self) -> None:
        self.letters: dict[str, list[Letter]] = {}
        self.sent_again: list[tuple[str, Letter]] = []
        self._held: dict[str, set[str]] = {}

    def measure(self, queue: str) -> QueueFigures:
        """See DeadLetterStore."""
        held = len(self._held.get(queue, ()))
        return QueueFigures(num_waiting=len(self.letters.get(queue, [])) - held, num_in_flight=held)

    def take(self, queue: str, *, limit: int) -> Sequence[Letter]:
        """See DeadLetterStore."""
        held = self._held.setdefault(queue, set())
        found = [letter for letter in self.letters.get(queue, []) if letter.receipt not in held][:limit]
        held.update(letter.receipt for letter in found)
        return found

    def give_back(self, queue: str, letters: Sequence[Letter]) -> None:
        """See DeadLetterStore."""
        self._held.setdefault(queue, set()).difference_update(letter.receipt for letter in letters)

    def send_again(self, queue: str, letter: Letter) -> None:
        """See DeadLetterStore."""
        self.sent_again.append((queue, letter))

    def delete(self, queue: str, letter: Letter) -> None:
        """See DeadLetterStore."""
        self.letters[queue] = [each for each in self.letters.get(queue, []) if each.id != letter.id]
        self._held.setdefault(queue, set()).discard(letter.receipt)
