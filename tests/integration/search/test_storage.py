"""The storage beside others on the same table: what each sees, who wins, and what does not fit."""

import pickle
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from aimass_core.bootstrap import AwsClients
from aimass_core.domain import keys
from aimass_core.errors import InvalidRequestError, NotFoundError
from batch_jobs.search.storage import DynamoDbStorage, items
from tests.integration.search.conftest import NewStorage

MINIMIZE = [StudyDirection.MINIMIZE]
UNIT: BaseDistribution = FloatDistribution(0.0, 1.0)


@contextmanager
def counted_requests(client: Any) -> Iterator[Counter[str]]:
    """Requests that leave for DynamoDB meanwhile, by their kind."""
    counted: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        counted[model.name] += 1

    client.meta.events.register("before-call.dynamodb", count)
    try:
        yield counted
    finally:
        client.meta.events.unregister("before-call.dynamodb", count)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_ask_is_one_request_and_its_tell_another(new_storage: NewStorage, clients: AwsClients) -> None:
    storage = new_storage(read_ttl_seconds=60.0, write_delay_seconds=60.0)
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=1))
    space = dict.fromkeys(("a", "b", "c", "d"), UNIT)
    for _ in range(2):
        study.tell(study.ask(space), 1.0)
    with counted_requests(clients.dynamodb) as counted:
        trial = study.ask(space)
        storage.remove_session()
        study.tell(trial, 0.5)
    # Put, the four hyperparameters with what the sampler shares, and the value.
    assert counted == {"PutItem": 1, "UpdateItem": 2}
    with counted_requests(clients.dynamodb) as counted:
        study.tell(study.ask(space), 0.25)
    assert counted == {"PutItem": 1, "UpdateItem": 1}
    assert [trial.params.keys() for trial in optuna.load_study(study_name=None, storage=new_storage()).trials] == [
        space.keys()
    ] * 4
    storage.remove_session()


def test_others_see_what_a_running_trial_is_trying(new_storage: NewStorage) -> None:
    study = optuna.create_study(storage=new_storage())
    trial = study.ask({"b": UNIT, "a": CategoricalDistribution(["x", "y"])})
    other = new_storage()
    wait_until(lambda: other.get_trial(trial._trial_id).params == trial.params)
    assert list(other.get_trial(trial._trial_id).params) == ["b", "a"]
    assert other.get_all_trials(study._study_id)[0].state == TrialState.RUNNING


def test_d14_e2_the_first_tell_wins(new_storage: NewStorage) -> None:
    one, other = new_storage(), new_storage()
    study_id = one.create_new_study(MINIMIZE, "shared")
    trial_id = one.create_new_trial(study_id)
    assert other.get_trial(trial_id).state == TrialState.RUNNING
    assert other.set_trial_state_values(trial_id, TrialState.COMPLETE, [1.0])
    with pytest.raises(UpdateFinishedTrialError, match="Trial 0 has already finished"):
        one.set_trial_state_values(trial_id, TrialState.COMPLETE, [2.0])
    with pytest.raises(UpdateFinishedTrialError):
        one.set_trial_param(trial_id, "x", 0.5, UNIT)
    assert one.get_trial(trial_id).values == new_storage().get_trial(trial_id).values == [1.0]


def test_e3_a_waiting_trial_is_given_to_one_of_many(new_storage: NewStorage) -> None:
    study = optuna.create_study(storage=new_storage(), study_name="queue")
    for value in range(4):
        study.enqueue_trial({"x": value / 4})
    workers = [optuna.load_study(study_name="queue", storage=new_storage()) for _ in range(8)]
    with ThreadPoolExecutor(len(workers)) as pool:
        asked = list(pool.map(lambda worker: worker.ask({"x": UNIT}), workers))
    assert sorted(trial.number for trial in asked) == list(range(8))
    assert sorted(trial.params["x"] for trial in asked if trial.number < 4) == [0.0, 0.25, 0.5, 0.75]


def test_what_others_did_is_seen_no_later_than_agreed(new_storage: NewStorage) -> None:
    writer, current, stale = new_storage(), new_storage(), new_storage(read_ttl_seconds=3600.0)
    study_id = writer.create_new_study(MINIMIZE)
    assert stale.get_all_trials(study_id) == current.get_all_trials(study_id) == []
    writer.create_new_trial(study_id)
    writer.set_study_user_attr(study_id, "color", "red")
    assert stale.get_all_trials(study_id) == []
    assert len(current.get_all_trials(study_id)) == 1
    assert current.get_study_user_attrs(study_id) == {"color": "red"}
    # One that is behind still finds the next number.
    assert stale.get_trial_number_from_id(stale.create_new_trial(study_id)) == 1
    assert [trial.number for trial in stale.get_all_trials(study_id)] == [0, 1]


def test_one_slow_trial_does_not_make_every_read_long(new_storage: NewStorage, clients: AwsClients) -> None:
    storage = new_storage()
    study_id = storage.create_new_study(MINIMIZE)
    slow = storage.create_new_trial(study_id)
    for _ in range(60):
        storage.create_new_trial(study_id, create_trial(value=1.0))
    reader = new_storage()
    assert len(reader.get_all_trials(study_id)) == 61
    with counted_requests(clients.dynamodb) as counted:
        assert reader.get_n_trials(study_id, TrialState.RUNNING) == 1
    assert counted == {"BatchGetItem": 1, "Query": 1}
    storage.set_trial_state_values(slow, TrialState.COMPLETE, [3.0])
    assert reader.get_all_trials(study_id)[0].values == [3.0]


def test_e9_more_than_five_thousand_trials_are_read_over_many_pages(
    new_storage: NewStorage, clients: AwsClients, table: str, workspace_id: str
) -> None:
    storage = new_storage()
    study_id = storage.create_new_study(MINIMIZE)
    num_trials = 5_200
    partition = keys.study_partition(workspace_id, study_id)
    for begin in range(0, num_trials, 25):
        puts = [
            {"PutRequest": {"Item": items.to_item(_trial(number), partition=partition, number=number)}}
            for number in range(begin, begin + 25)
        ]
        clients.dynamodb.batch_write_item(RequestItems={table: puts})
    with counted_requests(clients.dynamodb) as counted:
        trials = new_storage().get_all_trials(study_id, deepcopy=False)
    assert counted["Query"] > 2
    assert [(trial.number, trial.value) for trial in trials] == [(n, n / 7) for n in range(num_trials)]
    assert trials[-1].params == _trial(num_trials - 1).params
    assert storage.get_trial_number_from_id(storage.create_new_trial(study_id)) == num_trials
    storage.delete_study(study_id)
    left = clients.dynamodb.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": partition}},
    )
    assert left["Count"] == 0


def _trial(number: int) -> optuna.trial.FrozenTrial:
    distributions = {f"hyperparameter_{index}": UNIT for index in range(3)}
    return create_trial(
        value=number / 7, params=dict.fromkeys(distributions, number / 5200), distributions=distributions
    )


def test_what_does_not_fit_is_refused_and_the_trial_can_still_be_told(new_storage: NewStorage) -> None:
    study = optuna.create_study(storage=new_storage())
    trial = study.ask({"x": UNIT})
    with pytest.raises(InvalidRequestError, match=r"Trial 0 cannot take 'curve' \(500,005 bytes\)"):
        trial.set_user_attr("curve", "x" * 499_994)
    for part in range(3):
        trial.set_user_attr(f"part{part}", "x" * 110_000)
    with pytest.raises(InvalidRequestError, match="at most 400 KB"):
        trial.set_user_attr("part3", "x" * 110_000)
    trial.set_user_attr("part0", "")  # makes room
    trial.set_user_attr("part3", "x" * 110_000)
    study.tell(trial, 1.0)
    stored = new_storage().get_trial(trial._trial_id)
    assert stored.value == 1.0
    assert stored.user_attrs.keys() == {"part0", "part1", "part2", "part3"}
    with pytest.raises(InvalidRequestError, match="more than 400 KB"):
        study.set_user_attr("curve", "x" * 500_000)
    with pytest.raises(InvalidRequestError, match="1,001 bytes"):
        optuna.create_study(storage=new_storage(), study_name="x" * 1_001)


def test_many_intermediate_values_are_thinned_and_the_last_is_kept(new_storage: NewStorage) -> None:
    study = optuna.create_study(storage=new_storage(max_intermediate_values=100))
    trial = study.ask()
    for step in range(1_000):
        trial.report(step / 3, step)
    study.tell(trial, state=TrialState.PRUNED)
    stored = new_storage().get_trial(trial._trial_id)
    assert stored == study.trials[0]
    assert 50 <= len(stored.intermediate_values) <= 100
    assert stored.value == stored.intermediate_values[999] == 333.0
    assert all(value == step / 3 for step, value in stored.intermediate_values.items())
    assert {step % 8 for step in stored.intermediate_values if step < 512} == {0}


class _AnswerLost:
    """A client whose writes arrive, but whose first answer does not: botocore's repeat then meets its own write."""

    def __init__(self, client: Any) -> None:
        self._client, self.meta = client, client.meta

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in ("put_item", "update_item", "transact_write_items"):
            return call

        def twice(**arguments: Any) -> Any:
            call(**arguments)
            return call(**arguments)

        return twice


def test_j1_a_lost_answer_doubles_and_loses_nothing(clients: AwsClients, table: str, workspace_id: str) -> None:
    study = optuna.create_study(
        storage=DynamoDbStorage(_AnswerLost(clients.dynamodb), table, workspace_id=workspace_id), study_name="lost"
    )
    study.enqueue_trial({"x": 0.5})
    for number in range(2):
        trial = study.ask({"x": UNIT})
        assert trial.number == number
        study.tell(trial, 1.0)
    storage = DynamoDbStorage(clients.dynamodb, table, workspace_id=workspace_id)
    assert [trial.state for trial in storage.get_all_trials(study._study_id)] == [TrialState.COMPLETE] * 2


def test_threads_share_a_storage(new_storage: NewStorage) -> None:
    study = optuna.create_study(storage=new_storage(heartbeat_interval_seconds=60))
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=24, n_jobs=4)
    stored = new_storage().get_all_trials(study._study_id)
    assert [(trial.number, trial.state) for trial in stored] == [(n, TrialState.COMPLETE) for n in range(24)]
    assert all(trial.value == trial.params["x"] for trial in stored)


def test_an_empty_name_is_refused_at_once(new_storage: NewStorage) -> None:
    study = optuna.create_study(storage=new_storage())
    trial = study.ask()
    for refuse in (
        lambda: trial.suggest_float("", 0.0, 1.0),
        lambda: trial.set_user_attr("", 1),
        lambda: study.set_user_attr("", 1),
    ):
        with pytest.raises(InvalidRequestError, match="empty name"):
            refuse()
    study.tell(trial, 1.0)


def test_studies_of_another_workspace_are_not_there(new_storage: NewStorage) -> None:
    study_id = new_storage().create_new_study(MINIMIZE, "mine")
    new_storage(workspace_id="other").create_new_study(MINIMIZE, "mine")
    other = new_storage(workspace_id=f"{study_id}")
    assert other.get_all_studies() == []
    with pytest.raises(KeyError, match="no study 'mine'"):
        other.get_study_id_from_name("mine")
    with pytest.raises(KeyError):
        other.get_all_trials(study_id)
    with pytest.raises(DuplicatedStudyError, match="'mine'"):
        new_storage().create_new_study(MINIMIZE, "mine")
    with pytest.raises(InvalidRequestError, match="without '#'"):
        new_storage(workspace_id="a#STUDY")


def test_a_deleted_study_is_gone_for_all_and_its_id_is_not_used_again(new_storage: NewStorage) -> None:
    one, other = new_storage(), new_storage()
    study_id = one.create_new_study(MINIMIZE, "short")
    trial_id = other.create_new_trial(study_id)
    one.delete_study(study_id)
    with pytest.raises(KeyError):
        other.get_all_trials(study_id)
    with pytest.raises(KeyError):
        other.set_trial_state_values(trial_id, TrialState.COMPLETE, [1.0])
    assert one.create_new_study(MINIMIZE, "short") > study_id


def test_a_table_that_is_not_there_is_named(clients: AwsClients) -> None:
    storage = DynamoDbStorage(clients.dynamodb, "no-such-table")
    with pytest.raises(NotFoundError, match="no table 'no-such-table' in eu-central-1"):
        optuna.create_study(storage=storage)


def test_a_pickled_storage_holds_no_credentials(new_storage: NewStorage) -> None:
    pickled = pickle.dumps(new_storage())
    assert b"test" not in pickled.replace(b"tests", b"")
    study_id = pickle.loads(pickled).create_new_study(MINIMIZE)
    assert new_storage().get_all_trials(study_id) == []
