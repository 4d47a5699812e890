"""Tasks, labels and what cannot be a target."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError
from batch_jobs.data.targets import (
    Target,
    TargetScale,
    drop_unlabelled,
    encode_target,
    resolve_target,
    sort_labels,
)
from tests.unit.batch_jobs.channel_files import build_channel


class _Channels:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages: list[str] = []

    def resolve(self, column_type: ColumnType, values: list[Any], *, task: Task | None = None) -> Target:
        channel = build_channel(self.path, {"y": (column_type, values)})
        channel = drop_unlabelled(channel, "y", message=self.messages.append)
        return resolve_target(channel, "y", task=task, message=self.messages.append)

    def encode(self, target: Target, column_type: ColumnType, values: list[Any]) -> list[Any]:
        channel = build_channel(self.path, {"y": (column_type, values)}, name="test")
        encoded: list[Any] = encode_target(channel, target, message=self.messages.append).tolist()
        return encoded


@pytest.fixture
def channels(tmp_path: Path) -> _Channels:
    return _Channels(tmp_path)


@pytest.mark.parametrize(
    ("column_type", "values", "task", "labels"),
    [
        (ColumnType.STRING, ["yes", "no"] * 20, Task.BINARY, ("no", "yes")),
        (ColumnType.BOOLEAN, [True, False] * 20, Task.BINARY, ("false", "true")),
        (ColumnType.STRING, ["a", "b", "c", "a"] * 10, Task.MULTICLASS, ("a", "b", "c")),
        (ColumnType.INTEGER, [10, 9, 2] * 40, Task.MULTICLASS, ("2", "9", "10")),
        (ColumnType.NUMBER, [1.0, 0.0] * 30, Task.BINARY, ("0", "1")),
        (ColumnType.INTEGER, [*range(20)] * 2, Task.REGRESSION, None),
        (ColumnType.INTEGER, [*range(40)], Task.REGRESSION, None),
        (ColumnType.NUMBER, [0.5, 1.0, 1.5] * 30, Task.REGRESSION, None),
    ],
)
def test_the_task_follows_from_the_column(
    channels: _Channels, column_type: ColumnType, values: list[Any], task: Task, labels: tuple[str, ...] | None
) -> None:
    target = channels.resolve(column_type, values)
    assert (target.task, target.labels) == (task, labels)
    assert any(text.startswith(f"task: {task}") for text in channels.messages)


@pytest.mark.parametrize(
    ("column_type", "values", "told"),
    [
        (ColumnType.INTEGER, [0, 1, 2, 3, 4] * 30, "task=regression"),
        (ColumnType.STRING, ["a|b", "b|c", "a|b|c", "c|a", "b"] * 10, "3 labels: task=multilabel learns"),
        (ColumnType.STRING, ["a, b", "b, c", "a, b, c", "c, a"] * 10, "label_separator=','"),
        (ColumnType.STRING, ["a", "b", "c"] * 10, None),
        (ColumnType.STRING, ["Oslo, Norway", "Rome, Italy", "Lima, Peru"] * 10, None),
    ],
)
def test_what_else_the_target_might_be_is_told(
    channels: _Channels, column_type: ColumnType, values: list[Any], told: str | None
) -> None:
    channels.resolve(column_type, values)
    found = [message for message in channels.messages if message.startswith("if these are")]
    assert len(found) == (told is not None)
    assert told is None or told in found[0]


def test_two_classes_asked_for_as_multiclass_are_a_binary_task(channels: _Channels) -> None:
    assert channels.resolve(ColumnType.STRING, ["a", "b"] * 20, task=Task.MULTICLASS).task is Task.BINARY


@pytest.mark.parametrize(
    ("column_type", "values", "task", "reason"),
    [
        (ColumnType.STRING, ["same"] * 40, None, "is constant \\('same'\\)"),
        (ColumnType.STRING, [None] * 40, None, "has no value in channel train: all 40 are missing"),
        (ColumnType.STRING, [" "] * 40, None, "has no value"),
        (ColumnType.NUMBER, [float("nan")] * 40, None, "has no value"),
        (ColumnType.STRING, [f"row {n}" for n in range(40)], None, "nearly one for each row"),
        (ColumnType.INTEGER, [*range(40)], Task.MULTICLASS, "nearly one for each row"),
        (ColumnType.STRING, ["a"] * 39 + ["b"], None, "class 'b' has one example"),
        (ColumnType.STRING, ["a", "b"] * 5, None, "has 10 rows with a target: training needs at least 20"),
        (ColumnType.STRING, ["a", "b"] * 20, Task.REGRESSION, "a regression needs numbers"),
        (ColumnType.STRING, ["a", "b", "c", "a"] * 10, Task.BINARY, "task=binary, but target 'y' has 3 values"),
        (ColumnType.DATETIME, [0, 1] * 20, None, "is a datetime column"),
    ],
)
def test_what_cannot_be_learned_is_refused_with_the_reason(
    channels: _Channels, column_type: ColumnType, values: list[Any], task: Task | None, reason: str
) -> None:
    with pytest.raises(InvalidDataError, match=reason):
        channels.resolve(column_type, values, task=task)


def test_a_target_that_does_not_exist_is_refused_with_those_that_do(tmp_path: Path) -> None:
    channel = build_channel(tmp_path, {"x": (ColumnType.NUMBER, [1.0])})
    with pytest.raises(InvalidDataError, match="no target column 'y'; it has 'x'"):
        drop_unlabelled(channel, "y", message=print)


def test_rows_without_a_target_are_left_out_and_counted(channels: _Channels) -> None:
    channels.resolve(ColumnType.STRING, ["a", "b", None, " "] * 20)
    assert "channel train: 40 rows without a value in the target 'y' are left out" in channels.messages


def test_a_class_with_one_example_among_others_is_trained_on_with_a_warning(channels: _Channels) -> None:
    target = channels.resolve(ColumnType.STRING, ["a", "b"] * 20 + ["c"])
    assert target.labels == ("a", "b", "c")
    assert any("have one example each ('c')" in text for text in channels.messages)


def test_labels_with_a_trailing_mark_are_read_as_the_known_ones(channels: _Channels) -> None:
    target = channels.resolve(ColumnType.STRING, ["<=50K", ">50K"] * 20)
    assert channels.encode(target, ColumnType.STRING, [">50K.", "<=50K.", " >50K"]) == [1, 0, 1]
    assert any("'<=50K.' as '<=50K', '>50K.' as '>50K'" in text for text in channels.messages)


@pytest.mark.parametrize("strange", ["maybe", "yess", "yes..", ""])
def test_labels_that_training_never_saw_are_refused_by_name(channels: _Channels, strange: str) -> None:
    target = channels.resolve(ColumnType.STRING, ["yes", "no"] * 20)
    with pytest.raises(InvalidDataError, match=f"does not have: {strange!r}"):
        channels.encode(target, ColumnType.STRING, ["yes", strange])


def test_integers_and_numbers_are_the_same_labels(channels: _Channels) -> None:
    target = channels.resolve(ColumnType.INTEGER, [0, 1] * 40)
    assert channels.encode(target, ColumnType.NUMBER, [1.0, 0.0]) == [1, 0]


def test_values_that_float32_arithmetic_cannot_hold_are_refused(channels: _Channels) -> None:
    target = channels.resolve(ColumnType.NUMBER, [0.5 * n for n in range(40)])
    with pytest.raises(InvalidDataError, match="use a larger unit"):
        channels.encode(target, ColumnType.NUMBER, [1.0, -1e300])


def test_labels_that_are_all_numbers_sort_by_value() -> None:
    assert sort_labels(["10", "9", "-1.5"]) == ["-1.5", "9", "10"]
    assert sort_labels(["10", "9", "a"]) == ["10", "9", "a"]


def test_standardising_and_back_gives_the_values() -> None:
    values = np.array([1e6, 1e6 + 1, 1e6 + 2])
    scale = TargetScale(mean=1e6 + 1, deviation=0.5)
    assert scale.to_values(scale.to_standard(values)).tolist() == values.tolist()
