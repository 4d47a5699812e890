"""What the containers of a study leave: trials, reports, the best model so far, a result with a leaderboard."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.jobs import EventType, Job, JobEvent, JobStatus, Progress
from aimass_core.domain.studies import BestSoFar, Leaderboard, LeaderboardRow, Trial, TrialState
from aimass_core.domain.study_specs import Direction
from aimass_core.ports import Put, Row
from aimass_core.services import records
from functions.dispatch.app import make_handler as make_dispatch
from functions.job_events.app import make_handler as make_job_events
from tests.factories.platform import leave_result
from tests.functional.gateway import Api, Context
from tests.functional.test_jobs import batch_event, stream_event

LEADERBOARD = Leaderboard(
    metric="roc_auc",
    direction=Direction.MAXIMIZE,
    rows=[
        LeaderboardRow(
            rank=1,
            name="ensemble of 2",
            algorithm="xgboost, lightgbm",
            score=0.9312,
            latency_ms=0.081,
            model_bytes=812_000,
            seconds=12.5,
            is_chosen=True,
        ),
        LeaderboardRow(
            rank=2,
            name="trial 1",
            algorithm="lightgbm",
            trial=1,
            score=0.93,
            latency_ms=0.04,
            model_bytes=400_000,
            seconds=3.25,
        ),
    ],
)
PAGE = b"<!doctype html><title>A study</title>"


def start(api: Api, job_id: str) -> Job:
    """Stream, submission, worker 0 runs."""
    job = records.get(api.ports, Job, api.workspace.id, job_id)
    make_dispatch(lambda: api.ports)(stream_event(records.to_row(job)), Context())  # type: ignore[arg-type]
    _hear(api, job, "RUNNING")
    return records.get(api.ports, Job, api.workspace.id, job_id)


def add_trials(ports: MemoryPorts, job: Job) -> list[Trial]:
    """Two that are complete, one that failed, one that runs; and the model of the better one."""
    assert job.study_id is not None
    at = ports.clock()
    common: dict[str, Any] = {"started_at": at, "worker": 0}
    done = {**common, "completed_at": at + timedelta(seconds=3), "state": TrialState.COMPLETE, "seconds": 3.25}
    trials = [
        Trial(
            number=0, values=[0.91], algorithm="xgboost", hyperparameters={"max_depth": 6, "eta": 0.12345678}, **done
        ),
        Trial(number=1, values=[0.93], algorithm="lightgbm", model_bytes=400_000, latency_ms=0.04, **done),
        Trial(number=2, state=TrialState.FAIL, failure="ValueError: [bold]too deep[/]", **common),
        Trial(number=3, state=TrialState.RUNNING, **common),
    ]
    ports.trials.trials[job.workspace_id, job.study_id] = trials
    leave_best(ports, job)
    return trials


def leave_best(ports: MemoryPorts, job: Job) -> None:
    """`best.json` and the model folder of trial 1."""
    assert job.study_id is not None
    artifacts = leave_result(ports, job.model_copy(update={"id": "job_scratch"})).artifacts
    models = [artifact for artifact in artifacts if artifact.name.startswith("model/")]
    for artifact in models:
        body = ports.lake.get(keys.job_attempt(job.workspace_id, "job_scratch", 1, artifact.name))
        ports.lake.put(keys.study_trial(job.workspace_id, job.study_id, 1, artifact.name), body)
    best = BestSoFar(trial=1, values=[0.93], metrics={"roc_auc": 0.93}, artifacts=models, at=ports.clock())
    ports.lake.put(keys.study_best(job.workspace_id, job.study_id), best.model_dump_json().encode())


def report(ports: MemoryPorts, job: Job) -> None:
    """Curves of the best by now, and progress."""
    values = [(0.9, 0.91), (0.93, 0.93), (0.92, 0.93)]
    points = [
        {"step": step, "values": {"trial/roc_auc": trial, "best/roc_auc": best}}
        for step, (trial, best) in enumerate(values)
    ]
    progress = Progress(phase="searching", step=3, num_steps=40, fraction=0.075, message="trial 3 (mlp)")
    job = records.get(ports, Job, job.workspace_id, job.id)
    events = [
        JobEvent(number=1_000_001, at=ports.clock(), attempt=1, type=EventType.METRICS, data={"points": points}),
        JobEvent(number=1_000_002, at=ports.clock(), attempt=1, type=EventType.MESSAGE, data={"text": "[red]said[/]"}),
    ]
    puts = [Put(row=_to_row(job, event)) for event in events]
    records.save(ports, job, job.id, also=puts, progress=progress, last_event=events[-1].number)


def succeed(api: Api, job: Job) -> Job:
    """It leaves a model, a leaderboard, figures and a page, and ends."""
    files = {
        "output/leaderboard.json": LEADERBOARD.model_dump_json().encode(),
        "output/study.html": PAGE,
        "output/figures/history.json": b'{"data": [], "layout": {"title": {"text": "History"}}}',
    }
    return succeed_with(api, job, files)


def succeed_with(api: Api, job: Job, files: Mapping[str, bytes], *, parts: Sequence[str] = ()) -> Job:
    """A running job leaves a model and these files, and ends."""
    leave_result(api.ports, job, extra=files, parts=parts)
    ended = [{"container": {"exitCode": 0}, "statusReason": "Essential container in task exited"}]
    _hear(api, job, "SUCCEEDED", attempts=ended)
    return _require(api, job, JobStatus.SUCCEEDED)


def fail(api: Api, job: Job, *, status: JobStatus = JobStatus.FAILED) -> Job:
    """Its container ends with an error, or because it was asked to."""
    ended = [{"container": {"exitCode": 64}, "statusReason": "Essential container in task exited"}]
    _hear(api, job, "FAILED", attempts=ended)
    return _require(api, job, status)


def _to_row(job: Job, event: JobEvent) -> Row:
    key = keys.row(job.workspace_id, "job_event", job.id, event.number)
    return Row(key=key, data=event.model_dump(mode="json"), revision=1)


def _hear(api: Api, job: Job, status: str, **fields: Any) -> None:
    compute_job_id = api.ports.compute.find(job.id)
    assert compute_job_id is not None
    event = batch_event(api.ports, compute_job_id, status, **fields)
    make_job_events(lambda: api.ports)(event, Context())  # type: ignore[arg-type]


def _require(api: Api, job: Job, status: JobStatus) -> Job:
    found = records.get(api.ports, Job, api.workspace.id, job.id)
    assert found.status is status, found.status_reason
    return found
