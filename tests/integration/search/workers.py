"""What the worker processes of the tests run."""

import threading
import warnings

import boto3
import optuna
from optuna.trial import FrozenTrial, TrialState

from batch_jobs.search.storage import DynamoDbStorage

NUM_COMPLETE = 30


def open_study(table: str, endpoint_url: str, **options: object) -> optuna.Study:
    """The study of the test, in a storage of this process."""
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    client = boto3.client("dynamodb", endpoint_url=endpoint_url)
    storage = DynamoDbStorage(client, table, **options)  # type: ignore[arg-type]
    return optuna.load_study(study_name="shared", storage=storage)


def work(table: str, endpoint_url: str, workspace_id: str, num_trials: int, seed: int) -> None:
    """Runs so many trials."""
    study = open_study(table, endpoint_url, workspace_id=workspace_id, read_ttl_seconds=0.5)
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    study.set_user_attr(f"worker-{seed}", True)
    study.optimize(_distance, n_trials=num_trials)


def work_until_done(table: str, endpoint_url: str, workspace_id: str, lease_seconds: float, *, is_stuck: bool) -> None:
    """Runs trials until there are enough and nothing is left to do; one that is stuck never ends its second trial."""
    study = open_study(
        table, endpoint_url, workspace_id=workspace_id, heartbeat_interval_seconds=1, lease_seconds=lease_seconds
    )

    def objective(trial: optuna.Trial) -> float:
        value = _distance(trial)
        if is_stuck and any(each.state == TrialState.COMPLETE for each in trial.study.trials):
            trial.set_user_attr("is_stuck", True)
            threading.Event().wait()
        return value

    def stop_when_done(study: optuna.Study, _: FrozenTrial) -> None:
        states = [trial.state for trial in study.get_trials(deepcopy=False)]
        if states.count(TrialState.COMPLETE) >= NUM_COMPLETE and not set(states) & {
            TrialState.RUNNING,
            TrialState.WAITING,
        }:
            study.stop()

    study.optimize(objective, callbacks=[stop_when_done])


def _distance(trial: optuna.Trial) -> float:
    x, y = trial.suggest_float("x", -1.0, 1.0), trial.suggest_float("y", 1e-3, 1.0, log=True)
    trial.report(x, 0)
    return x * x + trial.suggest_int("n", 0, 9) * y
