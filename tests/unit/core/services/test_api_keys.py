"""API keys."""

from datetime import timedelta

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.api_keys import ApiKeyCreate, ApiKeyRecord
from aimass_core.domain.common import Principal, Role
from aimass_core.errors import ConflictError, InvalidRequestError, NotFoundError, UnauthenticatedError
from aimass_core.services import api_keys, audit, records, workspaces
from tests.factories.platform import ManualClock


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts(clock=ManualClock())


@pytest.fixture
def admin(ports: MemoryPorts) -> Principal:
    _, token = workspaces.create_first(ports, name="team")
    return api_keys.authenticate(ports, token)


def test_a_token_stands_for_its_workspace_and_role(ports: MemoryPorts, admin: Principal) -> None:
    made = api_keys.create(ports, admin, ApiKeyCreate(name="k", role=Role.COLLECTOR))
    principal = api_keys.authenticate(ports, made.secret)
    assert principal == Principal(
        workspace_id=admin.workspace_id, workspace_name="team", actor=made.id, actor_name="k", role=Role.COLLECTOR
    )


def test_checking_a_token_is_one_read(ports: MemoryPorts, admin: Principal) -> None:
    made = api_keys.create(ports, admin, ApiKeyCreate(name="k", role=Role.VIEWER))
    counting = _Counting(ports)
    api_keys.authenticate(counting, made.secret)  # type: ignore[arg-type]
    assert counting.num_reads == 1


def test_h5_only_the_hash_is_stored(ports: MemoryPorts, admin: Principal) -> None:
    made = api_keys.create(ports, admin, ApiKeyCreate(name="k", role=Role.VIEWER))
    row = ports.registry.get(keys.row(admin.workspace_id, "api_key", made.id))
    assert row is not None
    assert made.secret[-43:] not in str(row)
    assert "secret_sha256" not in api_keys.get(ports, admin, made.id).model_dump()


def test_h5_every_refusal_has_the_same_words(ports: MemoryPorts, admin: Principal) -> None:
    made = api_keys.create(ports, admin, ApiKeyCreate(name="k", role=Role.VIEWER))
    revoked = api_keys.create(ports, admin, ApiKeyCreate(name="r", role=Role.VIEWER))
    api_keys.revoke(ports, admin, revoked.id)
    wrong_secret = made.secret[:-1] + ("A" if made.secret[-1] != "A" else "B")
    messages = set()
    for token in ("", "x", wrong_secret, revoked.secret, made.secret.replace(made.id[4:], "0" * 27)):
        with pytest.raises(UnauthenticatedError) as refused:
            api_keys.authenticate(ports, token)
        messages.add(refused.value.message)
    assert len(messages) == 1


def test_an_expiry_lies_in_the_future(ports: MemoryPorts, admin: Principal) -> None:
    now = ports.clock()
    with pytest.raises(InvalidRequestError, match="future"):
        api_keys.create(ports, admin, ApiKeyCreate(name="k", role=Role.VIEWER, expires_at=now))
    made = api_keys.create(
        ports, admin, ApiKeyCreate(name="k", role=Role.VIEWER, expires_at=now + timedelta(seconds=1))
    )
    api_keys.authenticate(ports, made.secret)
    assert isinstance(ports.clock, ManualClock)
    ports.clock.advance(1)
    with pytest.raises(UnauthenticatedError):
        api_keys.authenticate(ports, made.secret)


def test_two_admins_cannot_revoke_each_other(ports: MemoryPorts, admin: Principal) -> None:
    """While one is being revoked, the other one, on which that relies, is revoked first."""
    other = api_keys.create(ports, admin, ApiKeyCreate(name="other", role=Role.ADMIN))
    racing = _Racing(ports, lambda: api_keys.revoke(ports, admin, other.id))
    with pytest.raises(ConflictError, match="last admin key"):
        api_keys.revoke(racing, admin, admin.actor)  # type: ignore[arg-type]
    records_left = [
        records.get(ports, ApiKeyRecord, admin.workspace_id, key_id).revoked_at for key_id in (admin.actor, other.id)
    ]
    assert records_left.count(None) == 1


def test_revoking_is_audited_once(ports: MemoryPorts, admin: Principal) -> None:
    made = api_keys.create(ports, admin, ApiKeyCreate(name="k", role=Role.VIEWER))
    for _ in range(3):
        api_keys.revoke(ports, admin, made.id)
    entries, _ = audit.list_page(ports, admin, limit=100, start=None)
    actions = [entry.action for entry in entries if entry.target_id == made.id]
    assert sorted(actions) == ["api_key.create", "api_key.revoke"]


def test_a_key_that_is_not_there_cannot_be_revoked(ports: MemoryPorts, admin: Principal) -> None:
    with pytest.raises(NotFoundError):
        api_keys.revoke(ports, admin, "key_" + "0" * 27)


class _Counting:
    """Ports that count what is read from the registry."""

    def __init__(self, ports: MemoryPorts) -> None:
        self.clock, self.registry, self.num_reads, self._ports = ports.clock, self, 0, ports

    def get(self, key: keys.RowKey) -> object:
        """One read."""
        self.num_reads += 1
        return self._ports.registry.get(key)


class _Racing:
    """Ports on which something happens just before the first write."""

    def __init__(self, ports: MemoryPorts, before: object) -> None:
        self._ports, self._before = ports, before
        self.registry = self
        self.clock, self.new_id = ports.clock, ports.new_id

    def __getattr__(self, name: str) -> object:
        return getattr(self._ports.registry, name)

    def write(self, *writes: object) -> None:
        """The first one comes too late."""
        before, self._before = self._before, None
        if callable(before):
            before()
        self._ports.registry.write(*writes)  # type: ignore[arg-type]
