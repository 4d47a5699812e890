"""The worker processes of the benchmark of studies."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Protocol

import boto3
import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from batch_jobs.search.storage import DynamoDbStorage


class Place(Protocol):
    """Where a study is kept; goes to other processes by pickle."""

    def open(self) -> BaseStorage: ...


@dataclass(frozen=True, slots=True)
class Sqlite:
    path: Path

    def open(self) -> BaseStorage:
        return RDBStorage(f"sqlite:///{self.path}", engine_kwargs={"connect_args": {"timeout": 300}})


@dataclass(frozen=True, slots=True)
class JournalFile:
    path: Path

    def open(self) -> BaseStorage:
        return JournalStorage(JournalFileBackend(str(self.path)))


@dataclass(frozen=True, slots=True)
class DynamoDb:
    table: str
    workspace_id: str
    client: dict[str, Any]
    read_ttl_seconds: float

    def connect(self) -> Any:
        return boto3.client("dynamodb", **self.client)

    def open(self) -> BaseStorage:
        client = self.connect()
        client.meta.events.register("before-call.dynamodb", _count)
        return DynamoDbStorage(
            client, self.table, workspace_id=self.workspace_id, read_ttl_seconds=self.read_ttl_seconds
        )


requests: Counter[str] = Counter()
"""That this process sent to DynamoDB."""


def _count(model: Any, **_: Any) -> None:
    requests[model.name] += 1


def work(place: Place, num_trials: int, seed: int, ready: Barrier, answers: Any) -> None:
    """Runs trials that cost nothing by themselves, once every worker is ready; answers with its requests."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name="bench", storage=place.open(), sampler=optuna.samplers.TPESampler(seed=seed))
    ready.wait()
    requests.clear()
    study.optimize(objective, n_trials=num_trials)
    answers.put(dict(requests))


def objective(trial: optuna.Trial) -> float:
    """Four hyperparameters."""
    x, rate = trial.suggest_float("x", -1.0, 1.0), trial.suggest_float("rate", 1e-5, 1.0, log=True)
    depth, kind = trial.suggest_int("depth", 1, 12), trial.suggest_categorical("kind", ["a", "b", "c"])
    return x * x + rate * depth + (kind == "b")
