"""Workers of a search job on one study: some are killed, and nothing is lost or doubled."""

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from aimass_core.bootstrap import AwsClients
from aimass_core.domain import keys
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.studies import BestSoFar, Leaderboard
from batch_jobs.search.storage import FAILURE
from tests.integration.search.conftest import NewStorage
from tests.integration.search.study_jobs import Place, work
from tests.integration.search.test_workers import wait_until
from tests.unit.batch_jobs.channel_files import mixed_columns, write_channel

JOIN_SECONDS = 400
QUICK: dict[str, Any] = {
    "algorithm": "linear",
    "space": {"l2": {"type": "float", "low": 1e-3, "high": 10, "log": True}},
}
SLOW: dict[str, Any] = {
    "algorithm": "xgboost",
    "hyperparameters": {"num_rounds": 1_500, "early_stopping_rounds": 1_000, "learning_rate": 0.002},
    "space": {"max_depth": {"type": "int", "low": 4, "high": 8}, "subsample": {"type": "float", "low": 0.5, "high": 1}},
}


@pytest.fixture(scope="module")
def processes(clients: AwsClients) -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.search.study_jobs"])
    return context


@pytest.fixture
def place(tmp_path: Path, clients: AwsClients, table: str, workspace_id: str) -> Place:
    bucket = f"lake-{uuid4().hex}"
    region = clients.s3.meta.region_name
    clients.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})
    columns, signal_values = mixed_columns(300, seed=0)
    target = (ColumnType.STRING, np.where(signal_values > 0, "yes", "no").tolist())
    channel = write_channel(tmp_path / "data", columns | {"target": target}, target="target")
    return Place(path=tmp_path, channel=channel, table=table, bucket=bucket, workspace_id=workspace_id)


Start = Callable[[dict[str, Any], int], list[BaseProcess]]


@pytest.fixture
def start(processes: ForkServerContext, place: Place) -> Start:
    """Starts so many workers of a job."""

    def begin(spec: dict[str, Any], count: int) -> list[BaseProcess]:
        started = [processes.Process(target=work, args=(place, spec, index, count)) for index in range(count)]
        for process in started:
            process.start()
        return started

    return begin


def _join(process: BaseProcess) -> int | None:
    process.join(JOIN_SECONDS)
    return process.exitcode


def _trials(new_storage: NewStorage, place: Place) -> list[FrozenTrial]:
    try:
        return optuna.load_study(study_name=place.study_id, storage=new_storage()).trials
    except KeyError:
        return []


def _best(place: Place) -> BestSoFar:
    return BestSoFar.model_validate_json(place.ports().lake.get(keys.study_best(place.workspace_id, place.study_id)))


def test_e3_workers_run_exactly_so_many_trials_and_the_best_is_named(
    start: Start, new_storage: NewStorage, place: Place
) -> None:
    started = start({"candidates": [QUICK], "max_trials": 21, "num_workers": 3}, 3)
    assert [_join(process) for process in started] == [0, 0, 0]
    trials = _trials(new_storage, place)
    assert [trial.number for trial in trials] == list(range(21))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert {trial.user_attrs["worker"] for trial in trials} <= {0, 1, 2}
    best = max(trials, key=lambda trial: (trial.values[0], -trial.user_attrs["metrics"]["log_loss"], -trial.number))
    named = _best(place)
    assert (named.trial, named.values) == (best.number, best.values)
    board = Leaderboard.model_validate_json((place.path / "worker-0" / "output" / "leaderboard.json").read_bytes())
    assert [row.trial for row in board.rows if row.is_chosen] == [best.number]
    assert len(board.rows) == 21
    # A report is added to a model that has been the best for a while; the others are of wholes of several models.
    later = (ArtifactName.FUSION, ArtifactName.EXPERTS, ArtifactName.REPORT, ArtifactName.REPORT_DATA)
    expected = {f"model/{name}" for name in ArtifactName if name not in later}
    assert {artifact.name for artifact in named.artifacts} >= expected
    lake = place.ports().lake
    for artifact in named.artifacts:
        found = lake.get(keys.study_trial(place.workspace_id, place.study_id, named.trial, artifact.name))
        assert len(found) == artifact.num_bytes
    live = lake.get(keys.study_live(place.workspace_id, place.study_id, "leaderboard.json"))
    assert Leaderboard.model_validate_json(live).rows
    # The model is the best trial's, whichever worker ran it.
    model = keys.study_trial(place.workspace_id, place.study_id, best.number, "model/model.onnx")
    assert (place.path / "worker-0" / "model" / "model.onnx").read_bytes() == lake.get(model)
    assert not (place.path / "worker-1" / "model").exists()


def test_a_study_goes_on_with_what_it_knows(start: Start, new_storage: NewStorage, place: Place) -> None:
    (first,) = start({"candidates": [QUICK], "max_trials": 3}, 1)
    assert _join(first) == 0
    before = _trials(new_storage, place)
    (second,) = start({"candidates": [QUICK], "max_trials": 5}, 1)
    assert _join(second) == 0
    after = _trials(new_storage, place)
    assert [trial.params for trial in after[:3]] == [trial.params for trial in before]
    assert len({trial.params["l2"] for trial in after}) == len(after) == 5


@pytest.mark.slow  # tests/e2e/test_studies.py kills workers of a deployed job
def test_e1_the_trials_of_killed_workers_are_run_by_the_others(
    start: Start, new_storage: NewStorage, place: Place
) -> None:
    started = start({"candidates": [SLOW], "max_trials": 8, "num_workers": 3, "pruner": "none"}, 3)

    def held() -> set[int]:
        """The workers that run a trial now."""
        trials = _trials(new_storage, place)
        return {trial.user_attrs.get("worker", -1) for trial in trials if trial.state == TrialState.RUNNING}

    wait_until(lambda: {1, 2} <= held())
    for process in started[1:]:
        os.kill(process.pid or 0, signal.SIGKILL)
    assert [_join(process) for process in started] == [0, -signal.SIGKILL, -signal.SIGKILL]

    trials = _trials(new_storage, place)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    states = Counter(trial.state for trial in trials)
    assert states.keys() == {TrialState.COMPLETE, TrialState.FAIL}
    retries = {trial.system_attrs["failed_trial"]: trial for trial in trials if "failed_trial" in trial.system_attrs}
    # Those that were tried again are no trials of their own.
    assert len(trials) - len(retries) == 8
    lost = [trial for trial in trials if trial.state == TrialState.FAIL]
    assert {trial.number for trial in lost} == set(retries)
    for trial in lost:
        assert "Its worker was lost" in trial.system_attrs[FAILURE]
        assert (retries[trial.number].state, retries[trial.number].params) == (TrialState.COMPLETE, trial.params)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert _best(place).trial == max(complete, key=lambda trial: (trial.values[0], -trial.number)).number
