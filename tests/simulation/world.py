"""A platform in memory in which everything that can go wrong between two steps does, by a seed or by a crash point.

Deliveries (the registry's stream, the compute service's events) are dropped, repeated and reordered; a handler crashes
before or after any of its effects. The reconciler heals; `check` holds the invariants after every step.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aimass_core.adapters.memory import (
    MemoryBlobStore,
    MemoryCatalog,
    MemoryCompute,
    MemoryCounters,
    MemoryCourier,
    MemoryPorts,
    MemoryPredictor,
    MemoryQueue,
    MemorySecrets,
    MemoryTrials,
)
from aimass_core.adapters.memory_hosting import MemoryHosting
from aimass_core.domain import keys
from aimass_core.domain.common import MonotonicIds
from aimass_core.domain.compute_states import ComputeState
from aimass_core.domain.endpoints import Endpoint, EndpointStatus
from aimass_core.domain.jobs import Job, JobKind, JobStatus
from aimass_core.domain.models import Model, ModelVersion
from aimass_core.errors import UnavailableError
from aimass_core.ports import Row
from aimass_core.services import dispatch, endpoints, job_events, reconciler, records
from aimass_core.services.ingest import closing
from tests.factories.platform import GOLDEN, QUOTAS, ManualClock, leave_result, new_principal
from tests.simulation.faults import CrashError, Faults, FaultyRegistry, faulty

LEASE_SECONDS = 60
PARTS = ("gate", "expert-1")

_MODEL_KINDS = (JobKind.TRAIN, JobKind.COMPRESS, JobKind.DECOMPOSE)
_DISPATCHED: Mapping[tuple[str, str], Callable[..., object]] = {
    ("job", "SUBMITTED"): dispatch.dispatch,
    ("endpoint", "CREATING"): endpoints.activate,
    ("endpoint", "UPDATING"): endpoints.activate,
}
BLOB_EFFECTS = ("put", "copy", "delete", "delete_all", "complete_multipart", "abort_multipart")


class CallingQueue(MemoryQueue):
    """What was sent is on its way."""

    def __init__(self, deliver: Callable[[Mapping[str, Any], int], object]) -> None:
        super().__init__()
        self._deliver = deliver

    def send(self, message: Mapping[str, Any], *, delay_seconds: int = 0) -> None:
        """See Queue."""
        self._deliver(message, delay_seconds)


@dataclass
class World:
    """The platform, what is on its way to it, and what was seen of it."""

    faults: Faults = field(default_factory=Faults)
    clock: ManualClock = field(default_factory=ManualClock)
    deliveries: list[Callable[[], object]] = field(default_factory=list)
    ended: dict[str, JobStatus] = field(default_factory=dict)
    healed: reconciler.Healed = field(default_factory=reconciler.Healed)
    intruder: Callable[[], object] | None = None
    forgotten: set[str] = field(default_factory=set)
    """Jobs whose model version somebody wanted to delete."""
    is_deleted: bool = False
    """The whole workspace: its objects go before its rows."""

    _checked: int = -1
    """How many effects there had been at the last check: since then nothing has changed."""

    def __post_init__(self) -> None:
        self.principal = new_principal()
        self.registry = FaultyRegistry(self.faults, self._announce)
        self.compute = faulty(MemoryCompute(), self.faults, "submit", "terminate")
        self.lake = faulty(MemoryBlobStore("lake", clock=self.clock), self.faults, *BLOB_EFFECTS)
        self.landing = faulty(MemoryBlobStore("landing", clock=self.clock), self.faults, *BLOB_EFFECTS)
        self.ports = MemoryPorts(
            registry=self.registry,
            lake=self.lake,
            landing=self.landing,
            ingest_queue=faulty(CallingQueue(self._ingest), self.faults, "send"),
            notification_queue=faulty(CallingQueue(self._notify), self.faults, "send"),
            courier=faulty(MemoryCourier(), self.faults, "post"),
            catalog=faulty(MemoryCatalog(), self.faults, "put", "drop", "drop_database"),
            counters=faulty(MemoryCounters(), self.faults, "add"),
            secrets=faulty(MemorySecrets(), self.faults, "put", "delete"),
            trials=faulty(MemoryTrials(), self.faults, "delete_study", "delete_workspace"),
            hosting=faulty(MemoryHosting(), self.faults, "create", "delete"),
            compute=self.compute,
            predictor=MemoryPredictor(lambda _: {"outputs": GOLDEN.outputs}),
            deployment_settings=QUOTAS,
            clock=self.clock,
            new_id=MonotonicIds(clock=self.clock),
        )

    def _announce(self, row: Row) -> None:
        """What the stream carries to dispatch."""
        use_case = _DISPATCHED.get((str(row.resource), str(row.status)))
        if use_case is not None:
            self.deliveries.append(lambda: use_case(self.ports, row.data["workspace_id"], row.data["id"]))

    def _notify(self, message: Mapping[str, Any], delay_seconds: int) -> None:
        """Nobody listens."""

    def _ingest(self, message: Mapping[str, Any], delay_seconds: int) -> None:
        workspace_id, dataset_id, number = message["workspace_id"], message["dataset_id"], message["number"]
        self.deliveries.append(
            lambda: closing.close(
                self.ports, workspace_id, dataset_id, number, max_bytes=1024**2, lease_seconds=LEASE_SECONDS
            )
        )

    def run_safely(self, step: Callable[[], object]) -> bool:
        """Does a step as a process that may crash; whether it came to its end.

        What intrudes on it is a user, or the same step in another process: a repeated delivery.
        """
        self.clock.advance(1)
        self.faults.intrude = self.intruder or step
        try:
            step()
        except (CrashError, UnavailableError):
            return False
        finally:
            self.check()
        return True

    def step_compute(self, compute_job_id: str, status: JobStatus, *, attempt: int = 1) -> ComputeState:
        """The compute service goes on, its container does its part, and the event sets out."""
        job = self._job_of(compute_job_id)
        was_armed, self.faults.is_armed = self.faults.is_armed, False
        if status is JobStatus.RUNNING:
            self._claim(job, attempt)
        if status is JobStatus.SUCCEEDED:
            parts = PARTS if job.kind is JobKind.DECOMPOSE else ()
            leave_result(self.ports, job, attempt=attempt, model=job.id.encode(), parts=parts)
        self.faults.is_armed = was_armed
        exit_code = {JobStatus.SUCCEEDED: 0, JobStatus.FAILED: 139}.get(status)
        state = self.compute.set_state(compute_job_id, status, exit_code=exit_code, attempt=attempt)
        self.tell(job, state)
        return state

    def tell(self, job: Job, state: ComputeState) -> None:
        """The compute service's event sets out."""
        self.deliveries.append(lambda: job_events.apply(self.ports, job.workspace_id, job.id, state))

    def reconcile(self) -> bool:
        """The reconciler's minute, long enough after the last step for every grace time and lease; whether it ended."""
        self.clock.advance(dispatch.CLAIM_SECONDS + 60)
        return self.run_safely(self._reconcile)

    def _reconcile(self) -> None:
        self.healed = reconciler.run(self.ports)

    def jobs(self) -> list[Job]:
        """All of them."""
        return self.registry.all(Job)

    def _claim(self, job: Job, attempt: int) -> None:
        def decide(stored: Job) -> dict[str, int] | None:
            return None if stored.status.is_terminal or stored.attempt >= attempt else {"attempt": attempt}

        records.update(self.ports, Job, job.workspace_id, job.id, change=decide)

    def _job_of(self, compute_job_id: str) -> Job:
        name = self.compute.submissions[compute_job_id].name
        return next(job for job in self.jobs() if job.id == name)

    # --- invariants ---

    def check(self) -> None:
        """What holds at any moment, also just after a crash."""
        if self.is_deleted or self._checked == self.faults.num_acts:
            return
        self._checked = self.faults.num_acts
        self._check_jobs()
        self._check_models()
        self._check_endpoints()

    def _check_jobs(self) -> None:
        for job in self.jobs():
            if job.id in self.ended:
                assert job.status is self.ended[job.id], "a job that has ended never changes"
            if job.status.is_terminal:
                self.ended[job.id] = job.status
            if job.status is JobStatus.SUCCEEDED and job.kind in _MODEL_KINDS:
                assert job.model_version is not None
                assert job.id in self.forgotten or any(
                    version.job_id == job.id for version in self.registry.all(ModelVersion)
                )
        names = Counter(submission.name for submission in self.compute.submissions.values())
        assert set(names.values()) <= {1}, f"a job was submitted twice: {names}"
        num_active = sum(not job.status.is_terminal for job in self.jobs())
        assert self.registry.count("JOB_ACTIVE#") == num_active, "the quota counts exactly the jobs that have not ended"

    def _check_models(self) -> None:
        versions = self.registry.all(ModelVersion)
        made = {(version.job_id, version.part) for version in versions}
        assert len(made) == len(versions), "a job makes one version, and one of each part"
        for version in versions:
            for artifact in version.artifacts:
                key = keys.model_object(version.workspace_id, version.model_id, version.number, artifact.name)
                info = self.lake.head(key)
                assert info is not None, "a row never points at nothing"
                assert info.sha256 == artifact.sha256
            body = version.job_id + (version.part or "")
            assert version.digest == hashlib.sha256(body.encode()).hexdigest(), "and at its own job's bytes"
            for part in version.parts.values():
                assert any((part.model_id, part.number) == (other.model_id, other.number) for other in versions)
        for model in self.registry.all(Model):
            numbers = [version.number for version in versions if version.model_id == model.id]
            assert model.latest_version == max(numbers, default=None)

    def _check_endpoints(self) -> None:
        held = Counter[tuple[str, int]]()
        for endpoint in self.registry.all(Endpoint):
            rolling = endpoint.rollout.model if endpoint.rollout else None
            models = (endpoint.serving, endpoint.candidate, rolling)
            named = {(model.model_id, model.number) for model in models if model}
            held.update(named)
            assert (endpoint.status is EndpointStatus.READY) <= (endpoint.serving is not None)
        for version in self.registry.all(ModelVersion):
            assert len(version.endpoints) == held.pop((version.model_id, version.number), 0)
        assert not held, "an endpoint never names a version that is gone"


def settle(world: World, rng: random.Random | None = None) -> None:
    """Delivers what is on its way, lets compute finish what it has, and reconciles until nothing changes."""
    world.faults.is_armed = False
    for _ in range(40):
        while world.deliveries:
            world.run_safely(world.deliveries.pop(0))
        world.reconcile()
        statuses = {job.id: job.status for job in world.jobs()}
        for compute_job_id, state in list(world.compute.states.items()):
            if not state.status.is_terminal:
                is_wanted = statuses[state.name] in (JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING)
                assert is_wanted, f"a container runs on for a job that is {statuses[state.name]}"
                status = rng.choice([JobStatus.SUCCEEDED, JobStatus.FAILED]) if rng else JobStatus.SUCCEEDED
                world.step_compute(compute_job_id, status, attempt=state.attempt)
        if not world.deliveries and world.healed == reconciler.Healed():
            return
    raise AssertionError("the platform never comes to rest")
