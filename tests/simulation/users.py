"""What people and programs ask of the simulated platform, and what was promised to them: a ledger of what was acked."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.datasets import (
    Dataset,
    DatasetCreate,
    DatasetPolicy,
    UploadCreate,
    WriteMode,
)
from aimass_core.domain.endpoint_counters import Counts
from aimass_core.domain.endpoints import Endpoint, EndpointCreate, EndpointUpdate
from aimass_core.domain.jobs import Job
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.notification_channels import ChannelCreate, RuleCreate, WebhookTarget
from aimass_core.domain.settings.contract import SettingsUpdate, Subsystem
from aimass_core.domain.transfers import ExportCreate
from aimass_core.errors import AimassError, UnavailableError
from aimass_core.ports import CourierAnswer, WriteConflictError
from aimass_core.services import (
    datasets,
    endpoint_counters,
    endpoints,
    jobs,
    models,
    notification_channels,
    notification_rules,
    rollouts,
    settings,
    transfers,
    uploads,
)
from tests.factories import platform as factory
from tests.simulation.faults import CrashError
from tests.simulation.platform import MAX_BATCH, Platform

_DROPPED = "dropped"
_SHARED = "adult"
_PLAN = {"percent": 10, "step_percent": 45, "every_seconds": 60, "guards": {"min_requests": 5}}


@dataclass
class Ledger:
    """What was acknowledged, and what was asked."""

    num_acks: int = 0
    num_files: int = 0
    """Acknowledged by S3, as they came to lie in the drop folder."""
    num_given_up: int = 0
    """Files whose conversion died so often that it is not tried again, which their version says."""
    jobs: dict[str, int] = field(default_factory=dict)
    """Id of each acknowledged job, by which request it was."""
    rows: dict[str, set[int]] = field(default_factory=dict)
    """Ids of the rows that each dataset was acknowledged to get."""
    uploads: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """The rows of each version that an upload was acknowledged to become."""
    deleted: set[str] = field(default_factory=set)
    """Datasets whose deletion was asked for, acknowledged or not."""
    level: int = 0
    levels: set[int] = field(default_factory=set)
    """The last acknowledged value of a setting, and those asked for since without an answer."""


class Users:
    """They ask at random, and ask again where nothing came back."""

    def __init__(self, world: Platform) -> None:
        self.world, self.ledger = world, Ledger()
        self._num_asked = self._num_rows = 0
        self._actions: list[tuple[Callable[[], None], int]] = [
            (self.train, 6),
            (self.stop, 1),
            (self.retry, 2),
            (self.drop, 5),
            (self.upload, 3),
            (self.deploy, 3),
            (self.promote, 1),
            (self.roll_back, 1),
            (self.count, 4),
            (self.delete_dataset, 1),
            (self.delete_version, 1),
            (self.delete_endpoint, 1),
            (self.collect, 3),
            (self.change_settings, 2),
            (self.export, 1),
        ]

    def begin(self) -> None:
        """What there is before anything goes wrong."""
        world = self.world
        ports, principal = world.ports, world.principal
        world.ports.courier.answer = lambda _: CourierAnswer(
            status=503 if world.loses and world.rng.random() < 0.3 else 200, text=""
        )
        factory.add_version(ports, principal, factory.add_dataset(ports, principal))
        policy = DatasetPolicy(drop_mode=WriteMode.APPEND, drop_window_seconds=5)
        datasets.create(ports, principal, DatasetCreate(name=_DROPPED, policy=policy))
        target = WebhookTarget(type="webhook", url="https://receiver.example/in")
        notification_channels.create(ports, principal, ChannelCreate(name="hook", target=target))
        notification_rules.create(ports, principal, RuleCreate(name="all", events=["*"], channels=["hook"]))
        world.collecting.make()
        world.faults.is_armed = True

    def act(self) -> None:
        """One of them asks for something."""
        (action,) = self.world.rng.choices([each for each, _ in self._actions], [weight for _, weight in self._actions])
        action()

    def ask(self, request: Callable[[], Any], *, num_tries: int = 3) -> Any:
        """A request until it is answered: what was made, or None where it was refused or nobody answered."""
        world = self.world
        for _ in range(num_tries):
            world.clock.advance(1)
            world.faults.intrude, world.faults.place = world.intrude, "api"
            try:
                answer = request()
            except (CrashError, UnavailableError):
                world.clock.advance(world.rng.uniform(1, 60))
                continue
            except (AimassError, WriteConflictError):
                return None
            finally:
                world.check()
            self.ledger.num_acks += 1
            return answer
        return None

    # --- jobs --------------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """A job, sometimes after another one; with an Idempotency-Key."""
        depends_on = [job.id for job in self.world.rng.sample(self.world.jobs(), k=min(1, len(self.world.jobs())))]
        depends_on = depends_on if self.world.rng.random() < 0.3 else []
        self._num_asked += 1
        request = factory.train_request(_SHARED, depends_on=depends_on, seed=self._num_asked)
        self._submit(lambda who: jobs.create(self.world.ports, who, request, limits=factory.LIMITS))

    def retry(self) -> None:
        """Of one that has failed."""
        failed = [job for job in self.world.jobs() if str(job.status) in ("FAILED", "STOPPED")]
        if not failed:
            return
        self._num_asked += 1
        job = self.world.rng.choice(failed)
        self._submit(lambda who: jobs.retry(self.world.ports, who, job.id, limits=factory.LIMITS))

    def export(self) -> None:
        """Of the workspace."""
        self._num_asked += 1
        workspace_id = self.world.principal.workspace_id
        self._submit(
            lambda who: transfers.export(
                self.world.ports, who, workspace_id, ExportCreate(with_data=False), limits=factory.LIMITS
            )
        )

    def _submit(self, submit: Callable[[Any], Job]) -> None:
        who = self.world.principal.model_copy(update={"request": f"request-{self._num_asked}"})
        job = self.ask(lambda: submit(who))
        if job is not None:
            self.ledger.jobs[job.id] = self._num_asked

    def stop(self) -> None:
        """Any job."""
        found = self.world.jobs()
        if found:
            job = self.world.rng.choice(found)
            self.ask(lambda: jobs.stop(self.world.ports, self.world.principal, job.id))

    def collect(self) -> None:
        """A run of the source."""
        self.ask(self.world.collecting.start, num_tries=1)

    # --- data --------------------------------------------------------------------------------------------------------

    def _rows(self) -> tuple[set[int], bytes]:
        first, self._num_rows = self._num_rows, self._num_rows + self.world.rng.randint(1, 3)
        numbers = set(range(first, self._num_rows))
        return numbers, "".join(["id\n", *(f"{number}\n" for number in sorted(numbers))]).encode()

    def drop(self) -> None:
        """One file or many for the dataset that files are appended to: S3 acknowledges each."""
        prefix = keys.drop_prefix(self.world.principal.workspace_name, _DROPPED)
        files = {}
        for _ in range(self.world.rng.choice([1, 2, 3, 4, MAX_BATCH + 1])):
            numbers, body = self._rows()
            files[f"{prefix}{min(numbers)}.csv"] = body
            self.ledger.rows.setdefault(_DROPPED, set()).update(numbers)
        self._put(*files.items())
        self.ledger.num_acks += len(files)
        self.ledger.num_files += len(files)

    def _put(self, *files: tuple[str, bytes]) -> None:
        is_armed, self.world.faults.is_armed = self.world.faults.is_armed, False
        self.world.put_objects(*files)
        self.world.faults.is_armed = is_armed

    def upload(self) -> None:
        """A file that becomes a version of its own dataset."""
        numbers, body = self._rows()
        ports, principal = self.world.ports, self.world.principal
        name = f"own-{self.world.rng.randrange(2)}"
        if self.ask(lambda: datasets.ensure(ports, principal, name)) is None:
            return
        digest = hashlib.sha256(body).hexdigest()
        request = UploadCreate(file_name="data.csv", num_bytes=len(body), sha256=digest, mode=WriteMode.REPLACE)
        upload = self.ask(lambda: uploads.create(ports, principal, name, request))
        if upload is None:
            return
        self._put((keys.upload_object(upload.workspace_id, upload.dataset_id, upload.id), body))
        version = self.ask(lambda: uploads.complete(ports, principal, upload.dataset_id, upload.id))
        if version is not None:
            self.ledger.uploads[version.dataset_id, version.number] = numbers

    def delete_dataset(self) -> None:
        """One of those that are uploaded to."""
        ports, principal = self.world.ports, self.world.principal
        found = [dataset for dataset in self.world.registry.all(Dataset) if dataset.name.startswith("own-")]
        if found:
            dataset = self.world.rng.choice(found)
            self.ledger.deleted.add(dataset.id)
            self.ask(lambda: datasets.delete(ports, principal, dataset.id), num_tries=1)

    # --- serving -----------------------------------------------------------------------------------------------------

    def deploy(self) -> None:
        """A version at a new endpoint, or at once or by steps at one that there is."""
        world = self.world
        versions = world.registry.all(ModelVersion)
        if not versions:
            return
        version = world.rng.choice(versions)
        ref = f"{version.model_name}@{version.number}"
        found = world.registry.all(Endpoint)
        if not found:
            self.ask(lambda: endpoints.create(world.ports, world.principal, EndpointCreate(model=ref)))
            return
        endpoint = world.rng.choice(found)
        fields: dict[str, Any] = {"model": ref, "rollout": _PLAN} if world.rng.random() < 0.6 else {"model": ref}
        request = EndpointUpdate.model_validate(fields)
        self.ask(
            lambda: endpoints.update(world.ports, world.principal, endpoint.id, request, revision=endpoint.revision)
        )

    def _with_endpoint(self, act: Callable[[Endpoint], object]) -> None:
        found = self.world.registry.all(Endpoint)
        if found:
            endpoint = self.world.rng.choice(found)
            self.ask(lambda: act(endpoint), num_tries=1)

    def promote(self) -> None:
        """The version of a rollout."""
        self._with_endpoint(lambda found: rollouts.promote(self.world.ports, self.world.principal, found))

    def roll_back(self) -> None:
        """Whatever there is to roll back."""
        self._with_endpoint(lambda found: rollouts.roll_back(self.world.ports, self.world.principal, found))

    def delete_endpoint(self) -> None:
        """With its holds."""
        self._with_endpoint(lambda found: endpoints.delete(self.world.ports, self.world.principal, found.id))

    def delete_version(self) -> None:
        """Of a model; refused while something holds it."""
        versions = self.world.registry.all(ModelVersion)
        if versions:
            version = self.world.rng.choice(versions)
            self.world.forgotten.add(version.job_id)
            who = self.world.principal
            self.ask(lambda: models.delete_version(self.world.ports, who, version.model_name, version.number))

    def count(self) -> None:
        """What the version of a rollout has answered, which dispatch hears of."""
        world = self.world
        rolling = [endpoint for endpoint in world.registry.all(Endpoint) if endpoint.rollout is not None]
        if not rolling:
            return
        endpoint = world.rng.choice(rolling)
        assert endpoint.rollout is not None
        amounts = {"requests": world.rng.randint(1, 10), "errors": int(world.rng.random() < 0.15) * 10}
        counted = endpoint_counters.to_counted(endpoint, endpoint.rollout.model)
        self.ask(
            lambda: endpoint_counters.add(world.ports, counted, Counts.from_amounts(amounts), minute=world.clock())
        )
        world.send("dispatch", lambda: rollouts.follow(world.ports, endpoint.workspace_id, endpoint.id))

    def change_settings(self) -> None:
        """A value that the last acknowledgement keeps."""
        ports, who = self.world.ports, self.world.principal
        value = self.world.rng.randint(1, 1_000)

        def change() -> object:
            revision = settings.get(ports, who, Subsystem.COLLECTION).revision
            request = SettingsUpdate(values={"preview_rows": value})
            return settings.update(ports, who, Subsystem.COLLECTION, request, revision=revision)

        self.ledger.levels.add(value)
        if self.ask(change) is not None:
            self.ledger.level, self.ledger.levels = value, {value}
