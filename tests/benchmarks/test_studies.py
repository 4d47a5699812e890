"""Studies on DynamoDB beside Optuna's own storages: what a trial costs beside its work, and opening a long study."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from aimass_core.domain import keys
from batch_jobs.search.storage import items
from tests.benchmarks.report import print_table
from tests.benchmarks.study_workers import DynamoDb, JournalFile, Place, Sqlite, objective, work
from tests.stack import Stack

NUM_TRIALS = 100
NUM_LONG = 3_000


def _places(stack: Stack, folder: Path) -> dict[str, Place]:
    client = stack.aws("dynamodb")
    credentials = client._request_signer._credentials
    options = {
        "endpoint_url": client.meta.endpoint_url,
        "region_name": client.meta.region_name,
        "aws_access_key_id": credentials.access_key,
        "aws_secret_access_key": credentials.secret_key,
    }
    table = stack.outputs["StudiesTableName"]
    name = uuid4().hex
    return {
        "Optuna, SQLite": Sqlite(folder / f"{name}.db"),
        "Optuna, journal file": JournalFile(folder / f"{name}.log"),
        "AI Mass, DynamoDB": DynamoDb(table, f"exact-{name}", options, 0.0),
        "AI Mass, DynamoDB, reads of 0.5 s": DynamoDb(table, f"ttl-{name}", options, 0.5),
    }


@pytest.mark.timeout(1_800)
@pytest.mark.filterwarnings("ignore")
def test_overhead_of_a_trial(stack: Stack, tmp_path: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    started = time.perf_counter()
    study.optimize(objective, n_trials=NUM_TRIALS)
    rows = [["in memory (what the sampler takes)", "1", *_speed(time.perf_counter() - started), ""]]
    for num_workers in (1, 4, 8):
        for name, place in _places(stack, tmp_path).items():
            seconds, requests = _run(place, num_workers)
            counted = ", ".join(f"{kind} {num / NUM_TRIALS:.1f}" for kind, num in sorted(requests.items()))
            rows.append([name, str(num_workers), *_speed(seconds), counted])
    title = f"{NUM_TRIALS} trials of four hyperparameters, TPE, no work in them"
    print_table(title, ["", "workers", "trials/s", "ms a trial", "requests a trial"], rows)


@pytest.mark.timeout(1_800)  # filling SQLite takes minutes
@pytest.mark.filterwarnings("ignore")
def test_opening_a_long_study(stack: Stack, tmp_path: Path) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {f"hyperparameter_{index}": FloatDistribution(0.0, 1.0) for index in range(6)}
    trials = [
        create_trial(value=1 / (n + 1), params=dict.fromkeys(space, n / NUM_LONG), distributions=space)
        for n in range(NUM_LONG)
    ]
    rows = []
    for name, place in _places(stack, tmp_path).items():
        _fill(place, trials)
        storage = place.open()
        started = time.perf_counter()
        study = optuna.load_study(study_name="bench", storage=storage)
        assert len(study.get_trials(deepcopy=False)) == NUM_LONG
        opened = time.perf_counter()
        study.ask(space)
        asked = time.perf_counter()
        rows.append([name, f"{opened - started:.2f} s", f"{asked - opened:.2f} s"])
    print_table(f"Opening a study of {NUM_LONG:,} trials", ["", "until all are read", "the first ask"], rows)


def _fill(place: Place, trials: list[FrozenTrial]) -> None:
    """Adds many trials; in batches where that is possible, as this is not what is measured."""
    study = optuna.create_study(study_name="bench", storage=place.open())
    if not isinstance(place, DynamoDb):
        study.add_trials(trials)
        return
    client, partition = place.connect(), keys.study_partition(place.workspace_id, study._study_id)
    puts = [
        {"PutRequest": {"Item": items.to_item(trial, partition=partition, number=number)}}
        for number, trial in enumerate(trials)
    ]
    for begin in range(0, len(puts), 25):
        client.batch_write_item(RequestItems={place.table: puts[begin : begin + 25]})


def _run(place: Place, num_workers: int) -> tuple[float, Counter[str]]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.benchmarks.study_workers"])
    study = optuna.create_study(study_name="bench", storage=place.open())
    ready, answers = context.Barrier(num_workers + 1), context.Queue()
    processes = [
        context.Process(target=work, args=(place, NUM_TRIALS // num_workers, seed, ready, answers))
        for seed in range(num_workers)
    ]
    for process in processes:
        process.start()
    ready.wait(timeout=120)
    started = time.perf_counter()
    requests = sum((Counter(answers.get(timeout=280)) for _ in processes), Counter[str]())
    seconds = time.perf_counter() - started
    for process in processes:
        process.join()
    trials = study.trials
    assert [trial.number for trial in trials] == list(range(NUM_TRIALS // num_workers * num_workers))
    assert all(trial.state == TrialState.COMPLETE for trial in trials)
    return seconds * NUM_TRIALS / len(trials), requests


def _speed(seconds: float) -> list[str]:
    return [f"{NUM_TRIALS / seconds:.1f}", f"{seconds / NUM_TRIALS * 1e3:.1f}"]
