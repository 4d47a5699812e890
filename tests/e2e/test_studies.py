"""Studies through the front door: searched by workers that die, stopped and kept, combined into one served file."""

from __future__ import annotations

import csv
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

import aimass
from aimass_core.domain import keys
from aimass_core.domain.jobs import JobStatus
from aimass_core.errors import NotFoundError
from tests.stack import Stack, wait_until

SECONDS = 400.0


@pytest.fixture(scope="module")
def data(stack: Stack, loans: tuple[Path, Path]) -> str:
    stack.cli("datasets", "upload", "searched", str(loans[0]), "--target", "repaid")
    stack.cli("datasets", "upload", "searched-test", str(loans[1]), "--target", "repaid")
    return "searched"


def test_e1_killed_workers_lose_and_double_no_trial(stack: Stack, client: aimass.Client, data: str) -> None:
    """FAULTS E1: both of a study's workers are killed in mid-trial; Batch begins them again."""
    job = client.jobs.search(
        data,
        algorithm="xgboost",
        max_trials=10,
        num_workers=2,
        vcpus=1,
        memory_mib=2048,
        study="killed",
        max_seconds=900,
    )
    study = client.studies.get("killed")
    workers = wait_until(lambda: _workers(stack, job.id) if len(_workers(stack, job.id)) == 2 else None)
    wait_until(lambda: any(trial.state == "COMPLETE" for trial in study.trials()), seconds=SECONDS)
    for worker in workers:
        worker.send_signal(signal.SIGKILL)
    ended = job.wait()
    assert ended.status is JobStatus.SUCCEEDED
    trials = list(study.trials())
    assert sorted(trial.number for trial in trials) == list(range(len(trials)))
    assert {trial.state for trial in trials} <= {"COMPLETE", "PRUNED", "FAIL"}, "none is left running"
    lost = [trial for trial in trials if trial.state == "FAIL"]
    assert all("worker was lost" in (trial.failure or "") for trial in lost)
    assert len(trials) - len(lost) == 10
    assert {trial.worker for trial in trials if trial.state == "COMPLETE"} == {0, 1}


def test_best_trial_is_the_registered_model_and_is_served(
    stack: Stack, client: aimass.Client, data: str, loans: tuple[Path, Path]
) -> None:
    shown = stack.cli(
        *("search", data, "-a", "lightgbm", "-a", "linear", "--max-trials", "5", "--test", "searched-test"),
        *("--budget", "15m", "--study", "front", "--model", "found"),
    )
    assert "trial" in shown
    study, version = client.studies.get("front"), client.models.get_version("found", 1)
    complete = [trial for trial in study.trials() if trial.state == "COMPLETE"]
    best = max(complete, key=lambda trial: trial.values[0])
    assert version.metrics["validation/roc_auc"] == pytest.approx(best.values[0], abs=1e-9)
    leaderboard = study.leaderboard()
    assert [row.trial for row in leaderboard.rows if row.is_chosen] == [best.number]
    assert leaderboard.rows == sorted(leaderboard.rows, key=lambda row: -row.score)
    key = keys.study_trial(version.workspace_id, study.id, best.number, "model/model.onnx")
    bucket = stack.outputs["LakeBucketName"]
    left = stack.aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    assert len(left) == version.model_bytes == best.model_bytes
    assert "READY" in stack.cli("deploy", "found")
    rows = _rows(loans[1])
    answers = client.endpoints.predict("found", rows).predictions
    hits = [answer.label == row["repaid"] for answer, row in zip(answers, rows, strict=True)]
    assert sum(hits) / len(hits) == pytest.approx(version.metrics["accuracy"], abs=1e-9)


def test_autotrain_leaves_one_file_that_is_served(
    stack: Stack, client: aimass.Client, data: str, loans: tuple[Path, Path]
) -> None:
    limits = ("--budget", "10m", "--max-trials", "6")
    shown = stack.cli("autotrain", data, *limits, "--preset", "fast", "--study", "auto", "--model", "auto")
    version = client.models.get_version("auto", 1)
    assert version.metrics["roc_auc"] > 0.9
    assert "ROC AUC" in shown
    rows = client.studies.get("auto").leaderboard().rows
    assert len({row.algorithm for row in rows}) > 2
    assert sum(row.is_chosen for row in rows) == 1
    assert "READY" in stack.cli("deploy", "auto")
    answers = client.endpoints.predict("auto", _rows(loans[1])).predictions
    assert {answer.label for answer in answers} == {"yes", "no"}


def test_stopped_study_keeps_its_best_model_and_goes_on(stack: Stack, client: aimass.Client, data: str) -> None:
    job = client.jobs.search(data, algorithm="xgboost", study="stopped", model="kept", max_seconds=600)
    study = client.studies.get("stopped")
    wait_until(lambda: any(trial.state == "COMPLETE" for trial in study.trials()), seconds=SECONDS)
    wait_until(lambda: _has_best(client, study.id), seconds=SECONDS)
    job.stop()
    ended = wait_until(lambda: _ended(client, job.id), seconds=SECONDS)
    assert ended.status is JobStatus.STOPPED
    assert ended.model_version is not None
    assert "READY" in stack.cli("deploy", "kept")
    known = len(list(study.trials()))
    again = client.jobs.search(
        data, algorithm="xgboost", study="stopped", model="kept", max_trials=known + 2, max_seconds=900
    )
    assert again.wait().status is JobStatus.SUCCEEDED
    assert len(list(study.trials())) >= known + 2
    refused = stack.cli("search", data, "-a", "linear", "--study", "stopped", exit_code=6)
    assert "candidates" in refused, "FAULTS E6: the difference is named"


def _ended(client: aimass.Client, job_id: str) -> aimass.Job | None:
    job = client.jobs.get(job_id)
    return job if job.status.is_terminal else None


def _has_best(client: aimass.Client, study_id: str) -> bool:
    try:
        client.studies.best(study_id)
    except NotFoundError:
        return False
    return True


def _workers(stack: Stack, job_id: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _is_worker(process, stack, job_id)]


def _is_worker(process: psutil.Process, stack: Stack, job_id: str) -> bool:
    try:
        arguments: list[str] = process.cmdline()
        return arguments[-2:] == ["batch_jobs", "search"] and process.environ().get("AIMASS_JOB_ID") == job_id
    except psutil.Error:
        return False


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(file)]
