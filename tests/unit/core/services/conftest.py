"""A platform in memory, and somebody who has a dataset there; a module that needs others has its own."""

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Principal, Role
from tests.factories.platform import ManualClock, add_dataset, add_version, new_ports, new_principal


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ports(clock: ManualClock) -> MemoryPorts:
    return new_ports(clock)


@pytest.fixture
def principal(ports: MemoryPorts) -> Principal:
    principal = new_principal()
    add_version(ports, principal, add_dataset(ports, principal))
    return principal


@pytest.fixture
def owner() -> Principal:
    return new_principal(Role.ADMIN)
