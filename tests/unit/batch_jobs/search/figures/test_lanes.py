"""Timelines: true to the trials while these are few, and readable when they are many."""

from datetime import timedelta
from itertools import pairwise

import pytest

from batch_jobs.search.figures.lanes import to_bars
from tests.unit.batch_jobs.search.figures.studies import BEGIN, long_study, trial_of


def test_bars_are_seconds_since_the_first_trial_began() -> None:
    trials = [
        trial_of(
            1.0,
            number=number,
            user_attrs={"worker": number},
            datetime_start=BEGIN + timedelta(seconds=10 * number),
            datetime_complete=BEGIN + timedelta(seconds=10 * number + 15),
        )
        for number in range(3)
    ]
    assert [(bar.worker, bar.begin, bar.end, bar.title) for bar in to_bars(trials)] == [
        (0, 0.0, 15.0, "trial 0"),
        (1, 10.0, 25.0, "trial 1"),
        (2, 20.0, 35.0, "trial 2"),
    ]


def test_pauses_between_jobs_are_cut_and_many_bars_become_few() -> None:
    trials = long_study().get_trials(deepcopy=False)
    bars = to_bars(trials)
    assert len(bars) <= 1_000
    busy = sum((trial.datetime_complete - trial.datetime_start).total_seconds() for trial in trials) / 16  # type: ignore[operator]
    assert busy < max(bar.end for bar in bars) < 2.5 * busy
    assert {bar.worker for bar in bars} == set(range(16))
    assert min(bar.first_number for bar in bars) == 0
    assert max(bar.last_number for bar in bars) == len(trials) - 1


def test_no_bar_overlaps_the_next_of_its_worker() -> None:
    bars = to_bars(long_study().get_trials(deepcopy=False))
    for worker in range(16):
        own = [bar for bar in bars if bar.worker == worker]
        assert all(after.begin >= before.end - 1e-6 for before, after in pairwise(own))


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_clock_that_went_back_gives_no_negative_length(seconds: int) -> None:
    end = BEGIN + timedelta(seconds=seconds)
    bars = to_bars([trial_of(1.0, datetime_start=BEGIN, datetime_complete=end)])
    assert [(bar.begin, bar.end) for bar in bars] == [(0.0, 0.0)]
    assert to_bars([]) == []
