"""Fixtures of the deployed local stack; loopback sockets only."""

from pathlib import Path

import pytest

from tests.sockets import allow_hosts
from tests.stack import client, stack

__all__ = ["client", "stack"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.benchmark)
    allow_hosts(items, here, ["127.0.0.1", "localhost"])
