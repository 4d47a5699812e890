"""Which rows may fit and judge a combination."""

from typing import Any

import numpy as np
import pytest

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Card, Golden, Signature, Task
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.data.frames import Frame
from batch_jobs.data.splits import hold_out
from batch_jobs.data.targets import Target
from batch_jobs.fuse.unseen import Trained, split_unseen
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.material import TRAIN, VALIDATION, Material, Part
from batch_jobs.train.notes import Notes
from tests.unit.batch_jobs.conftest import RecordingReporter

NUM_ROWS = 1000
LABELS = np.arange(NUM_ROWS) % 3


def _data(**fields: Any) -> LearningSpec:
    return LearningSpec.model_validate({"dataset": "tiny@1"} | fields)


def _held(**fields: Any) -> set[int]:
    spec = _data(**fields)
    split = hold_out(NUM_ROWS, classes=LABELS, fraction=spec.held_out_fraction, seed=spec.seed)
    return set(split.validation.tolist())


def _member(name: str, data: LearningSpec | None, *, is_refitted: bool = False) -> Trained:
    card = Card(
        algorithm="linear",
        framework="sklearn",
        task=Task.MULTICLASS,
        target="y",
        hyperparameters={},
        seed=0,
        dataset="tiny",
        is_refitted=is_refitted,
        evaluations=[],
        model_bytes=1,
        training_seconds=1,
    )
    signature = Signature(kind=DatasetKind.TABLE, task=Task.MULTICLASS, target="y", inputs=[], outputs=[])
    golden = Golden(inputs={}, outputs={})
    model = RegisteredModel(name=name, model=name.encode(), signature=signature, card=card, golden=golden)
    return Trained(model=model, data=data)


def _part(name: str, rows: Any, numbers: Any = None) -> Part:
    frame = Frame(columns={"x": np.asarray(rows, dtype=np.float32)}, num_rows=len(rows))
    return Part(name=name, frame=frame, truth=LABELS[rows], numbers=np.asarray(rows if numbers is None else numbers))


def _material(data: LearningSpec, *, num_others: int = 0) -> Material:
    """As it is read with such data; `num_others` are rows of a validation dataset."""
    if num_others:
        parts = {TRAIN: _part(TRAIN, np.arange(NUM_ROWS)), VALIDATION: _part(VALIDATION, np.arange(num_others))}
    else:
        split = hold_out(NUM_ROWS, classes=LABELS, fraction=data.held_out_fraction, seed=data.seed)
        parts = {TRAIN: _part(TRAIN, split.train), VALIDATION: _part(VALIDATION, split.validation)}
    return Material(
        kind=DatasetKind.TABLE,
        data_kind=DataKind.TABLE,
        target=Target(column="y", task=Task.MULTICLASS, labels=("a", "b", "c")),
        columns=[],
        image_shape=None,
        parts=parts,
    )


def _split(data: LearningSpec, members: list[Trained], **options: Any) -> Material:
    num_others = 120 if data.validation else 0
    return split_unseen(_material(data, num_others=num_others), data, members, Notes(RecordingReporter()), **options)


def _found(material: Material) -> set[int]:
    return set(material.parts[VALIDATION].rows.tolist())


def test_members_of_one_split_have_not_seen_what_it_holds_out() -> None:
    data = _data(seed=4)
    material = _split(data, [_member("a@1", data), _member("a@2", data)])
    assert _found(material) == _held(seed=4)


def test_of_members_with_different_splits_the_rows_count_that_all_hold_out() -> None:
    first, second = _data(seed=1, validation_fraction=0.4), _data(seed=2, validation_fraction=0.5)
    material = _split(first, [_member("a@1", first), _member("a@2", second)])
    both = _held(seed=1, validation_fraction=0.4) & _held(seed=2, validation_fraction=0.5)
    assert _found(material) == both
    assert 100 < len(both) < 300
    assert set(material.parts[TRAIN].rows.tolist()) == set(range(NUM_ROWS)) - both
    frame = material.parts[VALIDATION].frame
    assert isinstance(frame, Frame)
    np.testing.assert_array_equal(frame.columns["x"], material.parts[VALIDATION].rows)


def test_the_data_may_be_split_otherwise_than_any_member() -> None:
    own = _data(seed=1, validation_fraction=0.4)
    material = _split(_data(seed=9), [_member("a@1", own), _member("a@2", own)])
    assert _found(material) == _held(seed=1, validation_fraction=0.4)


def test_all_rows_are_new_to_members_of_other_data() -> None:
    other = _data(dataset="older@3")
    material = _split(_data(), [_member("a@1", other, is_refitted=True), _member("a@2", other)])
    assert _found(material) == set(range(NUM_ROWS))


def test_a_validation_dataset_is_new_unless_a_member_was_fitted_to_it() -> None:
    data = _data(validation="held@1")
    assert len(_found(_split(data, [_member("a@1", data), _member("a@2", data)]))) == 120
    with pytest.raises(InvalidDataError, match="0 rows of the data are new to all members"):
        _split(data, [_member("a@1", data), _member("a@2", data, is_refitted=True)])


def test_members_that_saw_all_rows_need_other_data() -> None:
    data = _data()
    with pytest.raises(
        InvalidDataError, match=r"0 rows .* takes 50 .*a@2 0 \(it was fitted on all rows\).*Give `data`"
    ):
        _split(data, [_member("a@1", data), _member("a@2", data, is_refitted=True)])


def test_too_few_rows_say_how_many_there_are() -> None:
    first, second = _data(seed=1, validation_fraction=0.1), _data(seed=2, validation_fraction=0.1)
    count = len(_held(seed=1, validation_fraction=0.1) & _held(seed=2, validation_fraction=0.1))
    with pytest.raises(InvalidDataError, match=f"^{count} rows of the data"):
        _split(first, [_member("a@1", first), _member("a@2", second)])


def test_a_member_of_another_dataset_may_have_seen_any_row() -> None:
    data = _data()
    with pytest.raises(InvalidRequestError, match=r"a@2 on tiny@2.*Give `data`"):
        _split(data, [_member("a@1", data), _member("a@2", _data(dataset="tiny@2"))])


def test_what_is_not_known_is_told() -> None:
    reporter, data = RecordingReporter(), _data()
    members = [_member("a@1", data), _member("script@1", None)]
    found = split_unseen(_material(data), data, members, Notes(reporter))
    assert _found(found) == _held()
    assert any("script@1" in message and "not known" in message for message in reporter.messages)
