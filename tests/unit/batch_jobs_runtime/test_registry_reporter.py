"""Reports on their way to the registry: coalesced, bounded, in order, whatever the registry does meanwhile."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aimass_core.domain.jobs import EventType, JobStatus
from aimass_core.errors import UnavailableError
from aimass_core.ports import Write
from batch_jobs.runtime.reports.registry import RegistryReporter
from tests.unit.batch_jobs_runtime.workplace import Workplace, new_workplace

PATIENCE_SECONDS = 300.0


class Registry:
    """Counts transactions, and is away or slow when a test says so."""

    def __init__(self, workplace: Workplace) -> None:
        self._write, self.num_writes, self.is_away = workplace.ports.registry.write, 0, False
        self.loses_answers = False
        workplace.ports.registry.write = self.write  # type: ignore[method-assign]

    def write(self, *writes: Write) -> None:
        if self.is_away:
            raise UnavailableError("The registry is away.")
        self._write(*writes)
        self.num_writes += 1
        if self.loses_answers:
            self.loses_answers = False
            raise UnavailableError("The answer was lost.")


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return new_workplace(tmp_path)


@pytest.fixture
def registry(workplace: Workplace) -> Registry:
    return Registry(workplace)


def reporter_of(
    workplace: Workplace, *, interval_seconds: float = 0.01, on_superseded: Callable[[], None] = lambda: None
) -> RegistryReporter:
    fence = workplace.fence()
    reporter = RegistryReporter(fence, fence.claim(), on_superseded=on_superseded, interval_seconds=interval_seconds)
    reporter.start()
    return reporter


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE_SECONDS} s"
        time.sleep(0.005)


def texts(workplace: Workplace) -> list[str]:
    return [event.data["text"] for event in workplace.events() if event.type is EventType.MESSAGE]


def test_d8_flood_becomes_few_transactions_and_keeps_peaks(workplace: Workplace, registry: Registry) -> None:
    reporter = reporter_of(workplace, interval_seconds=0.2)
    for step in range(100_000):
        value = {40_000: 9.0, 70_000: -9.0}.get(step, 0.5)
        reporter.metrics(step, {"train/loss": value})
        reporter.progress("train", step=step, num_steps=100_000)
    reporter.finish(timeout_seconds=PATIENCE_SECONDS)
    points = [point for e in workplace.events() if e.type is EventType.METRICS for point in e.data["points"]]
    values = {point["step"]: point["values"]["train/loss"] for point in points}
    assert values[40_000] == 9.0
    assert values[70_000] == -9.0
    assert list(values) == sorted(values)
    assert 0 in values
    assert 99_999 in values
    assert len(points) <= 102 * registry.num_writes
    assert registry.num_writes < 100
    progress = workplace.stored().progress
    assert progress is not None
    assert progress.step == 99_999


def test_d12_reports_wait_while_the_registry_is_away_and_come_in_order(
    workplace: Workplace, registry: Registry
) -> None:
    reporter = reporter_of(workplace)
    reporter.message("0")
    wait_until(lambda: texts(workplace) == ["0"])
    registry.is_away = True
    for number in range(1, 200):
        reporter.message(str(number))
    assert texts(workplace) == ["0"]
    registry.is_away = False
    reporter.finish(timeout_seconds=PATIENCE_SECONDS)
    assert texts(workplace) == [str(number) for number in range(200)]


def test_d12_report_whose_answer_was_lost_is_not_told_twice(workplace: Workplace, registry: Registry) -> None:
    reporter = reporter_of(workplace)
    registry.loses_answers = True
    reporter.message("once")
    wait_until(lambda: not registry.loses_answers)
    reporter.message("then")
    reporter.finish(timeout_seconds=PATIENCE_SECONDS)
    assert texts(workplace) == ["once", "then"]


def test_d12_registry_that_stays_away_does_not_hold_the_job_up(workplace: Workplace, registry: Registry) -> None:
    reporter = reporter_of(workplace)
    registry.is_away = True
    reporter.message("lost")
    reporter.finish(timeout_seconds=0.3)
    assert texts(workplace) == []


def test_changes_of_others_are_kept(workplace: Workplace, registry: Registry) -> None:
    reporter = reporter_of(workplace)
    for step in range(20):
        reporter.progress("train", step=step)
        workplace.change(status_reason=f"reason {step}")
    reporter.finish(timeout_seconds=PATIENCE_SECONDS)
    assert workplace.stored().status_reason == "reason 19"


@pytest.mark.parametrize("change", [{"attempt": 2}, {"status": JobStatus.STOPPING}], ids=str)
def test_d4_superseded_attempt_writes_nothing_and_says_so_once(workplace: Workplace, change: dict[str, object]) -> None:
    told = threading.Event()
    reporter = reporter_of(workplace, on_superseded=told.set)
    workplace.change(**change)
    reporter.message("late")
    assert told.wait(PATIENCE_SECONDS)
    reporter.finish(timeout_seconds=PATIENCE_SECONDS)
    assert workplace.events() == []


def test_same_attempt_in_a_new_process_goes_on_counting(workplace: Workplace) -> None:
    for text in ("first", "second"):
        reporter = reporter_of(workplace)
        reporter.message(text)
        reporter.finish(timeout_seconds=PATIENCE_SECONDS)
    assert texts(workplace) == ["first", "second"]


def test_messages_beyond_the_bound_are_counted(workplace: Workplace, registry: Registry) -> None:
    reporter = reporter_of(workplace)
    registry.is_away = True
    for number in range(5_000):
        reporter.message(f"{number} " + "x" * 5_000)
    registry.is_away = False
    reporter.finish(timeout_seconds=PATIENCE_SECONDS)
    told = texts(workplace)
    assert told[0].startswith("0 ")
    assert len(told[0]) == 2_000
    assert len(told) < 1_200
    assert told[-1].startswith("... and ")


def test_curves_beyond_a_hundred_are_left_out_with_a_word(workplace: Workplace) -> None:
    reporter = reporter_of(workplace)
    for step in range(1_000):
        reporter.metrics(step, {f"weight/{index}": float(step) for index in range(300)})
    reporter.finish(timeout_seconds=PATIENCE_SECONDS)
    assert [text for text in texts(workplace) if "more than 100 curves" in text] == texts(workplace) != []
    points = [point for e in workplace.events() if e.type is EventType.METRICS for point in e.data["points"]]
    assert {len(point["values"]) for point in points} == {100}
