"""Studies and their jobs: begun and continued in one transaction, read, and deleted when nobody works on them."""

from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.compute import Compute
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.jobs import Failure, Job, JobCreate, JobStatus
from aimass_core.domain.study_specs import SearchSpec, StudySpec
from aimass_core.errors import ConflictError, InvalidDataError, InvalidRequestError, NotFoundError
from aimass_core.ports import Put, WriteConflictError
from aimass_core.services import estimates, job_states, jobs, prices, records, studies
from tests.contracts.trials import new_trial
from tests.factories.platform import (
    LIMITS,
    add_dataset,
    add_version,
    leave_best,
    leave_result,
    new_principal,
    search_request,
)
from tests.unit.core.services.test_jobs import IMAGES

SPACE = {"max_depth": {"type": "int", "low": 2, "high": 8}}


def search(ports: MemoryPorts, principal: Principal, **spec: Any) -> Job:
    return jobs.create(ports, principal, search_request(**spec), limits=LIMITS)


def end(ports: MemoryPorts, job: Job) -> Job:
    return job_states.fail(ports, job.workspace_id, job.id, Failure(code="failed", cause="It failed."))


def num_rows(ports: MemoryPorts, principal: Principal) -> int:
    return len(ports.registry.query(keys.partition(principal.workspace_id), "", limit=10_000).rows)


def test_a_job_without_a_study_begins_one_named_after_its_data(ports: MemoryPorts, principal: Principal) -> None:
    job = search(ports, principal)
    assert job.study_id is not None
    study = studies.get(ports, principal, job.study_id)
    assert study.name == f"adult-{study.id[-8:]}"
    assert (study.job_ids, study.status, study.channels) == ([job.id], JobStatus.SUBMITTED, job.channels)
    assert study.spec == job.spec
    assert isinstance(job.spec, SearchSpec)
    assert (job.spec.study, job.spec.target, job.spec.model) == (study.name, "income", "adult")
    assert studies.get(ports, principal, study.name) == study
    assert studies.list_studies(ports, principal, limit=10) == ([study], None)


def test_a_name_that_would_be_too_long_is_cut(ports: MemoryPorts, principal: Principal) -> None:
    add_version(ports, principal, add_dataset(ports, principal, name="d" * 63))
    job = search(ports, principal, dataset="d" * 63)
    assert studies.get(ports, principal, str(job.study_id)).name.startswith("ddd")


def test_autotrain_is_a_study_too(ports: MemoryPorts, principal: Principal) -> None:
    body = {"kind": "autotrain", "dataset": "adult", "study": "mine", "algorithms": ["linear", "xgboost"]}
    job = jobs.create(ports, principal, JobCreate.model_validate({"spec": body}), limits=LIMITS)
    assert studies.get(ports, principal, "mine").job_ids == [job.id]


def test_the_next_job_of_a_study_goes_on_with_it(ports: MemoryPorts, principal: Principal) -> None:
    first = end(ports, search(ports, principal, study="mine", max_trials=10))
    second = search(ports, principal, study="mine", max_trials=50, num_workers=4, sampler="random", model="other")
    assert second.study_id == first.study_id
    study = studies.get(ports, principal, "mine")
    assert (study.job_ids, study.status) == ([first.id, second.id], JobStatus.SUBMITTED)
    assert study.spec.max_trials == 50
    end(ports, second)
    third = jobs.retry(ports, principal, second.id, limits=LIMITS)
    assert (third.study_id, third.retry_of) == (first.study_id, second.id)
    assert studies.get(ports, principal, "mine").job_ids == [first.id, second.id, third.id]


def test_two_jobs_on_one_study_at_the_same_time_are_refused(ports: MemoryPorts, principal: Principal) -> None:
    job = search(ports, principal, study="mine")
    before = num_rows(ports, principal)
    with pytest.raises(ConflictError, match=f"{job.id}, which is SUBMITTED, works on the study 'mine'"):
        search(ports, principal, study="mine")
    assert num_rows(ports, principal) == before, "no trace of the second job"


def test_of_two_jobs_that_continue_at_once_one_is_refused(ports: MemoryPorts, principal: Principal) -> None:
    end(ports, search(ports, principal, study="mine"))
    template = search(ports, principal, study="other")
    assert isinstance(template.spec, StudySpec)
    late = template.model_copy(
        update={"id": ports.new_id("job"), "spec": template.spec.model_copy(update={"study": "mine"})}
    )
    writes = studies.join(ports, principal, late).writes
    search(ports, principal, study="mine")
    with pytest.raises(WriteConflictError):
        ports.registry.write(Put(row=records.to_row(late)), *writes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"space": {"max_depth": {"type": "int", "low": 2, "high": 10}}},
            r"candidates\.0\.space\.max_depth\.high was 8",
        ),
        ({"space": None}, r"candidates\.0\.space was .*, and now it is None"),
        ({"algorithm": "lightgbm"}, r"candidates\.0\.algorithm was 'xgboost', and now it is 'lightgbm'"),
        ({"objectives": [{"metric": "roc_auc", "direction": "minimize"}]}, r"objectives\.0\.direction was 'maximize'"),
        ({"seed": 3}, "seed was 0, and now it is 3"),
        ({"folds": 3}, "folds was None, and now it is 3"),
        ({"max_model_bytes": 10}, "max_model_bytes was None, and now it is 10"),
        ({"dataset": "adult@2"}, "its train data were adult@1, and now they are adult@2"),
        ({"test": "adult@2"}, "its test data were none, and now they are adult@2"),
    ],
)
def test_e6_study_that_searches_for_something_else_is_another_one(
    ports: MemoryPorts, principal: Principal, changes: dict[str, Any], words: str
) -> None:
    same: dict[str, Any] = {
        "dataset": "adult@1",
        "study": "mine",
        "space": SPACE,
        "objectives": [{"metric": "roc_auc", "direction": "maximize"}],
    }
    end(ports, search(ports, principal, **same))
    add_version(ports, principal, records.find(ports, Dataset, principal.workspace_id, "adult"))
    before = num_rows(ports, principal)
    with pytest.raises(ConflictError, match=words):
        search(ports, principal, **{**same, **changes})
    assert num_rows(ports, principal) == before
    search(ports, principal, **same)


def test_e6_a_search_does_not_go_on_as_autotrain(ports: MemoryPorts, principal: Principal) -> None:
    end(ports, search(ports, principal, study="mine"))
    body = JobCreate.model_validate({"spec": {"kind": "autotrain", "dataset": "adult", "study": "mine"}})
    with pytest.raises(ConflictError, match="kind was 'search', and now it is 'autotrain'"):
        jobs.create(ports, principal, body, limits=LIMITS)


@pytest.mark.parametrize(
    ("spec", "error", "location", "words"),
    [
        ({"algorithm": "xgbost"}, InvalidRequestError, "candidates.0.algorithm", "Did you mean 'xgboost'"),
        ({"framework": "torch"}, InvalidRequestError, "candidates.0.framework", "torch"),
        (
            {"hyperparameters": {"max_dept": 3}},
            InvalidRequestError,
            "candidates.0.hyperparameters.max_dept",
            "max_dept",
        ),
        ({"algorithm": "cnn"}, InvalidDataError, "candidates.0.algorithm", "a table"),
        ({"target": "incom"}, InvalidDataError, "target", "Did you mean 'income'"),
        ({"window": 5}, InvalidRequestError, "horizon", "needs a horizon"),
        (
            {"candidates": [{"algorithm": "linear"}, {"algorithm": "xgboost"}, {"algorithm": "linear"}]},
            InvalidRequestError,
            "candidates.2",
            "Two candidates are 'linear'",
        ),
    ],
)
def test_e5_candidate_that_cannot_be_trained_is_refused_by_its_place(
    ports: MemoryPorts,
    principal: Principal,
    spec: dict[str, Any],
    error: type[InvalidRequestError],
    location: str,
    words: str,
) -> None:
    with pytest.raises(error, match=words) as caught:
        search(ports, principal, **spec)
    assert caught.value.details[0].location == f"body.spec.{location}"
    assert studies.list_studies(ports, principal, limit=10) == ([], None)


@pytest.mark.parametrize(
    ("spec", "location", "words"),
    [
        ({"space": {"max_dept": {"type": "int", "low": 2, "high": 8}}}, "candidates.0.space.max_dept", "max_dept"),
        ({"space": {"max_depth": {"type": "int", "low": 2, "high": 9_000}}}, "candidates.0.space.max_depth", "9000"),
        ({"space": {}}, "candidates.0.space", "it is empty"),
        (
            {"sampler": "grid", "space": {"learning_rate": {"type": "float", "low": 0.1, "high": 0.5}}},
            "candidates.0.space.learning_rate",
            "it has no grid",
        ),
    ],
)
def test_e5_space_that_its_algorithm_does_not_take_is_refused_by_its_field(
    ports: MemoryPorts, principal: Principal, spec: dict[str, Any], location: str, words: str
) -> None:
    with pytest.raises(InvalidRequestError, match=words) as caught:
        search(ports, principal, **spec)
    assert caught.value.details[0].location == f"body.spec.{location}"
    assert studies.list_studies(ports, principal, limit=10) == ([], None)


@pytest.mark.parametrize(
    ("space", "location", "words"),
    [
        ({"max_depth": {"type": "int", "low": 9, "high": 2}}, "max_depth.int", "low is 9 and high is 2"),
        ({"eta": {"type": "float", "low": 0, "high": 1, "log": True}}, "eta.float", "log needs a low above 0"),
        ({"booster": {"type": "categorical", "choices": []}}, "booster.categorical.choices", "at least 1 item"),
        ({"booster": {"type": "categorical", "choices": list(range(10_000))}}, "booster.categorical.choices", "1000"),
    ],
)
def test_e5_contradictory_space_is_refused_by_its_field(space: dict[str, Any], location: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        search_request(space=space)
    assert f"candidates.0.space.{location}" in str(caught.value)


def test_autotrain_takes_known_algorithms_that_fit(ports: MemoryPorts, principal: Principal) -> None:
    def autotrain(**spec: Any) -> Job:
        body = JobCreate.model_validate({"spec": {"kind": "autotrain", "dataset": "adult", **spec}})
        return jobs.create(ports, principal, body, limits=LIMITS)

    with pytest.raises(InvalidRequestError, match="no algorithm 'xgbost'") as caught:
        autotrain(algorithms=["linear", "xgbost"])
    assert caught.value.details[0].location == "body.spec.algorithms.1.algorithm"
    with pytest.raises(InvalidDataError, match="but the dataset 'adult' is a table"):
        autotrain(algorithms=["cnn"])
    with pytest.raises(InvalidDataError, match="Did you mean 'income'"):
        autotrain(target="incom")
    add_version(ports, principal, add_dataset(ports, principal, name="digits", target="label"), schema=IMAGES)
    assert autotrain(dataset="digits").study_id is not None


@pytest.mark.parametrize(
    ("compute", "num_workers", "words"),
    [
        ({"num_nodes": 2}, 2, "Nodes train one model together"),
        ({"backend": "sagemaker", "instance_type": "ml.m5.large", "instance_count": 3}, 2, "there are 2 workers"),
        ({"backend": "sagemaker", "instance_type": "ml.m5.large"}, 30, "at most 20 instances"),
    ],
)
def test_workers_are_not_the_machines_of_one_training(
    ports: MemoryPorts, principal: Principal, compute: dict[str, Any], num_workers: int, words: str
) -> None:
    request = search_request(num_workers=num_workers).model_copy(update={"compute": Compute(**compute)})
    with pytest.raises(InvalidRequestError, match=words):
        jobs.create(ports, principal, request, limits=LIMITS)


def test_on_sagemaker_each_worker_has_an_instance(ports: MemoryPorts, principal: Principal) -> None:
    compute = Compute.model_validate({"backend": "sagemaker", "instance_type": "ml.m5.large"})
    request = search_request(num_workers=3).model_copy(update={"compute": compute})
    assert jobs.create(ports, principal, request, limits=LIMITS).compute.instance_count == 3


def test_a_study_is_estimated_at_its_time_and_all_of_its_workers(ports: MemoryPorts, principal: Principal) -> None:
    request = search_request(num_workers=4).model_copy(update={"max_seconds": 600})
    found = estimates.estimate(ports, principal, request)
    assert found.seconds is not None
    assert (found.seconds.low, found.seconds.expected, found.seconds.high) == (600, 600, 600)
    assert found.usd_per_hour == pytest.approx(4 * (prices.usd_per_hour(Compute()) or 0), abs=1e-6)
    assert found.memory_mib is not None
    limited = estimates.estimate(ports, principal, search_request(max_trials=3))
    assert limited.seconds is not None
    assert limited.seconds.low < limited.seconds.expected
    bought = search_request(num_workers=4).model_copy(update={"max_cost_usd": 0.1})
    alone = search_request().model_copy(update={"max_cost_usd": 0.1})
    seconds = [estimates.estimate(ports, principal, each).budget for each in (bought, alone)]
    assert seconds[0] is not None
    assert seconds[1] is not None
    assert seconds[1].seconds == pytest.approx(4 * seconds[0].seconds, abs=4)


def test_trials_are_read_page_by_page(ports: MemoryPorts, principal: Principal) -> None:
    job = search(ports, principal, study="mine")
    ports.trials.trials[job.workspace_id, str(job.study_id)] = [new_trial(number) for number in range(5)]
    page, start = studies.list_trials(ports, principal, "mine", limit=3)
    rest, end_ = studies.list_trials(ports, principal, "mine", limit=3, start=start)
    assert [trial.number for trial in [*page, *rest]] == [0, 1, 2, 3, 4]
    assert end_ is None


def test_the_best_so_far_has_links(ports: MemoryPorts, principal: Principal) -> None:
    job = search(ports, principal, study="mine")
    with pytest.raises(NotFoundError, match="No trial of the study 'mine' has left a model yet"):
        studies.get_best(ports, principal, "mine")
    leave_best(ports, job, trial=7)
    best = studies.get_best(ports, principal, "mine")
    assert best.trial == 7
    assert best.links["model/model.onnx"].endswith(
        f"studies/{job.workspace_id}/{job.study_id}/trials/000007/model/model.onnx"
    )
    assert best.links.keys() == {artifact.name for artifact in best.artifacts}


def test_figures_are_those_of_the_newest_job_that_left_any(ports: MemoryPorts, principal: Principal) -> None:
    first = search(ports, principal, study="mine")
    nothing = studies.get_figures(ports, principal, "mine")
    assert (nothing.figures, nothing.page) == ({}, None)
    records.save(ports, first, first.id, attempt=1)
    extra = {"output/figures/history.json": b"{}", "output/study.html": b"<html>", "output/figures/notes.txt": b""}
    leave_result(ports, first, extra=extra)
    end(ports, records.get(ports, Job, first.workspace_id, first.id))
    search(ports, principal, study="mine")
    found = studies.get_figures(ports, principal, "mine")
    assert list(found.figures) == ["history"]
    assert found.figures["history"].endswith("output/figures/history.json")
    assert str(found.page).endswith("output/study.html")


def test_figures_and_the_leaderboard_are_there_while_a_job_runs_and_where_it_comes_to_no_end(
    ports: MemoryPorts, principal: Principal
) -> None:
    job = search(ports, principal, study="mine")
    for name in ("figures/history.json", "study.html", "leaderboard.json"):
        ports.lake.put(keys.study_live(job.workspace_id, str(job.study_id), name), b"{}")
    found = studies.get_figures(ports, principal, "mine")
    assert list(found.figures) == ["history"]
    folder = f"studies/{job.workspace_id}/{job.study_id}/live/"
    assert found.figures["history"].endswith(f"{folder}figures/history.json")
    assert str(found.page).endswith(f"{folder}study.html")
    assert str(found.leaderboard).endswith(f"{folder}leaderboard.json")
    end(ports, records.get(ports, Job, job.workspace_id, job.id))
    assert studies.get_figures(ports, principal, "mine").leaderboard == found.leaderboard


def test_a_deleted_study_leaves_nothing_but_its_models(ports: MemoryPorts, principal: Principal) -> None:
    job = search(ports, principal, study="mine")
    leave_best(ports, job)
    address = (job.workspace_id, str(job.study_id))
    ports.trials.trials[address] = [new_trial()]
    with pytest.raises(ConflictError, match="works on the study 'mine'"):
        studies.delete(ports, principal, "mine")
    assert ports.trials.trials
    end(ports, job)
    studies.delete(ports, principal, "mine")
    assert ports.trials.trials == {}
    assert list(ports.lake.list(keys.study_prefix(*address))) == []
    for use_case in (studies.get, studies.get_best, studies.get_figures, studies.delete):
        with pytest.raises(NotFoundError):
            use_case(ports, principal, "mine")
    assert search(ports, principal, study="mine").study_id != job.study_id, "the name is free"


def test_a_deletion_that_was_interrupted_is_repeated_and_nobody_joins_it(
    ports: MemoryPorts, principal: Principal
) -> None:
    job = end(ports, search(ports, principal, study="mine"))
    leave_best(ports, job)
    records.save(ports, studies.get(ports, principal, "mine"), str(job.study_id), is_being_deleted=True)
    with pytest.raises(ConflictError, match="is being deleted"):
        search(ports, principal, study="mine")
    studies.delete(ports, principal, "mine")
    assert studies.load_best(ports, job.workspace_id, str(job.study_id)) is None
    with pytest.raises(NotFoundError):
        studies.get(ports, principal, "mine")


def test_h2_study_of_another_workspace_is_not_found(ports: MemoryPorts, principal: Principal) -> None:
    job = search(ports, principal, study="mine")
    stranger = new_principal()
    for name in ("mine", str(job.study_id)):
        with pytest.raises(NotFoundError):
            studies.get(ports, stranger, name)
        with pytest.raises(NotFoundError):
            studies.delete(ports, stranger, name)
