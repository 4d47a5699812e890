"""Jobs on registered models: what is resolved and pinned, what is refused and where, and what the container gets."""

import json
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.jobs import Job, JobCreate, JobStatus, PinnedModel, from_hyperparameters, to_hyperparameters
from aimass_core.domain.model_jobs import ModelJobSpec
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from aimass_core.errors import AimassError, ConflictError, InvalidDataError, InvalidRequestError, NotFoundError
from aimass_core.ports import Delete
from aimass_core.services import datasets, dispatch, estimates, jobs, models
from tests.factories.platform import (
    LIMITS,
    SIGNATURE,
    add_dataset,
    add_version,
    leave_result,
    make_model,
    new_principal,
    reload,
    tell,
)

VALUES = SIGNATURE.model_copy(
    update={
        "task": Task.REGRESSION,
        "target": "hours",
        "labels": None,
        "outputs": [TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1])],
    }
)
FORECAST = Signature(
    kind=SIGNATURE.kind,
    task=Task.FORECASTING,
    target="hours",
    inputs=[
        TensorSpec(name="hours", datatype=Datatype.FP32, shape=[-1, 32], column="hours", column_type=ColumnType.NUMBER)
    ],
    outputs=[TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1, 4])],
)


def submit(ports: MemoryPorts, principal: Principal, *, compute: dict[str, Any] | None = None, **spec: Any) -> Job:
    request = JobCreate.model_validate({"spec": spec, "compute": compute or {}})
    return jobs.create(ports, principal, request, limits=LIMITS)


def compress(ports: MemoryPorts, principal: Principal, parent: str = "adult", **spec: Any) -> Job:
    return submit(ports, principal, kind="compress", parent=parent, **spec)


def fuse(ports: MemoryPorts, principal: Principal, *members: str, **spec: Any) -> Job:
    return submit(ports, principal, kind="fuse", members=list(members), **spec)


def decompose(ports: MemoryPorts, principal: Principal, **spec: Any) -> Job:
    return submit(ports, principal, kind="decompose", **{"dataset": "adult", **spec})


def finish(ports: MemoryPorts, job: Job, **left: Any) -> Job:
    """The container runs and ends well."""
    dispatch.dispatch(ports, job.workspace_id, job.id)
    leave_result(ports, job, **left)
    return tell(ports, job, JobStatus.SUCCEEDED, exit_code=0)


def data_of(job: Job) -> dict[str, Any]:
    assert isinstance(job.spec, ModelJobSpec)
    assert job.spec.data is not None
    return job.spec.data.model_dump(exclude_defaults=True)


def refusal(error: pytest.ExceptionInfo[AimassError]) -> tuple[str, list[str]]:
    return error.value.message, [detail.location for detail in error.value.details]


# --- what a job is given ---------------------------------------------------------------------------------------------


def test_compress_pins_its_parent_and_the_data_of_its_training(ports: MemoryPorts, principal: Principal) -> None:
    trained = make_model(ports, principal, model=b"one", seed=7, validation_fraction=0.25, exclude_columns=["city"])
    add_version(ports, principal, datasets.get(ports, principal, "adult"))
    job = compress(ports, principal)
    assert isinstance(job.spec, CompressSpec)
    assert (job.spec.parent, job.spec.model) == ("adult@1", "adult")
    version = models.get_version(ports, principal, "adult", 1)
    assert job.models == {
        "parent": PinnedModel(model_id=version.model_id, model_name="adult", number=1, digest=version.digest)
    }
    assert job.channels == trained.channels, "the version of the training, not the newest"
    assert data_of(job) == {
        "dataset": "adult@1",
        "target": "income",
        "seed": 7,
        "validation_fraction": 0.25,
        "exclude_columns": ["city"],
    }
    assert from_hyperparameters(to_hyperparameters(job.spec)) == job.spec


def test_data_of_the_training_include_its_validation_and_test(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal, validation="adult", test="adult@1")
    job = compress(ports, principal)
    assert {name: pin.number for name, pin in job.channels.items()} == {"train": 1, "validation": 1, "test": 1}
    assert (data_of(job)["validation"], data_of(job)["test"]) == ("adult@1", "adult@1")


def test_data_are_followed_through_models_of_models(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal, seed=7)
    first = finish(ports, compress(ports, principal))
    job = compress(ports, principal, "adult@2")
    assert data_of(job) == data_of(first)
    assert data_of(job)["seed"] == 7


def test_fusion_pins_members_in_their_order(ports: MemoryPorts, principal: Principal) -> None:
    for body in (b"1", b"2"):
        make_model(ports, principal, model=body)
    make_model(ports, principal, model=b"3", algorithm="mlp")
    other = add_dataset(ports, principal, name="other")
    add_version(ports, principal, other)
    make_model(ports, principal, model=b"4", dataset="other")
    job = fuse(ports, principal, "other", "adult@1", "adult@3")
    assert isinstance(job.spec, FuseSpec)
    assert job.spec.members == ["other@1", "adult@1", "adult@3"]
    assert job.spec.model == "other"
    assert {role: f"{pin.model_name}@{pin.number}" for role, pin in job.models.items()} == {
        "member-1": "other@1",
        "member-2": "adult@1",
        "member-3": "adult@3",
    }
    assert data_of(job)["dataset"] == "other@1", "of the first"
    known = [data and data.dataset for data in job.spec.member_data]
    assert known == ["other@1", "adult@1", "adult@1"], "what each was trained with"
    assert from_hyperparameters(to_hyperparameters(job.spec)) == job.spec
    with pytest.raises(InvalidRequestError, match="found out from their jobs"):
        fuse(ports, principal, "adult@1", "adult@2", member_data=[None, None])


def test_decomposition_pins_the_single_model(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    job = decompose(ports, principal, single="adult")
    assert (job.spec.model, list(job.models)) == ("adult", ["single"])  # type: ignore[union-attr]
    assert job.spec.model_dump()["single"] == "adult@1"


def test_given_data_take_target_and_windows_of_the_model(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal, signature=FORECAST, algorithm="nlinear", target="hours", horizon=4)
    job = compress(ports, principal, data={"dataset": "adult"}, model="small")
    assert data_of(job) == {"dataset": "adult@1", "target": "hours", "horizon": 4, "window": 32}
    assert job.spec.model == "small"  # type: ignore[union-attr]


def test_container_is_told_where_each_file_of_a_model_lies(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    job = compress(ports, principal)
    dispatch.dispatch(ports, job.workspace_id, job.id)
    config = json.loads(ports.lake.get(keys.job_config(job.workspace_id, job.id, "inputdataconfig.json")))
    assert config.keys() == {"train", "parent"}
    version = models.get_version(ports, principal, "adult", 1)
    wanted = {
        artifact.name: {
            "key": keys.model_object(job.workspace_id, version.model_id, 1, artifact.name),
            "sha256": artifact.sha256,
        }
        for artifact in version.artifacts
        if not artifact.name.startswith("report")
    }
    assert config["parent"]["model"] == "adult@1"
    assert config["parent"]["files"] == wanted
    assert wanted.keys() == {"model.onnx", "signature.json", "card.json", "golden.json"}


def test_estimate_counts_the_models_and_says_what_it_takes_at_most(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal, model=b"x" * 3_000_000)
    request = JobCreate.model_validate({"spec": {"kind": "compress", "parent": "adult"}})
    found = estimates.estimate(ports, principal, request)
    assert found.disk_mib == 103
    assert found.seconds is not None
    assert found.seconds.high == found.max_seconds


# --- what is refused -------------------------------------------------------------------------------------------------


def test_unknown_models_are_told_where_they_are_named(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    with pytest.raises(NotFoundError, match="no model named 'adlt'") as error:
        compress(ports, principal, "adlt@1")
    assert refusal(error)[1] == ["body.spec.parent"]
    with pytest.raises(NotFoundError, match="'adult' has no version 9; the newest is 1") as error:
        fuse(ports, principal, "adult@1", "adult@9")
    assert refusal(error)[1] == ["body.spec.members.1"]
    with pytest.raises(NotFoundError, match="no model named 'adult'"):
        compress(ports, new_principal())


def test_model_without_a_version_is_not_found(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    models.delete_version(ports, principal, "adult", 1)
    with pytest.raises(NotFoundError, match="'adult' has no version"):
        compress(ports, principal)


def test_member_that_is_named_twice_is_refused(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    with pytest.raises(InvalidRequestError, match=r"adult@1 is a member twice: body.spec.members.0") as error:
        fuse(ports, principal, "adult@1", "adult")
    assert refusal(error)[1] == ["body.spec.members.1"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": ["yes", "no"]}, r"its labels \['yes', 'no'\] instead of \['no', 'yes'\]"),
        ({"target": "city"}, "its target city instead of income"),
        ({"task": Task.MULTICLASS, "labels": ["a", "b", "c"]}, "its task multiclass instead of binary; its labels"),
        (VALUES.model_dump(), "its task regression instead of binary"),
        (
            {"inputs": [SIGNATURE.inputs[0].model_copy(update={"column_type": ColumnType.STRING})]},
            "reads the column 'age' as string, and adult@1 reads it as integer",
        ),
    ],
    ids=["labels", "target", "task", "values", "columns"],
)
def test_members_that_answer_another_question_are_refused(
    ports: MemoryPorts, principal: Principal, changes: dict[str, Any], reason: str
) -> None:
    make_model(ports, principal)
    other = Signature.model_validate({**SIGNATURE.model_dump(), **changes})
    make_model(ports, principal, model=b"2", signature=other)
    with pytest.raises(InvalidRequestError, match=rf"adult@2 .*{reason}") as error:
        fuse(ports, principal, "adult@1", "adult@2")
    assert refusal(error)[1] == ["body.spec.members.1"]


def test_forecasts_of_other_windows_are_refused(ports: MemoryPorts, principal: Principal) -> None:
    wide = FORECAST.inputs[0].model_copy(update={"shape": [-1, 64]})
    for window, inputs in ((None, FORECAST.inputs), (64, [wide])):
        signature = FORECAST.model_copy(update={"inputs": inputs})
        spec = {"algorithm": "nlinear", "target": "hours", "horizon": 4, "window": window}
        make_model(ports, principal, signature=signature, **spec)
    with pytest.raises(InvalidRequestError, match="its window 64 instead of 32"):
        fuse(ports, principal, "adult@1", "adult@2")
    with pytest.raises(InvalidRequestError, match="The horizon is 5, and adult@1 forecasts 4 rows ahead") as error:
        compress(ports, principal, "adult@1", data={"dataset": "adult", "horizon": 5})
    assert refusal(error)[1] == ["body.spec.data.horizon"]


def test_script_without_data_asks_for_them(ports: MemoryPorts, principal: Principal) -> None:
    ports.lake.put(keys.job_source(principal.workspace_id, "0" * 64), b"packed")
    spec = {"source": "0" * 64, "entry_point": "train.py", "channels": {"train": "adult"}}
    script = submit(ports, principal, kind="script", **spec)
    finish(ports, script)
    with pytest.raises(InvalidRequestError, match=r"adult@1 was made by a script.*give `data`") as error:
        compress(ports, principal)
    assert refusal(error)[1] == ["body.spec.data"]
    assert compress(ports, principal, data={"dataset": "adult"}).channels["train"].number == 1
    make_model(ports, principal)
    fused = fuse(ports, principal, "adult@2", "adult@1")
    assert isinstance(fused.spec, FuseSpec)
    assert fused.spec.member_data[1] is None, "nobody knows what a script trained with"


def test_custom_model_cannot_be_judged(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal, signature=SIGNATURE.model_copy(update={"task": Task.CUSTOM}))
    with pytest.raises(InvalidRequestError, match="adult@1 is a custom model"):
        compress(ports, principal, data={"dataset": "adult"})


def test_data_of_the_training_that_are_gone_are_asked_for(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    datasets.delete(ports, principal, "adult")
    with pytest.raises(ConflictError, match=r"adult@1 was trained with are gone.*Give `data`") as error:
        compress(ports, principal)
    assert refusal(error)[1] == ["body.spec.data"]


@pytest.mark.parametrize(
    ("data", "location", "reason"),
    [
        ({"target": "incom"}, "body.spec.data.target", "Did you mean 'income'"),
        ({"folds": 3, "validation": "adult"}, "body.spec.data.folds", "exclude each other"),
        ({"exclude_columns": ["age"]}, "body.spec.data.exclude_columns", "adult@1 reads 'age'"),
        ({"task": "regression"}, "body.spec.data.task", "adult@1 is a binary model"),
        ({"horizon": 3}, "body.spec.data.horizon", "makes no forecast"),
        ({"window": 3}, "body.spec.data.horizon", "needs a horizon"),
        ({"model": "small"}, "body.spec.data.model", "the job's own `model`"),
    ],
    ids=str,
)
def test_given_data_that_do_not_fit_are_told_where(
    ports: MemoryPorts, principal: Principal, data: dict[str, Any], location: str, reason: str
) -> None:
    make_model(ports, principal)
    with pytest.raises(InvalidRequestError, match=reason) as error:
        compress(ports, principal, data={"dataset": "adult", **data})
    assert refusal(error)[1] == [location]


def test_data_that_lack_a_column_of_a_model_are_refused(ports: MemoryPorts, principal: Principal) -> None:
    unknown = SIGNATURE.inputs[0].model_copy(update={"column": "height", "name": "height"})
    make_model(ports, principal, signature=SIGNATURE.model_copy(update={"inputs": [unknown]}))
    with pytest.raises(InvalidDataError, match=r"adult@1 cannot read adult@1: column 'height' is missing"):
        compress(ports, principal)


def test_methods_that_do_not_fit_the_task_are_refused(ports: MemoryPorts, principal: Principal) -> None:
    for number in range(2):
        make_model(ports, principal, model=b"%d" % number)
        make_model(ports, principal, model=b"%d" % number, signature=VALUES, target="hours")
    with pytest.raises(InvalidRequestError, match="blending is for values, and these models are of the task binary"):
        fuse(ports, principal, "adult@1", "adult@3", method="blending")
    for method in ("hard_voting", "soft_voting"):
        with pytest.raises(InvalidRequestError, match=f"{method} is for labels") as error:
            fuse(ports, principal, "adult@2", "adult@4", method=method)
        assert refusal(error)[1] == ["body.spec.method"]
    assert fuse(ports, principal, "adult@2", "adult@4", method="blending").status is JobStatus.SUBMITTED


def test_only_trained_members_are_trained_again_in_folds(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    finish(ports, compress(ports, principal), model=b"small")
    with pytest.raises(InvalidRequestError, match=r"adult@2 cannot be trained again in folds.*a compress job") as error:
        fuse(ports, principal, "adult@1", "adult@2", out_of_fold=5)
    assert refusal(error)[1] == ["body.spec.members.1"]


@pytest.mark.parametrize(
    ("spec", "location", "reason"),
    [
        ({"method": "components"}, "method", "those of forecasts"),
        ({"method": "hierarchy", "target": "hours", "task": "regression"}, "method", "the task is regression"),
        ({"method": "cascade", "target": "hours", "task": "regression"}, "method", "the task is regression"),
        ({"method": "cascade", "num_active": 2}, "num_active", "it has none"),
        ({"method": "one_vs_rest", "target": "hours", "horizon": 3}, "method", "the task is forecasting"),
        ({"method": "output_codes", "task": "binary"}, "method", "there are but two"),
        ({"method": "one_vs_rest", "task": "multiclass", "num_active": 2}, "num_active", "for methods with a gate"),
        ({"method": "clusters", "num_experts": 2, "num_active": 3}, "num_active", "there are but 2"),
        ({"window": 8}, "horizon", "needs a horizon"),
        ({"target": "hours", "horizon": 3, "folds": 3}, "folds", "Leave folds out"),
        ({"expert": {"algorithm": "xgbost"}}, "expert.algorithm", "xgboost"),
        (
            {"expert": {"algorithm": "xgboost", "hyperparameters": {"depth": 3}}},
            "expert.hyperparameters.depth",
            "depth",
        ),
        ({"gate": {"algorithm": "cnn"}}, "gate.algorithm", "cnn"),
        ({"validation": "adult", "folds": 3}, "folds", "exclude each other"),
    ],
    ids=str,
)
def test_decomposition_that_cannot_be_is_told_where(
    ports: MemoryPorts, principal: Principal, spec: dict[str, Any], location: str, reason: str
) -> None:
    with pytest.raises(InvalidRequestError, match=reason) as error:
        decompose(ports, principal, **spec)
    assert refusal(error)[1] == [f"body.spec.{location}"]


def test_single_model_of_another_question_is_no_comparison(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal, signature=VALUES, target="hours")
    with pytest.raises(InvalidRequestError, match="adult@1 answers 'hours', and the target is 'income'") as error:
        decompose(ports, principal, single="adult")
    assert refusal(error)[1] == ["body.spec.single"]
    with pytest.raises(InvalidRequestError, match="adult@1 is a regression model, and the task is binary"):
        decompose(ports, principal, single="adult", task="binary")


@pytest.mark.parametrize("spec", [{"kind": "compress", "parent": "adult"}, {"kind": "decompose", "dataset": "adult"}])
def test_several_machines_are_refused(ports: MemoryPorts, principal: Principal, spec: dict[str, Any]) -> None:
    make_model(ports, principal)
    with pytest.raises(InvalidRequestError, match="runs on one machine, and 2 are asked for") as error:
        submit(ports, principal, compute={"num_nodes": 2}, **spec)
    assert refusal(error)[1] == ["body.compute"]


def test_f8_signature_that_was_replaced_is_not_believed(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    version = models.get_version(ports, principal, "adult", 1)
    key = keys.model_object(version.workspace_id, version.model_id, 1, "signature.json")
    ports.lake.put(key, VALUES.model_dump_json().encode())
    with pytest.raises(ConflictError, match=r"signature.json of adult@1 is not the one that was registered"):
        compress(ports, principal)


# --- models that go, and come again ----------------------------------------------------------------------------------


def forget(ports: MemoryPorts, version: ModelVersion) -> None:
    """Its row goes, as nothing of the platform would let it."""
    key = keys.row(version.workspace_id, ModelVersion.resource, version.model_id, version.number)
    row = ports.registry.get(key)
    assert row is not None
    ports.registry.write(Delete(key=key, expected=row.revision))


def test_member_that_is_gone_at_dispatch_fails_the_job_and_says_so(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    job = compress(ports, principal)
    forget(ports, models.get_version(ports, principal, "adult", 1))
    failed = dispatch.dispatch(ports, job.workspace_id, job.id)
    assert failed.status is JobStatus.FAILED
    assert failed.failure is not None
    assert "adult@1 that the job works on was deleted" in failed.failure.cause
    assert ports.compute.find(job.id) is None


def test_retry_pins_the_same_models_again(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    stopped = jobs.stop(ports, principal, compress(ports, principal).id)
    again = jobs.retry(ports, principal, stopped.id, limits=LIMITS)
    assert (again.models, again.spec) == (stopped.models, stopped.spec)
    with pytest.raises(ConflictError, match=again.id):
        models.delete_version(ports, principal, "adult", 1)
    jobs.stop(ports, principal, again.id)
    models.delete_version(ports, principal, "adult", 1)
    with pytest.raises(ConflictError, match="adult@1 that the job works on was deleted"):
        jobs.retry(ports, principal, stopped.id, limits=LIMITS)


def test_f10_version_that_a_job_works_on_stays_until_it_has_ended(ports: MemoryPorts, principal: Principal) -> None:
    make_model(ports, principal)
    job = compress(ports, principal)
    with pytest.raises(ConflictError, match=f"'adult' is held by the job {job.id}"):
        models.delete_version(ports, principal, "adult", 1)
    with pytest.raises(ConflictError, match=f"held by the job {job.id}"):
        models.delete(ports, principal, "adult")
    finish(ports, job, model=b"small")
    models.delete_version(ports, principal, "adult", 1)
    child = models.get_version(ports, principal, "adult", 2)
    assert [f"{parent.model_name}@{parent.number}" for parent in child.parents] == ["adult@1"], "it is still named"


def test_lineage_names_all_members_in_their_order(ports: MemoryPorts, principal: Principal) -> None:
    for number in range(11):
        make_model(ports, principal, model=b"%d" % number)
    job = fuse(ports, principal, *(f"adult@{number}" for number in range(11, 0, -1)), model="fused")
    ended = finish(ports, job)
    assert ended.model_version is not None
    version = models.get_version(ports, principal, "fused", 1)
    assert [parent.number for parent in version.parents] == list(range(11, 0, -1))
    assert version.datasets == job.channels


def test_f10_members_of_a_fusion_that_is_served_apart_stay_with_it(ports: MemoryPorts, principal: Principal) -> None:
    for body in (b"1", b"2"):
        make_model(ports, principal, model=body)
    job = fuse(ports, principal, "adult@1", "adult@2", model="fused")
    finish(ports, job, extra={"model/fusion.json": b"{}"})
    with pytest.raises(ConflictError, match="member of the fusion fused@1, which is served with its members apart"):
        models.delete_version(ports, principal, "adult", 2)
    models.delete_version(ports, principal, "fused", 1)
    models.delete_version(ports, principal, "adult", 2)


# --- parts of a decomposition ----------------------------------------------------------------------------------------


def decomposed(ports: MemoryPorts, principal: Principal, **left: Any) -> Job:
    make_model(ports, principal)
    job = decompose(ports, principal, single="adult", model="letters")
    return finish(ports, job, **{"parts": ["gate", "expert-1", "expert-2"], **left})


def test_parts_are_models_of_their_own_that_the_whole_names(ports: MemoryPorts, principal: Principal) -> None:
    job = decomposed(ports, principal, model=b"whole")
    whole = models.get_version(ports, principal, "letters", 1)
    assert {name: f"{part.model_name}@{part.number}" for name, part in whole.parts.items()} == {
        "gate": "letters-gate@1",
        "expert-1": "letters-expert-1@1",
        "expert-2": "letters-expert-2@1",
    }
    assert (whole.parents, whole.part) == ([], None), "the single model is compared with, and no parent"
    gate = models.get_version(ports, principal, "letters-gate")
    assert (gate.job_id, gate.part, gate.metrics["validation/roc_auc"]) == (job.id, "gate", 0.93)
    key = keys.model_object(gate.workspace_id, gate.model_id, 1, "model.onnx")
    assert ports.lake.get(key) == b"wholegate"


def test_part_is_no_model_to_guess_data_for(ports: MemoryPorts, principal: Principal) -> None:
    decomposed(ports, principal)
    with pytest.raises(InvalidRequestError, match="letters-gate@1 is 'gate' of a decomposition"):
        compress(ports, principal, "letters-gate")
    assert data_of(compress(ports, principal, "letters"))["dataset"] == "adult@1"


def test_f10_parts_of_a_living_whole_stay(ports: MemoryPorts, principal: Principal) -> None:
    decomposed(ports, principal)
    for delete in (
        lambda: models.delete_version(ports, principal, "letters-gate", 1),
        lambda: models.delete(ports, principal, "letters-expert-1"),
    ):
        with pytest.raises(ConflictError, match="of the decomposition letters@1"):
            delete()
    models.delete_version(ports, principal, "letters", 1)
    models.delete_version(ports, principal, "letters-gate", 1)
    models.delete(ports, principal, "letters-expert-1")


def test_long_name_leaves_room_for_that_of_the_part(ports: MemoryPorts, principal: Principal) -> None:
    finish(ports, decompose(ports, principal, model="m" * 63), parts=["expert-1"])
    assert models.get_version(ports, principal, "m" * 54 + "-expert-1").part == "expert-1"


@pytest.mark.parametrize(
    ("extra", "code", "cause"),
    [
        ({"parts/gate/card.json": b"{}"}, "artifact_invalid", "parts/gate/card.json"),
        ({"parts/Gate!/model.onnx": b"x"}, "artifact_invalid", "parts/Gate!/model.onnx"),
        ({"parts/other/model.onnx": b"x"}, "artifact_missing", "parts/other/signature.json"),
    ],
    ids=["damaged", "name", "incomplete"],
)
def test_parts_that_are_not_as_they_should_be_fail_the_job(
    ports: MemoryPorts, principal: Principal, extra: dict[str, bytes], code: str, cause: str
) -> None:
    job = reload(ports, decomposed(ports, principal, extra=extra))
    assert job.status is JobStatus.FAILED
    assert job.failure is not None
    assert job.failure.code == code
    assert cause in job.failure.cause
    with pytest.raises(NotFoundError):
        models.get(ports, principal, "letters-gate")
