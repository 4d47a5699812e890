"""Settings are read anew after some seconds, by one query, and what cannot be read is taken as it was."""

import pytest

from aimass_core.adapters.live_settings import TTL_SECONDS, StoredSettings
from aimass_core.adapters.memory import MemoryRegistry
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.settings.contract import SettingsUpdate, Subsystem
from aimass_core.domain.settings.quotas import QuotaSettings
from aimass_core.domain.settings.training import TrainingSettings
from aimass_core.errors import UnavailableError
from aimass_core.ports import RowPage
from aimass_core.services import settings
from tests.factories.platform import new_ports, new_principal


class _Registry(MemoryRegistry):
    """Counts queries, and is away when a test says so."""

    num_queries = 0
    is_away = False

    def query(
        self, partition: str, prefix: str, *, limit: int, start: str | None = None, newest_first: bool = False
    ) -> RowPage:
        """See Registry."""
        if self.is_away:
            raise UnavailableError("away")
        self.num_queries += 1
        return super().query(partition, prefix, limit=limit, start=start, newest_first=newest_first)


class World:
    """A workspace, and a process that reads its settings."""

    def __init__(self) -> None:
        self.ports = new_ports()
        self.ports.deployment_settings = {}
        self.registry = self.ports.registry = _Registry()
        self.owner = new_principal(Role.ADMIN)
        self.now = 0.0
        self.process = StoredSettings(lambda: self.registry, deployment={}, monotonic=lambda: self.now)

    def change(self, **values: int) -> None:
        revision = settings.get(self.ports, self.owner, Subsystem.TRAINING).revision
        settings.update(
            self.ports, self.owner, Subsystem.TRAINING, SettingsUpdate(values=dict(values)), revision=revision
        )

    def read(self, owner: Principal | None = None) -> TrainingSettings:
        return self.process.get(TrainingSettings, (owner or self.owner).workspace_id)


@pytest.fixture
def world() -> World:
    return World()


def test_a_change_holds_after_five_seconds_at_most(world: World) -> None:
    assert world.read().checkpoint_seconds == 60
    world.change(checkpoint_seconds=30)
    world.now = TTL_SECONDS - 0.1
    assert world.read().checkpoint_seconds == 60
    world.now = TTL_SECONDS
    assert world.read().checkpoint_seconds == 30
    assert TTL_SECONDS <= 5


def test_one_query_reads_all_subsystems(world: World) -> None:
    world.read()
    world.process.get(QuotaSettings, world.owner.workspace_id)
    world.read()
    assert world.registry.num_queries == 1
    world.read(new_principal())
    assert world.registry.num_queries == 2


def test_settings_that_cannot_be_read_hold_on(world: World) -> None:
    world.change(checkpoint_seconds=30)
    assert world.read().checkpoint_seconds == 30
    world.registry.is_away, world.now = True, 100.0
    assert world.read().checkpoint_seconds == 30
    with pytest.raises(UnavailableError):
        world.read(new_principal())


def test_values_that_a_later_release_does_not_take_count_as_not_said() -> None:
    assert TrainingSettings.effective({}, {"checkpoint_seconds": -5, "gone": 1, "max_seconds": 120}) == (
        TrainingSettings(max_seconds=120)
    )
    # Values that contradict each other: none of them.
    assert TrainingSettings.effective({"max_seconds": 600}, {"backend": "sagemaker"}) == TrainingSettings(
        max_seconds=600
    )


def test_a_ceiling_of_the_deployment_holds_over_what_was_set_before_it() -> None:
    deployment = {"max_jobs_active": 10}
    assert QuotaSettings.effective(deployment, {"max_jobs_active": 50}).max_jobs_active == 10
    assert QuotaSettings.effective(deployment, {"max_jobs_active": 5}).max_jobs_active == 5
    assert QuotaSettings.exceeds("key_requests_per_day", None, {"key_requests_per_day": 5})
