"""Windows of a table whose rows follow each other in time: what a forecast is made from, and what then came."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib.stride_tricks import sliding_window_view

from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel
from batch_jobs.data.frames import Array, Frame, to_tensor
from batch_jobs.data.series import MAX_BYTES

_MAX_LAG_SHARE = 3
_MIN_CORRELATION = 0.1
_UNEVEN, _MAX_UNEVEN_SHARE = 0.5, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The rows of a channel in order: inputs as float32 (missing is NaN), the target as float64, and row numbers."""

    name: str
    columns: dict[str, Array]
    target: Array
    rows: Array

    @property
    def num_rows(self) -> int:
        """How many rows."""
        return len(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """`truth` [windows, horizon] is what came after each window of the frame; `rows` the last row of each window."""

    frame: Frame
    truth: Array
    rows: Array


def read_timeline(
    channel: Channel,
    columns: Sequence[str],
    *,
    target: str,
    time_column: str | None,
    message: Callable[[str], None],
) -> Timeline:
    """A channel's rows by its time column, or as they are.

    Raises:
        InvalidDataError: A column is absent or no number, the time column has gaps or is of no type that has an order.
    """
    for name in columns:
        found = channel.schema.column(name)
        if found is None or found.type not in (ColumnType.INTEGER, ColumnType.NUMBER):
            what = "lacks the column" if found is None else f"has as {found.type} the column"
            raise InvalidDataError(f"channel {channel.name} {what} {name!r}, which is a number in the training channel")
    order = _order(channel, time_column, message)
    table, rows = channel.table.take(order), channel.rows.take(order)
    doubles = table.column(target).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return Timeline(
        name=channel.name,
        columns={name: to_tensor(table.column(name), ColumnType.NUMBER) for name in columns},
        target=np.where(np.isfinite(doubles), doubles, np.nan),
        rows=np.asarray(rows.to_numpy(zero_copy_only=False)),
    )


def _order(channel: Channel, time_column: str | None, message: Callable[[str], None]) -> pa.Array:
    if time_column is None:
        return pa.array(range(channel.num_rows), pa.int64())
    found = channel.schema.column(time_column)
    if found is None or found.type not in (ColumnType.DATETIME, ColumnType.INTEGER, ColumnType.NUMBER):
        what = "has no column" if found is None else f"has as {found.type} the column"
        raise InvalidDataError(
            f"channel {channel.name} {what} {time_column!r} to order its rows by: time_column must be of dates, times "
            "or numbers"
        )
    times = channel.table.column(time_column)
    if times.null_count:
        raise InvalidDataError(
            f"channel {channel.name}: {times.null_count} rows have no value in the time column {time_column!r}: give "
            "them one, or leave these rows out"
        )
    num_distinct = len(pc.unique(times))
    if num_distinct < len(times):
        message(
            f"channel {channel.name}: {len(times) - num_distinct} rows have a time in {time_column!r} that an earlier "
            "row has; they stay in the order of the file. Where it holds several series one below the other, give each "
            "a column of its own, or a dataset"
        )
    ticks = times.combine_chunks().cast(pa.int64()) if found.type is ColumnType.DATETIME else times
    values = np.asarray(ticks.to_numpy())
    order = np.argsort(values, kind="stable")
    _tell_gaps(channel.name, time_column, values[order], message, is_time=found.type is ColumnType.DATETIME)
    return pa.array(order)


def _tell_gaps(
    channel_name: str, time_column: str, ticks: Array, message: Callable[[str], None], *, is_time: bool
) -> None:
    steps = np.diff(ticks.astype(np.float64))
    steps = steps[steps > 0]
    usual = float(np.median(steps)) if len(steps) else 0.0
    share = float((np.abs(steps - usual) > _UNEVEN * usual).mean()) if len(steps) else 0.0
    if share > _MAX_UNEVEN_SHARE:
        least, most, half = (
            str(timedelta(microseconds=step)) if is_time else f"{step:g}" for step in (steps.min(), steps.max(), usual)
        )
        message(
            f"channel {channel_name}: rows are not evenly spaced in {time_column!r}: steps go from {least} to {most}, "
            f"the median is {half}. Each row counts as one step all the same; for steps of time, give every one a row, "
            "its values empty where they are not known"
        )


def cut_windows(timeline: Timeline, *, window: int, horizon: int, first: int, end: int) -> Windows:
    """All windows whose horizon lies within the rows from `first` to before `end`; their inputs may lie before it.

    A window with a missing value in its horizon is left out.

    Raises:
        InvalidDataError: They are too large.
    """
    num_bytes = max(end - first, 0) * window * len(timeline.columns) * np.dtype(np.float32).itemsize
    if num_bytes > MAX_BYTES:
        raise InvalidDataError(
            f"channel {timeline.name}: windows of {window} rows and {len(timeline.columns)} columns are "
            f"{num_bytes / 1024**3:.0f} GiB: take a smaller window or fewer columns"
        )
    starts = np.arange(max(first - window, 0), max(end - window - horizon + 1, 0))
    truth = np.empty((0, horizon))
    if len(starts):
        truth = sliding_window_view(timeline.target, horizon)[starts + window]
        is_whole = ~np.isnan(truth).any(axis=1)
        starts, truth = starts[is_whole], truth[is_whole]
    columns = {
        name: sliding_window_view(values, window)[starts] if len(starts) else np.empty((0, window), np.float32)
        for name, values in timeline.columns.items()
    }
    frame = Frame(columns=columns, num_rows=len(starts))
    return Windows(frame=frame, truth=np.array(truth), rows=timeline.rows[starts + window - 1])


def find_period(values: Array, *, longest: int) -> int | None:
    """The season of a series: the lag of the highest peak of an autocorrelation.

    That of the changes from row to row, for it is not shifted by slow movements; where it shows nothing, that of the
    values themselves, their line of trend taken out.
    """
    present = np.where(np.isnan(values), np.nanmean(values), values)
    longest = min(longest, len(present) // _MAX_LAG_SHARE)
    if longest < 2:
        return None
    steps = np.arange(len(present))
    detrended = present - np.polyval(np.polyfit(steps, present, 1), steps)
    for series in (np.diff(present), detrended):
        correlation = _autocorrelation(series, longest + 2)
        inner = correlation[1:-1]
        peaks = np.flatnonzero((inner > correlation[:-2]) & (inner >= correlation[2:]) & (inner > _MIN_CORRELATION)) + 1
        peaks = peaks[peaks > 1]
        if len(peaks):
            return int(peaks[correlation[peaks].argmax()])
    return None


def _autocorrelation(series: Array, num_lags: int) -> Array:
    centred = series - series.mean()
    found = np.fft.irfft(np.abs(np.fft.rfft(centred, 2 * len(centred))) ** 2)[:num_lags]
    return np.asarray(found / (found[0] or 1.0))
