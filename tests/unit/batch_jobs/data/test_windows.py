"""Windows of a timeline: which rows they hold, and which season the rows have."""

from pathlib import Path

import numpy as np
import pytest

from aimass_core.domain.schemas import ColumnType
from batch_jobs.data.windows import Timeline, cut_windows, find_period, read_timeline
from tests.unit.batch_jobs.channel_files import build_channel


def _timeline(num_rows: int, *, gaps: tuple[int, ...] = ()) -> Timeline:
    target = np.arange(num_rows, dtype=np.float64)
    target[list(gaps)] = np.nan
    return Timeline(name="train", columns={"x": target.astype(np.float32)}, target=target, rows=np.arange(num_rows))


def test_a_window_is_followed_by_its_horizon() -> None:
    windows = cut_windows(_timeline(7), window=3, horizon=2, first=0, end=7)
    assert windows.frame.columns["x"].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert windows.truth.tolist() == [[3, 4], [4, 5], [5, 6]]
    assert windows.rows.tolist() == [2, 3, 4]


def test_later_windows_look_back_but_are_judged_from_their_first_row_on() -> None:
    windows = cut_windows(_timeline(10), window=3, horizon=2, first=6, end=10)
    assert windows.truth.tolist() == [[6, 7], [7, 8], [8, 9]]
    assert windows.frame.columns["x"][0].tolist() == [3, 4, 5]
    early = cut_windows(_timeline(10), window=3, horizon=2, first=0, end=6)
    assert early.truth.max() < windows.truth.min()


def test_a_horizon_with_a_gap_is_left_out_and_a_window_with_one_is_not() -> None:
    windows = cut_windows(_timeline(8, gaps=(4,)), window=2, horizon=2, first=0, end=8)
    assert windows.truth.tolist() == [[2, 3], [5, 6], [6, 7]]
    assert np.isnan(windows.frame.columns["x"]).sum() == 2


def test_too_few_rows_give_no_window() -> None:
    windows = cut_windows(_timeline(4), window=3, horizon=2, first=0, end=4)
    assert (windows.frame.num_rows, windows.truth.shape) == (0, (0, 2))


@pytest.mark.parametrize("period", [2, 7, 24])
def test_a_season_is_found_on_a_trend_and_a_slow_wave(period: int) -> None:
    steps = np.arange(600)
    rng = np.random.default_rng(0)
    season = np.where(steps % period == 0, 3.0, 0.0)
    values = 5 + 0.1 * steps + 20 * np.sin(steps / 95) + season + rng.normal(0, 0.2, len(steps))
    values[100] = np.nan
    assert find_period(values, longest=48) == period


def test_noise_and_short_series_have_no_season() -> None:
    assert find_period(np.random.default_rng(0).normal(size=2000), longest=48) is None
    assert find_period(np.arange(5.0), longest=48) is None


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ([*range(40)], None),
        ([2 * step for step in range(40)], None),
        ([step + 3 * (step > 20) for step in range(40)], None),
        ([step * step for step in range(40)], "steps go from 1 to 77, the median is 39"),
        ([*range(20), *range(20)], "several series"),
    ],
)
def test_what_is_no_even_row_of_steps_is_told(tmp_path: Path, times: list[int], told: str | None) -> None:
    messages: list[str] = []
    values = [float(step) for step in range(40)]
    channel = build_channel(tmp_path, {"t": (ColumnType.INTEGER, times), "y": (ColumnType.NUMBER, values)})
    read_timeline(channel, ["y"], target="y", time_column="t", message=messages.append)
    assert len(messages) == (told is not None)
    assert told is None or told in messages[0]
