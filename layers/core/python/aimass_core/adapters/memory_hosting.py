"""Hosts in memory, whose containers are a function."""

from collections.abc import Callable, Iterator

from aimass_core.domain.engines import HostState, HostStatus
from aimass_core.errors import InvalidRequestError, UnavailableError
from aimass_core.ports import Host, HostAnswer

Answer = Callable[[Host, bytes, str], HostAnswer]


class MemoryHosting:
    """Starts hosts and lets a test move them on with `set_state`. Satisfies `Hosting`.

    Attributes:
        hosts: those that were created and not deleted.
        answer: what a container says to a body and its content type.
        refusal: why no host is made.
        attributes: what came beside each body.
    """

    def __init__(self, answer: Answer | None = None) -> None:
        self.hosts: dict[str, Host] = {}
        self.answer = answer
        self.attributes: list[str | None] = []
        self.refusal: InvalidRequestError | None = None
        self._states: dict[str, HostState] = {}

    def create(self, host: Host) -> None:
        """See Hosting."""
        if self.refusal is not None:
            raise self.refusal
        if host.name not in self.hosts:
            self.hosts[host.name] = host
            self.set_state(host.name, HostStatus.STARTING)

    def set_state(self, name: str, status: HostStatus, *, reason: str | None = None) -> None:
        """What the hosting service would do."""
        self._states[name] = HostState(name=name, status=status, reason=reason)

    def find(self, name: str) -> HostState | None:
        """See Hosting."""
        return self._states.get(name)

    def list(self) -> Iterator[HostState]:
        """See Hosting."""
        yield from list(self._states.values())

    def delete(self, name: str) -> None:
        """See Hosting."""
        self.hosts.pop(name, None)
        self._states.pop(name, None)

    def ask(self, name: str, body: bytes, *, content_type: str, attributes: str | None = None) -> HostAnswer:
        """See Hosting."""
        self.attributes.append(attributes)
        state = self._states.get(name)
        if state is None or state.status is not HostStatus.READY or self.answer is None:
            raise UnavailableError(f"The host {name} does not answer. Try again.")
        return self.answer(self.hosts[name], body, content_type)
