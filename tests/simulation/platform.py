"""The whole platform in memory: every handler that changes state, behind the pipes that carry events to it.

A process (a handler with one event, a user's request, a run of a container) may die at any of its effects; a pipe
loses, repeats, delays and reorders. What was not worked off comes again, a few times.
"""

import json
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from aimass_core.adapters.dynamodb_items import to_item
from aimass_core.adapters.memory import MemoryPredictor
from aimass_core.domain import keys
from aimass_core.domain.common import Role
from aimass_core.domain.compute_states import JOB_VARIABLE, WORKSPACE_VARIABLE, ComputeState
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.jobs import Job, JobKind, JobStatus
from aimass_core.domain.notification_channels import Delivery
from aimass_core.domain.workspaces import WorkspaceCreate
from aimass_core.errors import AimassError
from aimass_core.ports import BlobNotFoundError, Row, WriteConflictError
from aimass_core.services import dispatch, notification_deliveries, workspaces
from aimass_core.services.ingest.versions import LeaseLostError
from aimass_local.lifecycle import TEMPLATE_DIR
from functions.collectors.app import build_app
from functions.dispatch.app import make_handler as make_dispatch
from functions.ingest.app import Deployment
from functions.ingest.app import make_handler as make_ingest
from functions.job_events.app import make_handler as make_job_events
from functions.notifications.app import make_handler as make_notifications
from functions.reconciler.app import make_handler as make_reconciler
from tests.factories.platform import GOLDEN, ManualClock, new_principal
from tests.functional.gateway import Context
from tests.simulation.containers import Collecting
from tests.simulation.faults import Chances, CrashError, Faults
from tests.simulation.world import World

MAX_DELIVERIES = 4
# So many files come to ingest together (infra/cdk/components/ingest.py).
MAX_BATCH = 50
MAX_ATTEMPTS = 3
# The longest that the world goes on without a process: a request's time-out of its client is longer than that.
MAX_PAUSE_SECONDS = 90.0
_EXPECTED = (AimassError, WriteConflictError, LeaseLostError, BlobNotFoundError)


@cache
def _heard_images(prefix: str) -> list[Mapping[str, Mapping[str, list[str]]]]:
    """By which images of rows the deployed event source mapping of a function lets an event pass."""
    resources = json.loads((TEMPLATE_DIR / "AimassApplication.template.json").read_text("utf-8"))["Resources"]
    return [
        json.loads(found["Pattern"])["dynamodb"]["NewImage"]
        for name, resource in resources.items()
        if name.startswith(f"{prefix}Stream") and resource["Type"] == "AWS::Lambda::EventSourceMapping"
        for found in resource["Properties"]["FilterCriteria"]["Filters"]
    ]


def _hears(image: Mapping[str, Mapping[str, list[str]]], row: Row) -> bool:
    values = {"resource": row.resource, "status": None if row.status is None else str(row.status)}
    return all(values[name] in allowed["S"] for name, allowed in image.items())


class SeededIds:
    """As the platform makes them, but the same for the same seed."""

    def __init__(self, clock: ManualClock, rng: random.Random) -> None:
        self._clock, self._rng, self._last = clock, rng, 0

    def __call__(self, prefix: str) -> str:
        """The next id."""
        now = int(self._clock().timestamp() * 1000) << 64 | self._rng.getrandbits(64)
        self._last = max(now, self._last + 1)
        return f"{prefix}_{self._last:027x}"


def is_worse(number: int) -> bool:
    """Which versions give another answer to the golden request than in training."""
    return number % 4 == 3


def _answer(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    outputs = {**GOLDEN.outputs, "label": ["no"]} if is_worse(payload["number"]) else GOLDEN.outputs
    return {"outputs": outputs}


@dataclass
class Flight:
    """Something on its way to a process."""

    place: str
    run: Callable[[], object]
    due: float
    num_tries: int = 0
    is_message: bool = False
    """What is given up lies among the dead letters, and can be sent again."""


@dataclass
class Platform(World):
    """A world with all handlers, in which a seed says what happens."""

    rng: random.Random = field(default_factory=lambda: random.Random(0))
    flights: list[Flight] = field(default_factory=list)
    dead: list[Flight] = field(default_factory=list)
    loses: bool = True
    """Whether pipes lose, repeat and delay."""

    @classmethod
    def of_seed(cls, seed: int) -> "Platform":
        """With as many faults as the seed says."""
        rng = random.Random(seed)
        rate = rng.choice([0.0, 0.01, 0.03, 0.08])
        return cls(rng=rng, faults=Faults(plan=Chances(rng, rate)))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ports.new_id = SeededIds(self.clock, random.Random(self.rng.getrandbits(64)))
        self.ports.predictor = MemoryPredictor(_answer)
        made = workspaces.create(self.ports, self.principal, WorkspaceCreate(name="team"))
        self.principal = new_principal(Role.ADMIN).model_copy(
            update={"workspace_id": made.id, "workspace_name": made.name}
        )
        self.num_intrusions = 0
        self.collecting = Collecting(self)
        self.registry.draw_lag = lambda num: self.rng.randrange(num + 1) if self.rng.random() < 0.3 else 0
        self._dispatch = make_dispatch(lambda: self.ports)
        self._notifications = make_notifications(lambda: self.ports)
        self._ingest_handler = make_ingest(lambda: Deployment(ports=self.ports, max_lambda_bytes=1024**2))
        self._job_events = make_job_events(lambda: self.ports)
        self._reconciler = make_reconciler(lambda: self.ports)
        self._tick = build_app(lambda: self.ports, lambda: self.ports).handler_map["tick"]

    # --- pipes -------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        return self.clock().timestamp()

    def send(
        self, place: str, run: Callable[[], object], *, delay_seconds: float = 0, is_message: bool = False
    ) -> None:
        """Lets something set out to a process."""
        late = self.rng.expovariate(0.2) if self.loses else 0
        self.flights.append(Flight(place, run, self.now + delay_seconds + late, is_message=is_message))

    def _announce(self, row: Row) -> None:
        """See World: the registry's stream, to both of its readers."""
        for prefix, handler in (("Dispatch", "_dispatch"), ("Notifications", "_notifications")):
            if any(_hears(image, row) for image in _heard_images(prefix)):
                self._stream(handler, row)

    def _stream(self, handler: str, row: Row) -> None:
        event = {
            "eventID": "event",
            "eventName": "MODIFY",
            "eventSource": "aws:dynamodb",
            "dynamodb": {"SequenceNumber": "1", "NewImage": to_item(row)},
        }
        # What dispatch has not heard of, the reconciler finds; what notifications have not, waits for a redrive.
        self.send(
            handler[1:], lambda: self._call(getattr(self, handler), event), is_message=handler == "_notifications"
        )

    def _ingest(self, message: Mapping[str, Any], delay_seconds: int) -> None:
        event = {"eventSource": "aws:sqs", "messageId": "message", "body": json.dumps(message)}
        self.send(
            "ingest", lambda: self._call(self._ingest_handler, event), delay_seconds=delay_seconds, is_message=True
        )

    def _notify(self, message: Mapping[str, Any], delay_seconds: int) -> None:
        event = {"eventSource": "aws:sqs", "messageId": "message", "body": json.dumps(message)}
        self.send(
            "notifications",
            lambda: self._call(self._notifications, event),
            delay_seconds=delay_seconds,
            is_message=True,
        )

    def _call(self, handler: Any, record: Mapping[str, Any]) -> None:
        """Raises where the record failed, so that it comes again."""
        answer = handler({"Records": [record]}, Context())
        if answer["batchItemFailures"]:
            raise WriteConflictError([])

    def tell(self, job: Job, state: ComputeState) -> None:
        """See World: the event of EventBridge."""
        num_ended = state.attempt if state.status.is_terminal else state.attempt - 1
        environment = [
            {"name": WORKSPACE_VARIABLE, "value": job.workspace_id},
            {"name": JOB_VARIABLE, "value": job.id},
        ]
        detail = {
            "jobId": state.compute_job_id,
            "jobName": state.name,
            "status": "RUNNABLE" if state.status is JobStatus.QUEUED else state.status.value,
            "attempts": [{"container": {"exitCode": state.exit_code}} for _ in range(num_ended)],
            "container": {
                "environment": environment,
                "exitCode": state.exit_code,
                "logStreamName": state.log_stream,
            },
        }
        event = {"source": "aws.batch", "detail": detail}
        self.send("job_events", lambda: self._job_events(event, Context()))

    def put_objects(self, *objects: tuple[str, bytes]) -> None:
        """What a client's PUTs to the landing bucket do, and S3's notifications of them, which arrive together."""
        records = []
        for number, (key, body) in enumerate(objects):
            info = self.landing.put(key, body)
            described = {"key": key, "eTag": info.etag, "size": info.num_bytes}
            message = {"Records": [{"s3": {"object": described}, "eventTime": info.modified_at.isoformat()}]}
            records.append({"eventSource": "aws:sqs", "messageId": f"{number}", "body": json.dumps(message)})
        for first in range(0, len(records), MAX_BATCH):
            self._send_batch(records[first : first + MAX_BATCH])

    def _send_batch(self, records: Sequence[Mapping[str, Any]]) -> None:
        waiting = list(records)

        def deliver() -> None:
            answer = self._ingest_handler({"Records": list(waiting)}, Context())
            failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
            # What failed comes again, alone; where nothing has, whatever comes again is all of it.
            waiting[:] = [record for record in records if not failed or record["messageId"] in failed]
            if failed:
                raise WriteConflictError([])

        self.send("ingest", deliver, is_message=True)

    # --- processes ---------------------------------------------------------------------------------------------------

    def process(self, place: str, step: Callable[[], object]) -> bool:
        """Does a step in a process of its own; whether it came to its end."""
        self.faults.intrude = self.intrude
        former, self.faults.place = self.faults.place, place
        try:
            step()
        except (CrashError, *_EXPECTED):
            return False
        finally:
            self.faults.place = former
            self.check()
        return True

    def intrude(self) -> None:
        """Others work while a process waits, or it stands still for a while: then it is a zombie."""
        if self.num_intrusions >= 2:
            return
        self.num_intrusions += 1
        try:
            self.clock.advance(self.rng.uniform(0, MAX_PAUSE_SECONDS))
            for _ in range(self.rng.randrange(3)):
                if self.rng.random() < 0.3:
                    self.minute()
                else:
                    self.deliver()
        finally:
            self.num_intrusions -= 1

    def wait(self, seconds: float) -> None:
        """A process that sleeps lets the others work."""
        self.clock.advance(seconds)
        if self.rng.random() < 0.1:
            self.intrude()

    def deliver(self) -> bool:
        """Something that is due arrives, or is lost, or arrives and will come again."""
        due = [flight for flight in self.flights if flight.due <= self.now]
        if not due:
            return False
        flight = self.rng.choice(due) if self.loses else due[0]
        self.flights.remove(flight)
        fate = self.rng.random() if self.loses else 0.5
        is_done = fate >= 0.05 and self.process(flight.place, flight.run)
        flight.num_tries += 1
        if (fate >= 0.05 and not is_done and flight.num_tries < MAX_DELIVERIES) or fate > 0.92:
            flight.due = self.now + self.rng.expovariate(0.02)
            self.flights.append(flight)
        elif not is_done and flight.is_message:
            self.dead.append(flight)
        return True

    def minute(self) -> None:
        """What the scheduler calls."""
        self.process("reconciler", lambda: self._reconciler({}, Context()))
        event = {"source": "aws.events", "time": self.clock().isoformat(), "detail": {}, "resources": []}
        fields = {"detail-type": "", "account": "", "region": "", "id": "", "version": ""}
        self.process("collectors", lambda: self._tick({**event, **fields}, Context()))

    def work_containers(self) -> bool:
        """One container goes on."""
        running = [state for state in self.compute.states.values() if not state.status.is_terminal]
        if not running:
            return False
        state = self.rng.choice(running)
        order = [JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING]
        if state.status is not JobStatus.RUNNING:
            status = self.rng.choice(order[order.index(state.status) + 1 :]) if self.loses else JobStatus.RUNNING
            self.step_compute(state.compute_job_id, status, attempt=state.attempt)
        elif self.loses and state.attempt < MAX_ATTEMPTS and self.rng.random() < 0.2:
            self.step_compute(state.compute_job_id, JobStatus.QUEUED, attempt=state.attempt + 1)
        else:
            self._end_container(state)
        return True

    def _end_container(self, state: ComputeState) -> None:
        job = self._job_of(state.compute_job_id)
        status = JobStatus.FAILED if self.loses and self.rng.random() < 0.15 else JobStatus.SUCCEEDED
        if job.kind is JobKind.COLLECT:
            with tempfile.TemporaryDirectory() as folder:
                is_done = self.process("container", lambda: self.collecting.collect(job, Path(folder)))
            if self.compute.states[state.compute_job_id].status.is_terminal:
                return
            if not is_done and state.attempt < MAX_ATTEMPTS:
                self.step_compute(state.compute_job_id, JobStatus.QUEUED, attempt=state.attempt + 1)
                return
            status = JobStatus.SUCCEEDED if is_done else JobStatus.FAILED
        self.step_compute(state.compute_job_id, status, attempt=state.attempt)

    def leave(self, job: Job, attempt: int) -> None:
        """The result of a container that makes no model."""
        result = {"job_id": job.id, "attempt": attempt, "artifacts": []}
        key = keys.job_attempt(job.workspace_id, job.id, attempt, "result.json")
        self.lake.put(key, json.dumps(result).encode())

    # --- invariants --------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """See World. What serves is verified, and every retry is bounded."""
        super().check()
        for endpoint in self.registry.all(Endpoint):
            rolling = endpoint.rollout.model if endpoint.rollout else None
            for model in (endpoint.serving, rolling):
                assert model is None or not is_worse(model.number), f"{model.ref} serves, and was not verified"
        assert all(job.dispatch_attempts <= dispatch.MAX_ATTEMPTS for job in self.jobs())
        for delivery in self.registry.all(Delivery):
            assert delivery.num_attempts <= len(notification_deliveries.PAUSES_SECONDS) + 1, "tried without end"

    # --- coming to rest ----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Without faults from now on: until nothing is on its way, and nothing waits. Dead letters are sent again."""
        self.faults.is_armed, self.loses = False, False
        self.flights, self.dead = [*self.flights, *self.dead], []
        for _ in range(400 + 40 * (len(self.flights) + len(self.compute.states))):
            if self.deliver() or self.work_containers():
                continue
            if self.flights:
                self.clock.advance(max(1.0, min(flight.due for flight in self.flights) - self.now))
                continue
            if self._is_at_rest():
                return
            self.clock.advance(180)
            self.minute()
        raise AssertionError(f"the platform never comes to rest: {self._unfinished()}")

    def _is_at_rest(self) -> bool:
        """Nothing waits, and three minutes bring nothing."""
        if self._unfinished():
            return False
        for _ in range(3):
            self.clock.advance(61)
            self.minute()
            if self.flights:
                return False
        return True

    def _unfinished(self) -> list[str]:
        ended = {
            "job": {"SUCCEEDED", "FAILED", "STOPPED"},
            "dataset_version": {"READY", "REJECTED"},
            "endpoint": {"READY", "FAILED", "ROLLING_OUT"},
            "notification": {"TOLD"},
            "notification_delivery": {"DELIVERED", "DEAD"},
            "table": {"REFUSED"},
            "dataset_tombstone": set(),
        }
        return [
            f"{row.key.sort} {row.status}"
            for row in self.registry.rows()
            if row.resource in ended and str(row.status) not in ended[row.resource]
        ]
