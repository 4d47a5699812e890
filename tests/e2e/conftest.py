"""Fixtures of the deployed local stack; loopback sockets only."""

from pathlib import Path

import pytest

from tests.sockets import allow_hosts
from tests.stack import client, killed_stack, loans, stack

__all__ = ["client", "killed_stack", "loans", "stack"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, ["127.0.0.1", "localhost"])
