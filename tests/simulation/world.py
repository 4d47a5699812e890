"""A platform in memory in which everything that can go wrong between two steps does, by a seed or by a crash point.

Deliveries (the registry's stream, the compute service's events) are dropped, repeated and reordered; a handler crashes
before or after any of its effects. The reconciler heals; `check` holds the invariants after every step.
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from aimass_core.adapters.memory import (
    MemoryBlobStore,
    MemoryCompute,
    MemoryPorts,
    MemoryPredictor,
    MemoryQueue,
    MemoryRegistry,
)
from aimass_core.domain import keys
from aimass_core.domain.common import MonotonicIds, Resource
from aimass_core.domain.compute_states import ComputeState
from aimass_core.domain.endpoints import Endpoint, EndpointStatus
from aimass_core.domain.jobs import Job, JobKind, JobStatus
from aimass_core.domain.models import Model, ModelVersion
from aimass_core.ports import BlobInfo, Put, Submission, Write
from aimass_core.services import dispatch, endpoints, job_events, reconciler, records
from aimass_core.services.ingest import closing
from tests.factories.platform import GOLDEN, ManualClock, leave_result, new_principal

LEASE_SECONDS = 60
PARTS = ("gate", "expert-1")

ResultT = TypeVar("ResultT")
ResourceT = TypeVar("ResourceT", bound=Resource)


class CrashError(Exception):
    """The process that runs a handler is gone."""


class When(StrEnum):
    """What happens at an effect: the process dies BEFORE or AFTER it, or others do their work MEANWHILE."""

    BEFORE = "before"
    AFTER = "after"
    MEANWHILE = "meanwhile"


@dataclass
class Faults:
    """Counts effects, and lets those of its plan go wrong."""

    plan: Mapping[int, When] = field(default_factory=dict)
    is_armed: bool = False
    num_effects: int = 0
    intrude: Callable[[], object] = lambda: None

    def effect(self, act: Callable[[], ResultT]) -> ResultT:
        """Does something that outlives the process."""
        if not self.is_armed:
            return act()
        self.num_effects += 1
        when = self.plan.get(self.num_effects)
        if when is When.BEFORE:
            raise CrashError
        if when is When.MEANWHILE:
            self.intrude()
        result = act()
        if when is When.AFTER:
            raise CrashError
        return result


class CrashingRegistry(MemoryRegistry):
    """Announces what the real table's stream does, under the same filter."""

    def __init__(self, faults: Faults, announce: Callable[[str, str, str], None]) -> None:
        super().__init__()
        self._faults, self._announce = faults, announce

    def write(self, *writes: Write) -> None:
        """See Registry."""
        self._faults.effect(lambda: self._write(*writes))

    def _write(self, *writes: Write) -> None:
        super().write(*writes)
        for write in writes:
            if isinstance(write, Put) and (write.row.resource, write.row.status) in {
                ("job", "SUBMITTED"),
                ("endpoint", "CREATING"),
                ("endpoint", "UPDATING"),
            }:
                self._announce(str(write.row.resource), write.row.data["workspace_id"], write.row.data["id"])

    def all(self, cls: type[ResourceT]) -> list[ResourceT]:
        """Every resource of a class."""
        return [cls.model_validate(row.data) for row in self._rows.values() if row.resource == cls.resource]

    def count(self, prefix: str) -> int:
        """Rows whose sort key begins so."""
        return sum(key.sort.startswith(prefix) for key in self._rows)


class CrashingBlobStore(MemoryBlobStore):
    """Puts, copies and deletes are effects."""

    def __init__(self, bucket: str, faults: Faults, clock: ManualClock) -> None:
        super().__init__(bucket, clock=clock)
        self._faults = faults

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> BlobInfo:
        """See BlobStore."""
        return self._faults.effect(lambda: super(CrashingBlobStore, self).put(key, body, content_type=content_type))

    def copy(self, source_key: str, key: str) -> None:
        """See BlobStore."""
        self._faults.effect(lambda: super(CrashingBlobStore, self).copy(source_key, key))

    def delete(self, key: str) -> None:
        """See BlobStore."""
        self._faults.effect(lambda: super(CrashingBlobStore, self).delete(key))


class CrashingCompute(MemoryCompute):
    """Submissions and terminations are effects."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults

    def submit(self, submission: Submission) -> str:
        """See Compute."""
        return self._faults.effect(lambda: super(CrashingCompute, self).submit(submission))

    def terminate(self, compute_job_id: str, *, reason: str) -> None:
        """See Compute."""
        self._faults.effect(lambda: super(CrashingCompute, self).terminate(compute_job_id, reason=reason))


class CrashingQueue(MemoryQueue):
    """Sending is an effect; what was sent is on its way."""

    def __init__(self, faults: Faults, deliver: Callable[[Mapping[str, Any]], object]) -> None:
        super().__init__()
        self._faults, self._deliver = faults, deliver

    def send(self, message: Mapping[str, Any], *, delay_seconds: int = 0) -> None:
        """See Queue."""
        self._faults.effect(lambda: self._deliver(message))


@dataclass
class World:
    """The platform, what is on its way to it, and what was seen of it."""

    faults: Faults = field(default_factory=Faults)
    clock: ManualClock = field(default_factory=ManualClock)
    deliveries: list[Callable[[], object]] = field(default_factory=list)
    ended: dict[str, JobStatus] = field(default_factory=dict)
    healed: reconciler.Healed = field(default_factory=reconciler.Healed)
    intruder: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self.principal = new_principal()
        self.registry = CrashingRegistry(self.faults, self._announce)
        self.compute = CrashingCompute(self.faults)
        self.lake = CrashingBlobStore("lake", self.faults, self.clock)
        self.landing = CrashingBlobStore("landing", self.faults, self.clock)
        self.ports = MemoryPorts(
            registry=self.registry,
            lake=self.lake,
            landing=self.landing,
            ingest_queue=CrashingQueue(self.faults, self._ingest),
            compute=self.compute,
            predictor=MemoryPredictor(lambda _: {"outputs": GOLDEN.outputs}),
            clock=self.clock,
            new_id=MonotonicIds(clock=self.clock),
        )

    def _announce(self, resource: str, workspace_id: str, resource_id: str) -> None:
        use_case = dispatch.dispatch if resource == "job" else endpoints.activate
        self.deliveries.append(lambda: use_case(self.ports, workspace_id, resource_id))

    def _ingest(self, message: Mapping[str, Any]) -> None:
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
        except CrashError:
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
        self.deliveries.append(lambda: job_events.apply(self.ports, job.workspace_id, job.id, state))
        return state

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
        self._check_jobs()
        self._check_models()
        self._check_endpoints()

    def _check_jobs(self) -> None:
        for job in self.jobs():
            if job.id in self.ended:
                assert job.status is self.ended[job.id], "a job that has ended never changes"
            if job.status.is_terminal:
                self.ended[job.id] = job.status
            if job.status is JobStatus.SUCCEEDED:
                assert job.model_version is not None
                assert any(version.job_id == job.id for version in self.registry.all(ModelVersion))
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
            named = {(model.model_id, model.number) for model in (endpoint.serving, endpoint.candidate) if model}
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
