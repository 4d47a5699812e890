"""Who may do what with a source: roles, ownership, grants, and nothing for everybody else."""

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain.api_keys import ApiKeyCreate
from aimass_core.domain.common import Principal, Role, new_id
from aimass_core.domain.sources import RunCreate, SecretValue, SourceRecord, SourceUpdate, SourceVerb
from aimass_core.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from aimass_core.services import api_keys, datasets, records, source_access, source_datasets, source_runs, sources
from tests.factories.platform import add_version
from tests.factories.sources import add_source, add_workspace

_OWN = {
    Role.VIEWER: SourceVerb.READ,
    Role.COLLECTOR: SourceVerb.RUN,
    Role.DEVELOPER: SourceVerb.EDIT,
    Role.ADMIN: SourceVerb.EDIT,
}


@pytest.fixture
def owner(ports: MemoryPorts) -> Principal:
    return add_workspace(ports, "owners").model_copy(update={"role": Role.ADMIN})


@pytest.fixture
def guest(ports: MemoryPorts) -> Principal:
    return add_workspace(ports, "guests").model_copy(update={"role": Role.ADMIN})


def _as(principal: Principal, role: Role) -> Principal:
    """Another key of the same workspace."""
    return principal.model_copy(update={"role": role, "actor": new_id("key")})


def _verb(ports: MemoryPorts, principal: Principal, source: str) -> SourceVerb:
    return source_access.resolve(ports, principal, source)[1]


@pytest.mark.parametrize("role", Role)
def test_role_says_what_may_be_done_in_ones_own_workspace(ports: MemoryPorts, owner: Principal, role: Role) -> None:
    add_source(ports, owner)
    assert _verb(ports, _as(owner, role), "orders") is _OWN[role]


def test_collector_edits_what_it_made_and_nothing_of_others(ports: MemoryPorts, owner: Principal) -> None:
    collector = _as(owner, Role.COLLECTOR)
    mine, other = add_source(ports, collector, "mine"), add_source(ports, owner, "other")
    changed = sources.update(ports, collector, "mine", SourceUpdate(purpose="sales"), revision=mine.revision)
    assert changed.purpose == "sales"
    with pytest.raises(PermissionDeniedError, match="'edit' on the source 'other'; the API key has 'run'"):
        sources.update(ports, collector, "other", SourceUpdate(purpose="x"), revision=other.revision)


def test_key_is_granted_more_than_its_role(ports: MemoryPorts, owner: Principal) -> None:
    source = add_source(ports, owner)
    key = api_keys.create(ports, owner, ApiKeyCreate(name="bot", role=Role.VIEWER))
    viewer = owner.model_copy(update={"role": Role.VIEWER, "actor": key.id})
    with pytest.raises(PermissionDeniedError):
        source_runs.submit(ports, viewer, "orders", RunCreate())
    source_access.grant(ports, owner, "orders", key.id, SourceVerb.RUN)
    assert source_runs.submit(ports, viewer, "orders", RunCreate()).created_by == key.id
    with pytest.raises(PermissionDeniedError):
        sources.set_secret(ports, viewer, "orders", "token", SecretValue(value="x"))
    assert _verb(ports, _as(owner, Role.VIEWER), source.id) is SourceVerb.READ, "other keys were granted nothing"
    source_access.revoke(ports, owner, "orders", key.id)
    assert _verb(ports, viewer, source.id) is SourceVerb.READ


def test_grant_never_takes_away_what_a_role_gives(ports: MemoryPorts, owner: Principal) -> None:
    add_source(ports, owner)
    key = api_keys.create(ports, owner, ApiKeyCreate(name="bot", role=Role.COLLECTOR))
    source_access.grant(ports, owner, "orders", key.id, SourceVerb.SEE)
    collector = owner.model_copy(update={"role": Role.COLLECTOR, "actor": key.id})
    assert _verb(ports, collector, "orders") is SourceVerb.RUN


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("verb", SourceVerb)
def test_grant_to_a_workspace_is_bounded_by_the_role_there(
    ports: MemoryPorts, owner: Principal, guest: Principal, role: Role, verb: SourceVerb
) -> None:
    source = add_source(ports, owner)
    source_access.grant(ports, owner, "orders", guest.workspace_id, verb)
    given = _verb(ports, _as(guest, role), source.id)
    assert given is min(verb, _OWN[role], key=list(SourceVerb).index)


def test_source_is_not_there_without_a_grant_nor_after_it(
    ports: MemoryPorts, owner: Principal, guest: Principal
) -> None:
    source = add_source(ports, owner)

    def is_hidden() -> bool:
        with pytest.raises(NotFoundError):
            sources.get(ports, guest, source.id)
        return sources.list_page(ports, guest, limit=10, shared=True) == ([], None)

    assert is_hidden()
    source_access.grant(ports, owner, "orders", guest.workspace_id, SourceVerb.SEE)
    assert sources.get(ports, guest, source.id).verb is SourceVerb.SEE
    shared, _ = sources.list_page(ports, guest, limit=10, shared=True)
    assert [each.id for each in shared] == [source.id]
    assert sources.list_page(ports, guest, limit=10) == ([], None)
    with pytest.raises(NotFoundError):
        sources.get(ports, guest, "orders")
    source_access.revoke(ports, owner, "orders", guest.workspace_id)
    assert is_hidden()
    source_access.grant(ports, owner, "orders", guest.workspace_id, SourceVerb.EDIT)
    sources.delete(ports, owner, "orders")
    assert is_hidden()


def test_guests_run_is_a_job_of_the_owners(ports: MemoryPorts, owner: Principal, guest: Principal) -> None:
    source = add_source(ports, owner)
    source_access.grant(ports, owner, "orders", guest.workspace_id, SourceVerb.RUN)
    job = source_runs.submit(ports, guest, source.id, RunCreate())
    assert (job.workspace_id, job.created_by) == (owner.workspace_id, guest.actor)
    assert [run.id for run in source_runs.list_page(ports, guest, source.id, limit=10)[0]] == [job.id]


def test_guest_never_governs(ports: MemoryPorts, owner: Principal, guest: Principal) -> None:
    source = add_source(ports, owner)
    source_access.grant(ports, owner, "orders", guest.workspace_id, SourceVerb.EDIT)
    for forbidden in (
        lambda: sources.delete(ports, guest, source.id),
        lambda: source_access.grant(ports, guest, source.id, guest.workspace_id, SourceVerb.EDIT),
        lambda: source_access.revoke(ports, guest, source.id, guest.workspace_id),
        lambda: source_access.list_grants(ports, guest, source.id, limit=10),
    ):
        with pytest.raises(PermissionDeniedError, match="Only the workspace"):
            forbidden()  # type: ignore[no-untyped-call]


def test_data_of_a_source_is_read_with_its_grant_alone(ports: MemoryPorts, owner: Principal, guest: Principal) -> None:
    source = add_source(ports, owner)
    record = records.get(ports, SourceRecord, owner.workspace_id, source.id)
    dataset = source_datasets.ensure(ports, record, "orders")
    add_version(ports, owner, dataset)
    other = datasets.ensure(ports, owner, "private")
    with pytest.raises(NotFoundError):
        datasets.get(ports, guest, dataset.id)
    source_access.grant(ports, owner, "orders", guest.workspace_id, SourceVerb.SEE)
    with pytest.raises(NotFoundError):
        datasets.get(ports, guest, dataset.id)
    source_access.grant(ports, owner, "orders", guest.workspace_id, SourceVerb.READ)
    shown, _ = source_datasets.list_page(ports, guest, source.id, limit=10)
    assert [(each.dataset_id, each.latest_version) for each in shown] == [(dataset.id, 1)]
    assert datasets.get(ports, guest, dataset.id).name == "orders"
    assert [version.number for version in datasets.list_versions(ports, guest, dataset.id, limit=10)[0]] == [1]
    for hidden in (other.id, "orders"):
        with pytest.raises(NotFoundError):
            datasets.get(ports, guest, hidden)
    with pytest.raises(NotFoundError):
        datasets.delete(ports, guest, dataset.id)


def test_grantee_is_somebody(ports: MemoryPorts, owner: Principal, guest: Principal) -> None:
    add_source(ports, owner)
    key = api_keys.create(ports, guest, ApiKeyCreate(name="bot", role=Role.VIEWER))
    for nobody in (new_id("ws"), new_id("key"), key.id):
        with pytest.raises(NotFoundError):
            source_access.grant(ports, owner, "orders", nobody, SourceVerb.RUN)
    for wrong in (new_id("ds"), owner.workspace_id):
        with pytest.raises(InvalidRequestError):
            source_access.grant(ports, owner, "orders", wrong, SourceVerb.RUN)
