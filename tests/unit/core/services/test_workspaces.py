"""Workspaces."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.common import Role
from aimass_core.domain.workspaces import WorkspaceCreate, WorkspaceUpdate
from aimass_core.errors import AlreadyExistsError, ConflictError, NotFoundError, StaleRevisionError
from aimass_core.services import api_keys, audit, workspaces


@pytest.fixture
def ports() -> MemoryPorts:
    return MemoryPorts()


def test_the_first_workspace_comes_with_an_admin_key(ports: MemoryPorts) -> None:
    assert not workspaces.has_first(ports)
    workspace, token = workspaces.create_first(ports, name="team", key_name="local admin")
    assert workspaces.has_first(ports)
    principal = api_keys.authenticate(ports, token)
    assert (principal.workspace_id, principal.role) == (workspace.id, Role.ADMIN)
    assert api_keys.get(ports, principal, principal.actor).name == "local admin"


@pytest.mark.parametrize("name", ["team", "other"])
def test_h19_there_is_one_first_workspace(ports: MemoryPorts, name: str) -> None:
    workspaces.create_first(ports, name="team")
    with pytest.raises(ConflictError, match="There is a workspace already"):
        workspaces.create_first(ports, name=name)
    assert workspaces.find_by_name(ports, "other") is None


def test_a_refused_workspace_leaves_nothing(ports: MemoryPorts) -> None:
    _, token = workspaces.create_first(ports, name="team")
    admin = api_keys.authenticate(ports, token)
    before = ports.registry.query(f"WS#{admin.workspace_id}", "", limit=1000).rows
    with pytest.raises(AlreadyExistsError, match="'team'"):
        workspaces.create(ports, admin, WorkspaceCreate(name="team"))
    assert ports.registry.query(f"WS#{admin.workspace_id}", "", limit=1000).rows == before


def test_h10_two_writers_lose_no_update_in_a_thousand_rounds(ports: MemoryPorts) -> None:
    workspace, token = workspaces.create_first(ports, name="team")
    admin = api_keys.authenticate(ports, token)

    def count(num_rounds: int) -> None:
        while num_rounds:
            seen = workspaces.get(ports, admin, workspace.id)
            request = WorkspaceUpdate(description=str(int(seen.description or 0) + 1))
            try:
                workspaces.update(ports, admin, workspace.id, request, revision=seen.revision)
            except StaleRevisionError:
                continue
            num_rounds -= 1

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count, [500, 500]))
    after = workspaces.get(ports, admin, workspace.id)
    assert (after.description, after.revision) == ("1000", 1001)


def test_a_name_leads_to_its_workspace(ports: MemoryPorts) -> None:
    workspace, _ = workspaces.create_first(ports, name="team")
    assert workspaces.find_by_name(ports, "team") == workspace
    assert workspaces.find_by_name(ports, "nobody") is None


def test_a_workspace_begins_with_its_own_audit_trail(ports: MemoryPorts) -> None:
    _, token = workspaces.create_first(ports, name="team")
    made = workspaces.create(ports, api_keys.authenticate(ports, token), WorkspaceCreate(name="second"))
    second = api_keys.authenticate(ports, made.secret)
    entries, _ = audit.list_page(ports, second, limit=100, start=None)
    assert sorted(entry.action for entry in entries) == ["api_key.create", "workspace.create"]
    with pytest.raises(NotFoundError):
        workspaces.get(ports, second, api_keys.authenticate(ports, token).workspace_id)
