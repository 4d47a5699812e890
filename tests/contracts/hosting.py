"""What every hosting service does. A test module subclasses this with its own fixtures."""

import time
from collections.abc import Callable, Iterator

import pytest

from aimass_core.domain.common import new_id
from aimass_core.domain.engines import HostState, HostStatus
from aimass_core.domain.hosts import to_host_name
from aimass_core.errors import UnavailableError
from aimass_core.ports import Host, Hosting

PATIENCE_SECONDS = 120


def wait_for_host(hosting: Hosting, name: str, is_right: Callable[[HostState | None], bool]) -> HostState | None:
    """The host's state as soon as it is as wanted."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_right(state := hosting.find(name)):
        assert time.monotonic() < deadline, f"still {state}"
        time.sleep(0.02)
    return state


def is_ready(state: HostState | None) -> bool:
    """For `wait_for_host`."""
    return state is not None and state.status is HostStatus.READY


class HostingContract:
    """The suite. Containers echo what they are asked."""

    @pytest.fixture
    def hosting(self) -> Hosting:
        """The service under test."""
        raise NotImplementedError

    @pytest.fixture
    def host(self) -> Iterator[Host] | Host:
        """One to be created."""
        raise NotImplementedError

    def test_a_host_starts_answers_and_goes(self, hosting: Hosting, host: Host) -> None:
        hosting.create(host)
        hosting.create(host)
        assert wait_for_host(hosting, host.name, is_ready) == HostState(name=host.name, status=HostStatus.READY)
        assert host.name in [state.name for state in hosting.list()]
        answer = hosting.ask(host.name, b"what is there?", content_type="text/plain")
        assert answer.status == 200
        assert b"what is there?" in answer.content
        hosting.delete(host.name)
        wait_for_host(hosting, host.name, lambda state: state is None)
        hosting.delete(host.name)
        assert host.name not in [state.name for state in hosting.list()]

    def test_what_is_not_there_does_not_answer(self, hosting: Hosting) -> None:
        name = to_host_name(new_id("ws"), new_id("ep"), new_id("host"))
        assert hosting.find(name) is None
        with pytest.raises(UnavailableError):
            hosting.ask(name, b"anybody?", content_type="text/plain")
