"""Labels are read from lists, from text and from columns of 0 and 1; what is strange is told or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel
from batch_jobs.data.frames import Array
from batch_jobs.data.labels import are_lists, encode_labels, rarest_labels, read_labels, resolve_labels
from batch_jobs.data.splits import hold_out
from batch_jobs.data.targets import Target
from tests.unit.batch_jobs.channel_files import build_channel

FILL = ['["a"]', '["b"]'] * 10


def _channel(path: Path, cells: list[Any], kind: ColumnType = ColumnType.STRING, name: str = "train") -> Channel:
    columns = {"x": (ColumnType.INTEGER, list(range(len(cells)))), "y": (kind, cells)}
    return build_channel(path, columns, name=name, target="y")


def _read(
    *channels: Channel, target: str | list[str] = "y", separator: str = "|"
) -> tuple[Target, list[Array], list[str]]:
    messages: list[str] = []
    found, name = read_labels(
        {each.name: each for each in channels}, target, separator=separator, message=messages.append
    )
    resolved = resolve_labels(found["train"], name, message=messages.append)
    return resolved, [encode_labels(each, resolved, message=messages.append) for each in found.values()], messages


def test_lists_of_texts_become_flags_of_the_labels_in_order(tmp_path: Path) -> None:
    cells = ['["b", "a"]', "[]", '["c|d"]', "[3]", '["b", " b ", "", null]', *FILL]
    target, (truth,), messages = _read(_channel(tmp_path, cells))
    assert target.labels == ("3", "a", "b", "c|d")
    assert truth[:5].tolist() == [[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]
    assert truth.dtype == np.uint8
    assert messages[0] == "channel train: 1 rows name a label twice; it counts once"
    assert messages[1].startswith("task: 4 labels ('3', 'a', 'b', 'c|d'), 1 a row; 1 rows have none")
    assert messages[2] == "2 labels occur once ('3', 'c|d'): nothing can say how well they are recognised"


def test_a_missing_list_is_no_row_and_an_empty_text_a_row_of_no_label(tmp_path: Path) -> None:
    _, (truth,), messages = _read(_channel(tmp_path / "lists", [None, '["a", "b"]', *FILL]))
    assert len(truth) == 21
    assert messages[0] == "channel train: 1 rows without a value in the target 'y' are left out"
    _, (truth,), messages = _read(_channel(tmp_path / "texts", [None, " a |b| a||", *["a", "b"] * 10]))
    assert truth[:2].tolist() == [[0, 0], [1, 1]]
    assert "1 rows have an empty target 'y' and are rows of no label" in " ".join(messages)


def test_text_is_divided_by_the_separator_of_the_job(tmp_path: Path) -> None:
    target, _, _ = _read(_channel(tmp_path, ["person car", "car", "dog"] * 10), separator=" ")
    assert target.labels == ("car", "dog", "person")


def test_lists_of_numbers_are_labels_too(tmp_path: Path) -> None:
    target, (truth,), _ = _read(_channel(tmp_path, [[3.0, 10.0], [10.0]] * 10, ColumnType.SERIES))
    assert target.labels == ("3", "10")
    assert truth[:2].tolist() == [[1, 1], [0, 1]]


def test_columns_of_flags_are_labels_and_a_row_with_a_gap_is_left_out(tmp_path: Path) -> None:
    columns = {
        "x": (ColumnType.INTEGER, list(range(21))),
        "toxic": (ColumnType.INTEGER, [0, 1, None] * 7),
        "rude": (ColumnType.BOOLEAN, [True, False, False] * 7),
        "never": (ColumnType.NUMBER, [0.0] * 21),
    }
    channel = build_channel(tmp_path, columns)
    with pytest.raises(InvalidDataError, match="14 rows with a target"):
        _read(channel, target=["toxic", "rude", "never"])
    longer = {name: (kind, list(cells) * 2) for name, (kind, cells) in columns.items()}
    channel = build_channel(tmp_path / "longer", longer)
    target, (truth,), messages = _read(channel, target=["toxic", "rude", "never"])
    assert (target.column, target.labels) == ("toxic, rude, never", ("rude", "toxic"))
    assert truth[:2].tolist() == [[1, 0], [0, 1]]
    assert len(truth) == 28
    assert "14 rows without a value" in messages[0]


def test_labels_of_other_channels_that_training_does_not_have_are_told_and_left_out(tmp_path: Path) -> None:
    test = _channel(tmp_path, ['["a", "new"]', '["newer"]'], name="test")
    _, (_, truth), messages = _read(_channel(tmp_path, FILL), test)
    assert truth.tolist() == [[1, 0], [0, 0]]
    assert "channel test has 2 labels that the training channel does not have ('new', 'newer')" in messages[-1]
    with pytest.raises(InvalidDataError, match="none of its labels 'new' is one of the training channel"):
        _read(_channel(tmp_path / "again", FILL), _channel(tmp_path / "again", ['["new"]'], name="test"))


@pytest.mark.parametrize(
    ("cells", "kind", "reason"),
    [
        (['["a"]', "[]"] * 10, ColumnType.STRING, "one label 'a': that is a binary task"),
        (["[]"] * 20, ColumnType.STRING, "no row of channel train has a label"),
        ([None] * 20, ColumnType.STRING, "no row of channel train has a label"),
        ([*FILL, "a"], ColumnType.STRING, "row 20: the target 'a' is no list of labels"),
        ([*FILL, '["a", ["b"]]'], ColumnType.STRING, "row 20: the target"),
        ([*FILL, '["a"'], ColumnType.STRING, "row 20: the target"),
        (FILL[:19], ColumnType.STRING, "has 19 rows with a target: training needs at least 20"),
        ([f'["l{i}"]' for i in range(1001)], ColumnType.STRING, "has 1,001 labels; at most 1,000"),
        ([0.5, 1.5] * 10, ColumnType.NUMBER, "is a number column, and task=multilabel needs lists"),
    ],
)
def test_what_is_no_multi_label_target_is_refused(
    tmp_path: Path, cells: list[Any], kind: ColumnType, reason: str
) -> None:
    with pytest.raises(InvalidDataError, match=reason):
        _read(_channel(tmp_path, cells, kind))


def test_columns_with_other_values_and_absent_ones_are_refused(tmp_path: Path) -> None:
    columns = {"a": (ColumnType.INTEGER, [0, 1] * 10), "b": (ColumnType.INTEGER, [0, 2] * 10)}
    channel = build_channel(tmp_path, {**columns, "c": (ColumnType.STRING, ["yes", "no"] * 10)})
    for target, reason in ((["a", "b"], "'b' has 2;"), (["a", "c"], "string values"), (["a", "d"], "column 'd'")):
        with pytest.raises(InvalidDataError, match=reason):
            _read(channel, target=target)


def test_a_label_in_every_row_is_told(tmp_path: Path) -> None:
    _, _, messages = _read(_channel(tmp_path, ['["a", "b"]', '["b"]'] * 10))
    assert messages[-1] == "every row has the label 'b': there is nothing to learn about it"


@pytest.mark.parametrize(
    ("cells", "is_list"),
    [(FILL, True), ([None, "[]", *FILL], True), (["[a]", "[b]"], False), (["a|b", '["a"]'], False), ([None], False)],
)
def test_only_a_column_of_lists_is_taken_for_labels_without_a_word(
    tmp_path: Path, cells: list[Any], is_list: bool
) -> None:
    assert are_lists(_channel(tmp_path, cells), "y") is is_list


def test_rare_labels_are_on_either_side_of_a_hold_out() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((1000, 6)) < [0.5, 0.3, 0.2, 0.02, 0.01, 0.002]).astype(np.uint8)
    split = hold_out(1000, classes=rarest_labels(truth), fraction=0.2, seed=0)
    assert len(split.validation) == pytest.approx(200, abs=5)
    shares = truth[split.validation].sum(axis=0) / truth.sum(axis=0)
    assert shares[:5] == pytest.approx(np.full(5, 0.2), abs=0.06)
