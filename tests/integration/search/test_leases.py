"""Trials whose workers are gone: taken from them, tried once more, and by nobody twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from batch_jobs.search.storage import FAILURE, DynamoDbStorage, StudyFullError
from batch_jobs.search.telling import tell
from tests.integration.search.conftest import NewStorage

NewWorker = Callable[..., optuna.Study]
UNIT: BaseDistribution = FloatDistribution(0.0, 1.0)
pytestmark = pytest.mark.filterwarnings(
    "ignore:Heartbeat of storage is supposed", "ignore::optuna.exceptions.ExperimentalWarning"
)


def storage_of(study: optuna.Study) -> DynamoDbStorage:
    storage = study._storage
    assert isinstance(storage, DynamoDbStorage)
    return storage


def reap(study: optuna.Study) -> list[int]:
    return storage_of(study).reap(study._study_id)


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_worker(new_storage: NewStorage, clock: Clock) -> NewWorker:
    """Opens the study in a storage of its own; leases last 30 seconds."""

    def make(**options: object) -> optuna.Study:
        storage = new_storage(heartbeat_interval_seconds=10, write_delay_seconds=0.0, clock=clock, **options)
        return optuna.create_study(storage=storage, study_name="leased", load_if_exists=True)

    return make


def test_d14_e1_a_lost_trial_fails_with_its_reason_and_is_tried_once_more(new_worker: NewWorker, clock: Clock) -> None:
    lost, other = new_worker(), new_worker()
    trial = lost.ask({"x": UNIT, "y": UNIT})
    trial.set_user_attr("recipe", "plain")
    trial.set_constraint("bytes", 1.0)
    trial.report(0.5, 1)

    clock.wait(29)
    assert reap(other) == []
    clock.wait(2)
    assert reap(other) == [0]
    assert reap(new_worker()) == []
    failed, waiting = other.trials
    assert failed.state == TrialState.FAIL
    assert "no sign of it until 2026-01-01T00:00:30+00:00. Tried again as trial 1." in failed.system_attrs[FAILURE]
    assert (waiting.state, waiting.params, waiting.user_attrs) == (
        TrialState.WAITING,
        trial.params,
        {"recipe": "plain"},
    )
    assert RetryHeartbeatStaleTrialCallback.retry_history(waiting) == [0]

    again = other.ask({"x": UNIT, "y": UNIT})
    assert (again.number, again.params) == (1, trial.params)
    again.set_constraint("bytes", 2.0)  # that of the first run is not the second's
    clock.wait(31)
    third = new_worker()
    assert reap(third) == [1]
    assert [trial.state for trial in third.trials] == [TrialState.FAIL] * 2
    assert "second attempt already" in third.trials[1].system_attrs[FAILURE]


def test_e2_a_late_tell_of_a_lost_trial_is_ignored(
    new_worker: NewWorker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    slow, other = new_worker(), new_worker()
    trial = slow.ask({"x": UNIT})
    clock.wait(31)
    reap(other)
    told = tell(slow, trial, 0.5)
    assert (told.is_accepted, told.trial.state) == (False, TrialState.FAIL)
    assert "told late, and 0.5 is ignored" in caplog.text
    assert tell(slow, trial, 0.5).is_accepted is False
    # The worker goes on.
    assert tell(slow, slow.ask({"x": UNIT}), 0.25).is_accepted is True


def test_a_heartbeat_keeps_a_trial(new_worker: NewWorker, clock: Clock) -> None:
    worker = new_worker()
    trial = worker.ask({"x": UNIT})
    reaper = new_worker(read_ttl_seconds=3600.0)
    assert [trial.state for trial in reaper.trials] == [TrialState.RUNNING]
    for _ in range(3):
        clock.wait(20)
        storage_of(worker).record_heartbeat(trial._trial_id)
        # What the reaper knows of the lease is old; the table decides.
        assert reap(reaper) == []
    clock.wait(31)
    assert reap(reaper) == [0]
    storage_of(worker).record_heartbeat(trial._trial_id)
    assert new_worker().trials[0].state == TrialState.FAIL


def test_reapers_that_meet_queue_nothing_twice(new_worker: NewWorker, clock: Clock) -> None:
    worker = new_worker()
    asked = [worker.ask({"x": UNIT}) for _ in range(3)]
    clock.wait(31)
    reapers = [new_worker() for _ in range(6)]
    with ThreadPoolExecutor(len(reapers)) as pool:
        reaped = list(pool.map(reap, reapers))
    assert sorted(number for numbers in reaped for number in numbers) == [0, 1, 2]
    trials = new_worker().trials
    assert [trial.state for trial in trials] == [TrialState.FAIL] * 3 + [TrialState.WAITING] * 3
    assert sorted(trial.params["x"] for trial in trials[3:]) == sorted(trial.params["x"] for trial in asked)


def test_optunas_own_loop_reaps(new_worker: NewWorker, clock: Clock) -> None:
    lost, other = new_worker(), new_worker()
    trial = lost.ask({"x": UNIT})
    clock.wait(31)
    other.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=1)
    assert [each.state for each in other.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert other.trials[1].value == trial.params["x"]


@pytest.mark.parametrize("values", [float("nan"), float("inf"), None, "0.5", [0.1, 0.2], object()])
def test_e4_what_is_no_value_fails_the_trial_with_the_reason(new_worker: NewWorker, values: object) -> None:
    study = new_worker()
    told = tell(study, study.ask({"x": UNIT}), values)
    assert (told.is_accepted, told.trial.state) == (True, TrialState.FAIL)
    assert "The objective returned" in new_worker().trials[0].system_attrs[FAILURE]


def test_values_and_states_are_told(new_worker: NewWorker) -> None:
    study = new_worker()
    assert tell(study, study.ask(), 0.5).trial.values == [0.5]
    pruned = study.ask()
    pruned.report(0.75, 3)
    assert tell(study, pruned, state=TrialState.PRUNED).trial.values == [0.75]
    assert tell(study, study.ask(), state=TrialState.FAIL).trial.state == TrialState.FAIL


def test_d14_e3_parallel_asks_make_exactly_as_many_trials_as_a_study_may_have(
    new_worker: NewWorker, clock: Clock
) -> None:
    workers = [new_worker(max_trials=10) for _ in range(8)]

    def ask_until_full(worker: optuna.Study) -> int:
        for count in range(32):
            try:
                worker.ask({"x": UNIT})
            except StudyFullError:
                return count
        return 32

    with ThreadPoolExecutor(len(workers)) as pool:
        asked = sum(pool.map(ask_until_full, workers))
    assert asked == 10
    assert [trial.number for trial in new_worker().trials] == list(range(10))
    # Those that are lost are tried again, beyond that number.
    clock.wait(31)
    late = new_worker(max_trials=10)
    assert len(reap(late)) == 10
    again = [late.ask({"x": UNIT}) for _ in range(10)]
    assert [trial.number for trial in again] == list(range(10, 20))
    with pytest.raises(StudyFullError):
        late.ask({"x": UNIT})
