"""Servers are asked over loopback."""

from pathlib import Path

import pytest

from tests.sockets import allow_hosts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, ["127.0.0.1"])
