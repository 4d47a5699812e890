"""Which tests may open sockets: those of a folder that needs a server, to this machine alone."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.targets import Target, target


def allow_hosts(items: Iterable[pytest.Item], folder: Path, hosts: Sequence[str]) -> None:
    """For the tests of the folder; a conftest's hook is called with those of all. Other targets are anywhere."""
    allowed = pytest.mark.allow_hosts(list(hosts)) if target() is Target.LOCAL else pytest.mark.enable_socket
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(allowed)
