"""A workspace's end (FAULTS H16): scheduled, kept, or deleted with everything in it, whatever comes between."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.api_keys import ApiKeyCreate
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.endpoints import EndpointCreate
from aimass_core.domain.grants import GrantKind, GrantVerb
from aimass_core.domain.jobs import JobStatus
from aimass_core.domain.sources import SecretValue, SourceVerb
from aimass_core.domain.studies import Trial, TrialState
from aimass_core.domain.users import Membership, UserRecord, UserStatus
from aimass_core.domain.workspaces import (
    DeletionStage,
    DeletionStatus,
    WorkspaceCreate,
    WorkspaceDeletion,
    WorkspaceDeletionCreate,
)
from aimass_core.errors import ConflictError, InvalidRequestError, NotFoundError, UnauthenticatedError
from aimass_core.services import (
    api_keys,
    dispatch,
    endpoints,
    grants,
    people,
    reconciler,
    records,
    source_access,
    sources,
    workspace_deletions,
    workspace_purge,
    workspaces,
)
from tests.factories.platform import ManualClock, add_dataset, add_job, add_version, make_model, new_ports
from tests.factories.sources import add_source, add_workspace

HOUR = 3600


@dataclass
class Town:
    """Two workspaces of one installation; the first is to go."""

    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.ports: MemoryPorts = new_ports(self.clock)
        self.workspace, self.token = workspaces.create_first(self.ports, name="team")
        self.admin = api_keys.authenticate(self.ports, self.token)
        self.other = add_workspace(self.ports, "neighbours")

    def furnish(self) -> None:
        """One of everything, and a job that runs."""
        add_version(self.ports, self.admin, add_dataset(self.ports, self.admin))
        make_model(self.ports, self.admin)
        made = endpoints.create(self.ports, self.admin, EndpointCreate(model="adult@1"))
        endpoints.activate(self.ports, made.workspace_id, made.id)
        source = add_source(self.ports, self.admin, schedule="rate(1 hour)")
        sources.set_secret(self.ports, self.admin, source.id, "token", SecretValue(value="s3cret"))
        source_access.grant(self.ports, self.admin, source.id, self.other.workspace_id, SourceVerb.READ)
        theirs = add_source(self.ports, self.other, name="theirs")
        source_access.grant(self.ports, self.other, theirs.id, self.workspace.id, SourceVerb.READ)
        for owner, taker in ((self.admin, self.other), (self.other, self.admin)):
            shown = add_dataset(self.ports, owner, name="shown").id
            grants.put(self.ports, owner, GrantKind.DATASET, shown, grantee=taker.workspace_id, verb=GrantVerb.READ)
        self.ports.landing.put(f"{keys.drop_prefix('team', 'adult')}file.csv", b"a,b\n")
        self.ports.trials.trials[self.workspace.id, "std_1"] = [Trial(number=0, state=TrialState.COMPLETE)]
        person = Membership(workspace_id=self.workspace.id, workspace_name="team", user_id="usr_1", role=Role.ADMIN)
        user = UserRecord(
            **records.new_fields(self.ports, self.admin, UserRecord),
            email="ada@example.com",
            role=Role.ADMIN,
            status=UserStatus.ACTIVE,
            workspace_name="team",
            subject="ada",
        )
        belongs = people.write(self.ports, "ada", people.with_membership(person), email=user.email)
        records.create(self.ports, self.admin, user, name=user.email, also=[belongs])
        job = add_job(self.ports, self.admin)
        self.job = dispatch.dispatch(self.ports, job.workspace_id, job.id)
        compute_job_id = str(self.job.compute_job_id)
        self.ports.compute.set_state(compute_job_id, JobStatus.RUNNING)

    def delete(self, *, grace_hours: int = 72) -> WorkspaceDeletion:
        request = WorkspaceDeletionCreate(confirm="team", grace_hours=grace_hours)
        return workspace_deletions.schedule(self.ports, self.admin, self.workspace.id, request)

    def deletion(self) -> WorkspaceDeletion:
        return workspace_deletions.get(self.ports, self.admin, self.workspace.id)

    def minute(self) -> None:
        """The reconciler's."""
        self.clock.advance(60)
        assert reconciler.run(self.ports).faults == 0

    def left(self) -> dict[str, Any]:
        """All that is there of it, wherever."""
        own = self.workspace.id
        rows = [key for key in self.ports.registry._rows if own in key.partition or key.sort.endswith(own)]
        blobs = [*self.ports.lake.list(""), *self.ports.landing.list("")]
        return {
            "rows": sorted(key.sort for key in rows),
            "objects": [blob.key for blob in blobs if own in blob.key or "/team/" in blob.key],
            "secrets": [name for name in self.ports.secrets.values if own in name],
            "trials": [key for key in self.ports.trials.trials if own in key],
        }


@pytest.fixture
def town() -> Town:
    made = Town()
    made.furnish()
    return made


def test_h16_a_workspace_with_live_jobs_and_data_is_deleted_and_the_listing_is_empty(town: Town) -> None:
    town.delete(grace_hours=1)
    neighbours = _rows_of(town, town.other)
    town.clock.advance(HOUR)
    for _ in range(6):
        town.minute()
    done = town.deletion()
    assert (done.status, done.stage) == (DeletionStatus.DONE, DeletionStage.DONE)
    assert done.remaining == {"rows": 0, "objects": 0, "secrets": 0, "hosts": 0}
    assert done.deleted["rows"] > 20
    assert done.deleted["objects"] > 10
    key, proof = f"API_KEY#{town.admin.actor}", f"WORKSPACE_DELETION#{town.workspace.id}"
    assert town.left() == {"rows": [key, proof], "objects": [], "secrets": [], "trials": []}
    assert people.find(town.ports, "ada") is None, "nobody belongs to what is gone"
    states = town.ports.compute.describe([str(town.job.compute_job_id)])
    assert [state.status for state in states] == [JobStatus.FAILED], "the job was terminated"
    after = _rows_of(town, town.other)
    gone = sorted(row.partition("#")[0] for row in neighbours - after)
    assert gone == ["GRANT", "SHARED", "SHARED_SOURCE", "SOURCE_GRANT"], "nothing of others but what was granted"


def _rows_of(town: Town, principal: Principal) -> set[str]:
    found = town.ports.registry.query(keys.partition(principal.workspace_id), "", limit=10_000).rows
    return {row.key.sort for row in found}


def test_h16_nothing_changes_in_the_grace_and_it_can_be_taken_back(town: Town) -> None:
    before = town.left()
    scheduled = town.delete()
    assert workspaces.get(town.ports, town.admin, town.workspace.id).delete_at == scheduled.delete_at
    town.minute()
    assert town.left()["objects"] == before["objects"]
    assert api_keys.authenticate(town.ports, town.token).role is Role.ADMIN
    workspace_deletions.cancel(town.ports, town.admin, town.workspace.id)
    town.clock.advance(100 * HOUR)
    town.minute()
    assert town.left()["objects"] == before["objects"]
    assert workspaces.get(town.ports, town.admin, town.workspace.id).delete_at is None
    with pytest.raises(NotFoundError):
        town.deletion()


def test_h16_once_begun_it_is_not_taken_back_and_keys_end_first(town: Town) -> None:
    another = api_keys.create(town.ports, town.admin, ApiKeyCreate(name="ci", role=Role.DEVELOPER)).secret
    town.delete(grace_hours=0)
    town.minute()
    with pytest.raises(UnauthenticatedError):
        api_keys.authenticate(town.ports, another)
    assert api_keys.authenticate(town.ports, town.token).role is Role.VIEWER
    with pytest.raises(ConflictError, match="has begun"):
        workspace_deletions.cancel(town.ports, town.admin, town.workspace.id)


def test_h16_the_key_that_asked_reads_the_proof_for_a_day(town: Town) -> None:
    town.delete(grace_hours=0)
    for _ in range(6):
        town.minute()
    assert api_keys.authenticate(town.ports, town.token).workspace_id == town.workspace.id
    town.clock.advance(25 * HOUR)
    with pytest.raises(UnauthenticatedError):
        api_keys.authenticate(town.ports, town.token)


def test_h16_its_name_is_free_afterwards_and_so_is_the_first_workspace(town: Town) -> None:
    town.delete(grace_hours=0)
    for _ in range(6):
        town.minute()
    assert workspaces.create(town.ports, town.other, WorkspaceCreate(name="team")).name == "team"
    assert not workspaces.has_first(town.ports)


def test_h16_the_name_has_to_be_said(town: Town) -> None:
    request = WorkspaceDeletionCreate(confirm="tram")
    with pytest.raises(InvalidRequestError, match="confirm is 'tram', and the workspace is called 'team'"):
        workspace_deletions.schedule(town.ports, town.admin, town.workspace.id, request)
    town.delete()
    town.clock.advance(1)
    with pytest.raises(ConflictError, match="being deleted already"):
        town.delete()


class _CrashError(Exception):
    """The function is gone."""


class _Failing:
    """A registry that is gone with one of its writes."""

    def __init__(self, registry: Any, *, after: int) -> None:
        self._registry, self.left = registry, after

    def write(self, *writes: Any) -> None:
        self.left -= 1
        if self.left == 0:
            raise _CrashError
        self._registry.write(*writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


def test_h16_a_deletion_that_was_cut_off_anywhere_goes_on() -> None:
    for after in range(1, 200):
        town = Town()
        town.furnish()
        town.delete(grace_hours=0)
        registry = town.ports.registry
        failing = _Failing(registry, after=after)
        town.ports.registry = failing  # type: ignore[assignment]
        for _ in range(9):
            town.clock.advance(60)
            try:
                reconciler.run(town.ports)
            except _CrashError:
                continue
        town.ports.registry = registry
        assert town.deletion().status is DeletionStatus.DONE, f"cut off at write {after}"
        assert len(town.left()["rows"]) == 2
        assert not town.left()["objects"]
        if failing.left > 0:
            return
    raise AssertionError("it never came to its end without being cut off")


def test_h16_what_comes_late_is_deleted_as_well(town: Town) -> None:
    town.delete(grace_hours=0)
    for _ in range(2):
        town.minute()
    assert town.deletion().empty_since is not None
    late = keys.dataset_file(town.workspace.id, "ds_1", "0" * 64)
    town.ports.lake.put(late, b"late")
    town.minute()
    assert town.deletion().waiting_for == "what has come meanwhile"
    for _ in range(4):
        town.minute()
    assert town.deletion().status is DeletionStatus.DONE
    assert town.ports.lake.head(late) is None


def test_purge_does_nothing_where_nothing_is_due(town: Town) -> None:
    assert workspace_purge.run_due(town.ports) == 0
