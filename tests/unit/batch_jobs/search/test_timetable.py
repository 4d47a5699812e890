"""How a study's trials share the time."""

import pytest

from batch_jobs.search.timetable import Timetable, plan


def test_a_trial_gets_a_share_of_what_is_left_and_the_last_one_all() -> None:
    now = 0.0
    timetable = plan(100.0, reading_seconds=2, trial_share=0.5, reserved_share=0.1, clock=lambda: now)
    assert timetable.ends == 80.0  # six seconds, two readings, and a tenth
    assert timetable.trial_deadline() == 40.0
    assert timetable.trial_deadline(export_seconds=9) == 31.0
    assert timetable.trial_deadline(export_seconds=40) == 20.0
    assert timetable.trial_deadline(export_seconds=None) == 30.0
    now = 60.0
    assert timetable.trial_deadline() == 70.0
    assert timetable.trial_deadline(is_last=True, export_seconds=3) == 77.0
    now = 79.0
    assert timetable.trial_deadline() == 80.0
    assert not timetable.is_over()


def test_what_comes_after_the_trials_has_what_they_show_that_it_needs() -> None:
    timetable = plan(100.0, reading_seconds=0, clock=lambda: 0.0)
    timetable.reserve(25.0)
    assert timetable.ends == 75.0
    timetable.reserve(1.0)
    assert timetable.ends == 94.0
    timetable.reserve(1_000.0)
    assert timetable.ends == 65.0
    forever = plan(None, reading_seconds=0)
    forever.reserve(5.0)
    assert forever.ends is forever.trial_deadline() is forever.seconds_left is None


@pytest.mark.parametrize(
    ("trial_seconds", "another_seconds", "now", "is_its_turn"),
    [
        # Of one that took 10 s the turn comes with the last 30.
        (10.0, 5.0, 69.0, False),
        (10.0, 5.0, 71.0, True),
        (10.0, 5.0, 90.0, False),
        # One that took 30 s is better in more than that: after another one of 20 s there would not be 39.
        (30.0, 20.0, 40.0, False),
        (30.0, 20.0, 42.0, True),
        (30.0, 20.0, 62.0, False),
    ],
)
def test_the_last_turn_is_in_the_last_part_of_the_time_or_while_there_is_still_enough(
    *, trial_seconds: float, another_seconds: float, now: float, is_its_turn: bool
) -> None:
    timetable = Timetable(begins=0.0, deadline=100.0, clock=lambda: now)
    assert timetable.is_last_turn(trial_seconds, another_seconds=another_seconds) is is_its_turn


def test_without_an_end_there_is_no_last_turn() -> None:
    assert not plan(None, reading_seconds=0).is_last_turn(1.0, another_seconds=1.0)
