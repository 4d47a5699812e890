"""The API's reader of trials on what the real storage of the workers has written."""

import math
from typing import Any

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial

from aimass_core.adapters.trials import DynamoDbTrials
from aimass_core.bootstrap import AwsClients
from aimass_core.domain.distributions import Choice, to_scalar
from aimass_core.domain.studies import Trial, TrialAttribute
from aimass_core.ports import Trials
from batch_jobs.search.storage import FAILURE, DynamoDbStorage
from tests.contracts.trials import Leave, TrialsContract
from tests.integration.search.conftest import NewStorage

DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "zeta": FloatDistribution(0, 100),
    "max_depth": IntDistribution(1, 16),
    "booster": CategoricalDistribution(["dart", "gbtree"]),
    "alpha": FloatDistribution(1e-9, 1, log=True),
}


@pytest.fixture
def trials(clients: AwsClients, table: str) -> DynamoDbTrials:
    return DynamoDbTrials(clients.dynamodb, table=table)


class TestDynamoDbTrials(TrialsContract):
    @pytest.fixture
    def trials(self, trials: DynamoDbTrials) -> Trials:
        return trials

    @pytest.fixture
    def leave(self, clients: AwsClients, table: str) -> Leave:
        def add(workspace_id: str, study_id: str, left: list[Trial]) -> None:
            storage = DynamoDbStorage(clients.dynamodb, table, workspace_id=workspace_id)
            study = optuna.create_study(storage=storage, study_name=study_id, load_if_exists=True)
            study.add_trials([_frozen(trial) for trial in left])

        return add


def _frozen(trial: Trial) -> FrozenTrial:
    noted: dict[TrialAttribute, Any] = {
        TrialAttribute.ALGORITHM: trial.algorithm,
        TrialAttribute.METRICS: trial.metrics,
        TrialAttribute.MODEL_BYTES: trial.model_bytes,
        TrialAttribute.LATENCY_MS: trial.latency_ms,
        TrialAttribute.SECONDS: trial.seconds,
        TrialAttribute.WORKER: trial.worker,
        TrialAttribute.REPEATS: trial.repeats,
    }
    made = create_trial(
        state=optuna.trial.TrialState[trial.state],
        values=trial.values,
        params=trial.hyperparameters,
        distributions=DISTRIBUTIONS,
        user_attrs={str(name): value for name, value in noted.items()},
        system_attrs={} if trial.failure is None else {FAILURE: trial.failure},
        intermediate_values=trial.intermediate_values,
    )
    made.datetime_start = None if trial.started_at is None else trial.started_at.astimezone().replace(tzinfo=None)
    made.datetime_complete = (
        None if trial.completed_at is None else trial.completed_at.astimezone().replace(tzinfo=None)
    )
    return made


def test_what_optuna_runs_is_what_the_api_reads(
    trials: DynamoDbTrials, new_storage: NewStorage, workspace_id: str
) -> None:
    study = optuna.create_study(
        storage=new_storage(), study_name="std_1", sampler=optuna.samplers.RandomSampler(seed=1)
    )

    def objective(trial: optuna.Trial) -> float:
        depth = trial.suggest_int("depth", 1, 9)
        rate = trial.suggest_float("rate", 1e-4, 1, log=True)
        kind = trial.suggest_categorical("kind", ["a", "b", 'c "quoted"'])
        trial.report(rate, 1)
        trial.report(math.nan, 2)
        return depth * rate if kind != "a" else math.inf

    study.optimize(objective, n_trials=12)
    read, after = trials.list_trials(workspace_id, "std_1", limit=100)
    assert after is None
    assert [(trial.number, str(trial.state), trial.hyperparameters) for trial in read] == [
        (trial.number, trial.state.name, trial.params) for trial in study.trials
    ]
    for trial, frozen in zip(read, study.trials, strict=True):
        finite = frozen.values if frozen.values and all(map(math.isfinite, frozen.values)) else None
        assert trial.values == finite
        assert trial.intermediate_values == {1: frozen.params["rate"]}, "JSON has no NaN"
        assert trial.started_at is not None
        assert trial.started_at.astimezone().replace(tzinfo=None) == frozen.datetime_start
    assert any(trial.values is None for trial in read)
    assert any(trial.values is not None for trial in read)


@pytest.mark.parametrize(
    "choice", [None, [], [{"name": "flip"}], {"default": "auto"}, "null and void", "[sic]", "none", 3, 0.5, True]
)
def test_choices_that_optuna_stores_as_json_are_read_as_they_were_declared(
    trials: DynamoDbTrials, new_storage: NewStorage, workspace_id: str, choice: Choice
) -> None:
    distribution = CategoricalDistribution(["another", to_scalar(choice)])
    study = optuna.create_study(storage=new_storage(), study_name="std_1")
    study.add_trial(create_trial(value=1.0, params={"it": to_scalar(choice)}, distributions={"it": distribution}))
    ((read,), _) = trials.list_trials(workspace_id, "std_1", limit=1)
    assert read.hyperparameters == {"it": choice}
    assert type(read.hyperparameters["it"]) is type(choice)


def test_e9_trials_past_a_page_of_1_mb_are_read_and_deleted(
    trials: DynamoDbTrials, new_storage: NewStorage, clients: AwsClients, table: str, workspace_id: str
) -> None:
    study = optuna.create_study(storage=new_storage(), study_name="std_1")
    filler = "x" * 100_000
    for number in range(25):
        study.add_trial(create_trial(value=float(number), user_attrs={"filler": filler}))
    numbers = [trial.number for trial in trials.list_trials(workspace_id, "std_1", limit=100)[0]]
    assert numbers == list(range(25))
    page, after = trials.list_trials(workspace_id, "std_1", limit=20)
    assert (len(page), after) == (20, 20)
    trials.delete_study(workspace_id, "std_1")
    assert trials.list_trials(workspace_id, "std_1", limit=100) == ([], None)
    left = clients.dynamodb.scan(
        TableName=table,
        FilterExpression="begins_with(pk, :pk)",
        ExpressionAttributeValues={":pk": {"S": f"WS#{workspace_id}#STUDY#"}},
    )
    assert left["Items"] == []
    with pytest.raises(KeyError):
        optuna.load_study(storage=new_storage(), study_name="std_1")
