"""Tests here talk to servers on this machine."""

from pathlib import Path

import pytest

from aimass_local.environment import HOST
from tests.sockets import allow_hosts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, [HOST])
