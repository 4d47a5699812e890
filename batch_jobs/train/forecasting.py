"""The channels of a forecast: windows in time, validated on the last of them, and what the naive forecasts achieve."""

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.domain.signatures import Task
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel
from batch_jobs.data.frames import Array
from batch_jobs.data.series import NUMERIC
from batch_jobs.data.targets import MIN_ROWS, Target, TargetScale
from batch_jobs.data.windows import Timeline, cut_windows, find_period, read_timeline
from batch_jobs.train.material import TEST, TRAIN, VALIDATION, Material, Part

Message = Callable[[str], None]


def load_forecast(channels: Mapping[str, Channel], spec: LearningSpec, message: Message) -> Material:
    """Windows of all channels. Without a validation channel, the last part of the training rows in time validates.

    No window that is trained on reaches into rows that validate. Those that validate are made from what had come
    before, as a forecast is.

    Raises:
        InvalidDataError: The target is no number, or there are too few rows.
    """
    train, horizon, window = channels[TRAIN], int(spec.horizon or 0), spec.num_window_rows
    # A forecast of several targets was refused when it was asked for.
    name = cast("str | None", spec.target or train.schema.target)
    names = _choose_columns(train, name, spec, message)
    timelines = {
        key: read_timeline(channel, names, target=names[0], time_column=spec.time_column, message=message)
        for key, channel in channels.items()
    }
    whole = timelines[TRAIN]
    num_held = 0 if VALIDATION in timelines else max(round(whole.num_rows * spec.held_out_fraction), horizon)
    cut = whole.num_rows - num_held
    scale = _fit_scale(whole.target[:cut], names[0])
    target = Target(column=names[0], task=Task.FORECASTING, labels=None, horizon=horizon, scale=scale)
    limits = {TRAIN: (whole, 0, cut)}
    limits |= {VALIDATION: (whole, cut, whole.num_rows)} if num_held else {}
    limits |= {key: (found, 0, found.num_rows) for key, found in timelines.items() if key != TRAIN}
    parts = {
        key: _part(key, timeline, window=window, horizon=horizon, first=first, end=end)
        for key, (timeline, first, end) in limits.items()
    }
    if num_held:
        message(
            f"the last {num_held} of {whole.num_rows} rows validate; no window that is trained on reaches into them"
        )
    message(f"a window of {window} rows, {horizon} rows ahead: {parts[TRAIN].num_rows} windows are trained on")
    _tell_naive(parts, target, find_period(whole.target[:cut], longest=window), message)
    return Material(
        kind=train.schema.kind,
        data_kind=DataKind.SERIES,
        target=target,
        columns=[Column(name=name, type=ColumnType.SERIES) for name in names],
        image_shape=None,
        parts=parts,
    )


def _choose_columns(channel: Channel, target: str | None, spec: LearningSpec, message: Message) -> list[str]:
    """The numeric columns, the target first."""
    found = channel.schema.column(target) if target is not None else None
    if found is None or found.type not in NUMERIC:
        what = "there is none" if found is None else f"{target!r} is a {found.type} column"
        numbers = [column.name for column in channel.schema.columns if column.type in NUMERIC]
        raise InvalidDataError(f"a forecast needs a numeric target and {what}: choose one of {numbers[:20]}")
    left_out = {found.name, spec.time_column, *spec.exclude_columns}
    others = [column for column in channel.schema.columns if column.name not in left_out]
    for column in others:
        if column.type not in NUMERIC:
            message(f"column {column.name!r} is left out: forecasts are made from numbers, and it is {column.type}")
    return [found.name, *(column.name for column in others if column.type in NUMERIC)]


def _fit_scale(values: Array, target: str) -> TargetScale:
    present = values[~np.isnan(values)]
    if not len(present) or np.ptp(present) == 0:
        raise InvalidDataError(
            f"target {target!r} is constant or missing in the training rows: there is nothing to learn"
        )
    return TargetScale(mean=float(present.mean()), deviation=float(present.std()))


def _part(name: str, timeline: Timeline, *, window: int, horizon: int, first: int, end: int) -> Part:
    windows = cut_windows(timeline, window=window, horizon=horizon, first=first, end=end)
    needed = MIN_ROWS if name == TRAIN else 1
    if len(windows.rows) < needed:
        raise InvalidDataError(
            f"the {name} rows give {len(windows.rows)} windows of {window} rows that are followed by {horizon} rows "
            f"with a target, and {needed} are needed: channel {timeline.name} has {timeline.num_rows} rows. Give it "
            "more, or take a smaller window or horizon"
        )
    return Part(name=name, frame=windows.frame, truth=windows.truth, numbers=windows.rows)


def _tell_naive(parts: Mapping[str, Part], target: Target, period: int | None, message: Message) -> None:
    """What it is worth to say that all stays as it is, or that the last season comes again."""
    for name in (VALIDATION, TEST):
        if name not in parts:
            continue
        past, truth = parts[name].sample(seed=0).frame.columns[target.column], parts[name].truth
        words = [f"last value {_errors(np.repeat(past[:, -1:], target.horizon, axis=1), truth)}"]
        if period is not None:
            places = past.shape[1] - period + np.arange(target.horizon) % period
            words.append(f"last season of {period} rows {_errors(past[:, places], truth)}")
        message(f"naive forecasts, {name}: {'; '.join(words)}")


def _errors(values: Array, truth: Array) -> str:
    difference = values.astype(np.float64) - truth
    known = difference[~np.isnan(difference)]
    if not len(known):
        return "unknown"
    return f"rmse {np.sqrt(np.mean(known**2)):.5g}, mae {np.mean(np.abs(known)):.5g}"
