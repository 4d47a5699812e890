"""What cannot be combined is refused with the reason, before anything is fitted."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs import fuse
from tests.unit.batch_jobs.channel_files import write_channel
from tests.unit.batch_jobs.conftest import RecordingReporter
from tests.unit.batch_jobs.fuse.conftest import (
    Family,
    Member,
    fuse_environment,
    make_table,
    read_fusion,
    run_fuse,
)


def _changed(tmp_path: Path, member: Member, **changes: Any) -> Member:
    """The same files with another signature."""
    path = tmp_path / "changed"
    path.mkdir()
    for item in member.path.iterdir():
        (path / item.name).write_bytes(item.read_bytes())
    signature = Signature.model_validate_json((path / "signature.json").read_bytes())
    (path / "signature.json").write_text(signature.model_copy(update=changes).model_dump_json())
    (path / "model.onnx").write_bytes((path / "model.onnx").read_bytes() + b"")
    return replace(member, name="changed@1", path=path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": ["no", "maybe"]}, "its labels differ"),
        ({"task": Task.MULTICLASS}, "its task differ"),
        ({"target": "other"}, "its target differ"),
    ],
)
def test_members_that_answer_other_questions(
    tmp_path: Path, classifiers: Family, changes: Mapping[str, Any], words: str
) -> None:
    other = _changed(tmp_path, classifiers.members[1], **changes)
    with pytest.raises(InvalidRequestError, match=f"changed@1 cannot be combined with trees@1: {words}"):
        run_fuse(tmp_path / "fuse", classifiers.channels, [classifiers.members[0], other])


def test_members_of_other_tasks(tmp_path: Path, classifiers: Family, regressors: Family) -> None:
    members = [classifiers.members[0], replace(regressors.members[0], name="value@1")]
    with pytest.raises(InvalidRequestError, match=r"value@1 .* its task differ: regression and not binary"):
        run_fuse(tmp_path, classifiers.channels, members)


def test_the_same_member_twice(tmp_path: Path, classifiers: Family) -> None:
    first = classifiers.members[0]
    with pytest.raises(InvalidRequestError, match="trees@1 is the same model twice"):
        run_fuse(tmp_path, classifiers.channels, [first, first])
    with pytest.raises(InvalidRequestError, match="trees@1 and copy@7 is the same model twice"):
        run_fuse(tmp_path, classifiers.channels, [first, replace(first, name="copy@7")])


def test_a_member_that_was_deleted_meanwhile(tmp_path: Path, classifiers: Family) -> None:
    environment = fuse_environment(tmp_path, classifiers.channels, classifiers.members)
    lacking = replace(environment, models={"member-1": environment.models["member-1"]})
    with pytest.raises(InvalidRequestError, match="'line@1' is not there"):
        fuse.run(lacking, RecordingReporter())


def test_data_that_lack_a_column(tmp_path: Path, classifiers: Family) -> None:
    columns = {name: values for name, values in make_table("binary").items() if name != "width"}
    channels = {"train": write_channel(tmp_path / "less", columns, target="target")}
    with pytest.raises(InvalidDataError, match=r"lacks the columns .'width'."):
        run_fuse(tmp_path / "fuse", channels, classifiers.members)


def test_data_with_a_label_that_the_members_do_not_know(tmp_path: Path, classifiers: Family) -> None:
    columns = dict(make_table("binary"))
    columns["target"] = (ColumnType.STRING, ["maybe", *columns["target"][1][1:]])
    channels = {"train": write_channel(tmp_path / "more", columns, target="target")}
    with pytest.raises(InvalidDataError, match="'maybe'"):
        run_fuse(tmp_path / "fuse", channels, classifiers.members)


def test_a_metric_that_there_is_not(tmp_path: Path, classifiers: Family) -> None:
    with pytest.raises(InvalidRequestError, match=r"no metric 'rmse' of a binary task.*roc_auc"):
        run_fuse(tmp_path, classifiers.channels, classifiers.members, metric="rmse")


def test_limits_that_nothing_meets_say_what_to_relax(tmp_path: Path, regressors: Family) -> None:
    with pytest.raises(InvalidDataError, match=r"model_bytes [\d,]+ > 1\b.*raise max_model_bytes to [\d,]+"):
        run_fuse(
            tmp_path,
            regressors.channels,
            regressors.members,
            method="blending",
            placement="one_graph",
            max_model_bytes=1,
        )
    environment = fuse_environment(tmp_path, regressors.channels, regressors.members)
    fusion = read_fusion(environment)
    assert fusion.method is None
    assert fusion.methods[0].score is not None
    assert not (environment.model_path / "model.onnx").exists()


def test_what_is_no_better_than_a_member_is_not_registered(tmp_path: Path, regressors: Family) -> None:
    """The trees see what the others do not: all alike they are worse."""
    with pytest.raises(InvalidDataError, match=r"no combination is better than trees@1 alone, with rmse .*averaging"):
        run_fuse(tmp_path, regressors.channels, regressors.members, method="averaging")
    fusion = read_fusion(fuse_environment(tmp_path, regressors.channels, regressors.members))
    assert (fusion.best_member, fusion.method) == ("trees@1", None)
    assert (tmp_path / "output" / "fusion.html").exists()
    assert not (tmp_path / "model").exists()


def test_out_of_fold_needs_members_that_can_be_trained_again(tmp_path: Path, classifiers: Family) -> None:
    environment = fuse_environment(tmp_path, classifiers.channels, classifiers.members, out_of_fold=3)
    spec = environment.spec.model_copy(update={"member_data": []})
    with pytest.raises(InvalidRequestError, match=r"trees@1 .* cannot be trained again"):
        fuse.run(replace(environment, spec=spec), RecordingReporter())
