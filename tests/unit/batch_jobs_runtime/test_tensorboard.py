"""Event files, read by TensorBoard's own reader."""

import math
from pathlib import Path

import pytest

from batch_jobs.runtime.reports.tensorboard import TensorBoardReporter

accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def _read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    accumulator = accumulators.EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {
        name: [(event.step, event.value) for event in accumulator.Scalars(name)]
        for name in accumulator.Tags()["scalars"]
    }


def test_tensorboard_reads_every_phase_as_a_run(tmp_path: Path) -> None:
    reporter = TensorBoardReporter(tmp_path, attempt=2)
    reporter.progress("fold 1 of 2", step=1)
    reporter.metrics(1, {"train/log_loss": 0.5, "train/größe": 1e300})
    reporter.metrics(300, {"train/log_loss": 0.25})
    reporter.progress("fold 2 of 2", step=1)
    reporter.metrics(1, {"train/log_loss": 0.75})
    reporter.close()
    assert _read(tmp_path / "0002" / "fold-1-of-2") == {
        "train/log_loss": [(1, 0.5), (300, 0.25)],
        "train/größe": [(1, math.inf)],
    }
    assert _read(tmp_path / "0002" / "fold-2-of-2") == {"train/log_loss": [(1, 0.75)]}


def test_points_are_on_disk_while_the_job_goes_on(tmp_path: Path) -> None:
    now = 1000.0
    reporter = TensorBoardReporter(tmp_path, attempt=1, clock=lambda: now, interval_seconds=5)
    reporter.metrics(1, {"loss": 3.0})
    reporter.metrics(2, {"loss": 2.0})
    assert _read(tmp_path / "0001" / "job") == {"loss": [(1, 3.0)]}
    now += 5
    reporter.metrics(3, {"loss": 1.0})
    assert _read(tmp_path / "0001" / "job") == {"loss": [(1, 3.0), (2, 2.0), (3, 1.0)]}


def test_d8_a_million_points_are_few_and_no_peak_is_lost(tmp_path: Path) -> None:
    reporter = TensorBoardReporter(tmp_path, attempt=1, clock=lambda: 0.0)
    reporter.metrics(0, {"loss": 0.0})
    for step in range(1, 1_000_000):
        reporter.metrics(step, {"loss": 9.0 if step == 777_777 else -9.0 if step == 333_333 else math.sin(step)})
    reporter.close()
    points = _read(tmp_path / "0001" / "job")["loss"]
    assert len(points) < 600
    assert min(points, key=lambda point: point[1]) == (333_333, -9.0)
    assert max(points, key=lambda point: point[1]) == (777_777, 9.0)
    assert points[-1][0] == 999_999
    assert sum(path.stat().st_size for path in tmp_path.rglob("events*")) < 64 * 1024


def test_a_loss_that_is_not_a_number_is_shown_as_such(tmp_path: Path) -> None:
    reporter = TensorBoardReporter(tmp_path, attempt=1)
    reporter.metrics(1, {"loss": math.nan})
    reporter.close()
    ((_, value),) = _read(tmp_path / "0001" / "job")["loss"]
    assert math.isnan(value)
