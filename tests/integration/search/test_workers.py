"""Workers in processes of their own on one study, some of which are killed."""

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

import optuna
import pytest
from optuna.trial import TrialState

from aimass_core.bootstrap import AwsClients
from batch_jobs.search.storage import FAILURE
from tests.integration.search.conftest import NewStorage
from tests.integration.search.workers import NUM_COMPLETE, work, work_until_done

DEADLINE_SECONDS = 400
LEASE_SECONDS = 8.0


@pytest.fixture(scope="module")
def processes(clients: AwsClients) -> ForkServerContext:
    """Starts workers quickly: what is slow to import is imported once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.search.workers"])
    return context


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _join(process: BaseProcess) -> int | None:
    process.join(DEADLINE_SECONDS)
    return process.exitcode


def test_e3_eight_workers_lose_and_double_nothing(
    processes: ForkServerContext, new_storage: NewStorage, clients: AwsClients, table: str, workspace_id: str
) -> None:
    study = optuna.create_study(storage=new_storage(), study_name="shared")
    where = (table, clients.dynamodb.meta.endpoint_url, workspace_id)
    started = [processes.Process(target=work, args=(*where, 25, seed)) for seed in range(8)]
    for process in started:
        process.start()
    assert [_join(process) for process in started] == [0] * 8
    trials = study.trials
    assert [trial.number for trial in trials] == list(range(200))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert all(trial.params.keys() == {"x", "y", "n"} and trial.intermediate_values for trial in trials)
    wrong = [
        (trial.number, trial.value, trial.params)
        for trial in trials
        if trial.value != trial.params["x"] * trial.params["x"] + trial.params["n"] * trial.params["y"]
    ]
    assert not wrong
    assert len(study.user_attrs) == 8
    # Workers with samplers of their own do not try the same point twice.
    assert len({tuple(trial.params.values()) for trial in trials}) == 200


def test_e1_the_trials_of_killed_workers_are_tried_again_by_others(
    processes: ForkServerContext, new_storage: NewStorage, clients: AwsClients, table: str, workspace_id: str
) -> None:
    study = optuna.create_study(storage=new_storage(), study_name="shared")
    where = (table, clients.dynamodb.meta.endpoint_url, workspace_id, LEASE_SECONDS)
    started = [
        processes.Process(target=work_until_done, args=where, kwargs={"is_stuck": number < 2}) for number in range(4)
    ]
    for process in started:
        process.start()
    wait_until(lambda: sum("is_stuck" in trial.user_attrs for trial in study.trials) == 2)
    for process in started[:2]:
        os.kill(process.pid or 0, signal.SIGKILL)
    assert [_join(process) for process in started] == [-signal.SIGKILL, -signal.SIGKILL, 0, 0]

    trials = study.trials
    assert [trial.number for trial in trials] == list(range(len(trials)))
    stuck = [trial for trial in trials if "is_stuck" in trial.user_attrs and "failed_trial" not in trial.system_attrs]
    assert len(stuck) == 2
    retried = Counter(trial.system_attrs.get("failed_trial") for trial in trials)
    for trial in stuck:
        assert trial.state == TrialState.FAIL
        assert "Its worker was lost" in trial.system_attrs[FAILURE]
        assert retried[trial.number] == 1
        retry = next(each for each in trials if each.system_attrs.get("failed_trial") == trial.number)
        assert (retry.state, retry.params) == (TrialState.COMPLETE, trial.params)
    states = Counter(trial.state for trial in trials)
    assert states.keys() == {TrialState.COMPLETE, TrialState.FAIL}
    assert states[TrialState.COMPLETE] >= NUM_COMPLETE
