"""What a workspace's retention has outlived goes, and nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryBlobStore, MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.settings.contract import SettingsUpdate, Subsystem
from aimass_core.errors import InvalidRequestError, NotFoundError
from aimass_core.services import (
    api_keys,
    audit,
    audit_seals,
    dispatch,
    predictions,
    reconciler,
    retention_sweeps,
    settings,
    workspaces,
)
from tests.factories.platform import (
    ManualClock,
    add_dataset,
    add_job,
    add_version,
    make_model,
    new_ports,
    new_principal,
    tell,
)

DAY = 86_400.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now=datetime(2026, 11, 1, 12, 17, tzinfo=UTC))


@pytest.fixture
def ports(clock: ManualClock, owner: Principal) -> MemoryPorts:
    made = new_ports(clock)
    add_version(made, owner, add_dataset(made, owner))
    return made


def keep(ports: MemoryPorts, owner: Principal, **values: Any) -> None:
    revision = settings.get(ports, owner, Subsystem.RETENTION).revision
    settings.update(ports, owner, Subsystem.RETENTION, SettingsUpdate(values=values), revision=revision)


def files_of(ports: MemoryPorts, job: Job) -> list[str]:
    return [blob.key for blob in ports.lake.list(keys.job_prefix(job.workspace_id, job.id))]


def test_files_of_jobs_go_and_models_stay(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    old = make_model(ports, owner)
    waiting = add_job(ports, owner)
    clock.advance(6 * DAY)
    running = tell(ports, dispatch.dispatch(ports, owner.workspace_id, waiting.id), JobStatus.RUNNING)
    young = make_model(ports, owner, seed=1)
    clock.advance(5 * DAY)
    assert retention_sweeps.run(ports) == 0, "nobody has asked for it"
    keep(ports, owner, job_artifacts_days=10)
    assert retention_sweeps.run(ports) > 0
    assert files_of(ports, old) == []
    assert files_of(ports, running)
    assert files_of(ports, young)
    assert old.model_version is not None
    folder = keys.model_object(owner.workspace_id, old.model_version.model_id, 1, "")
    assert list(ports.lake.list(folder))
    clock.advance(6 * DAY)
    assert reconciler.run(ports).swept_objects > 0, "each hour, in its 17th minute"
    assert files_of(ports, young) == []
    assert files_of(ports, running), "one that has not ended keeps its files"
    assert retention_sweeps.run(ports) == 0


def test_captures_go_by_their_day(ports: MemoryPorts, owner: Principal, clock: ManualClock) -> None:
    stranger = new_principal()
    for principal in (owner, stranger):
        for day in ("2026-11-01", "2026-11-20"):
            ports.lake.put(keys.capture_object(principal.workspace_id, "ep_1", day, "a"), b"x")
    clock.advance(25 * DAY)
    keep(ports, owner, captures_days=10)
    assert retention_sweeps.run(ports) == 1
    left = [blob.key for blob in ports.lake.list(f"captures/{owner.workspace_id}/")]
    assert left == [keys.capture_object(owner.workspace_id, "ep_1", "2026-11-20", "a")]
    assert len(list(ports.lake.list(f"captures/{stranger.workspace_id}/"))) == 2


def test_answers_are_kept_as_long_as_the_workspace_wants(
    ports: MemoryPorts, owner: Principal, clock: ManualClock
) -> None:
    keep(ports, owner, answers_hours=2)
    made = predictions.save_request(ports, owner, ports.new_id("pr"), {"path": "/v1/x"}, b"rows")
    assert (made.expires_at - made.created_at).total_seconds() == 2 * 3_600
    clock.advance(2 * 3_600 + 1)
    with pytest.raises(NotFoundError):
        predictions.get(ports, owner, made.id)


def test_archives_expire_also_where_nobody_has_set_anything(ports: MemoryPorts, clock: ManualClock) -> None:
    workspace, token = workspaces.create_first(ports, name="team")
    admin = api_keys.authenticate(ports, token)
    ports.lake = MemoryBlobStore("lake", clock=clock)
    exported = keys.workspace_export(workspace.id, "job_1")
    ports.lake.put(exported, b"zip")
    clock.advance(20 * DAY)
    sent = keys.workspace_archive(workspace.id, "0" * 64)
    ports.lake.put(sent, b"zip")
    assert retention_sweeps.run(ports) == 0
    clock.advance(11 * DAY)
    assert retention_sweeps.run(ports) == 1
    assert [blob.key for blob in ports.lake.list(keys.archives_prefix(workspace.id))] == [sent]
    keep(ports, admin, archives_days=5)
    assert retention_sweeps.run(ports) == 1


def test_the_audit_trail_is_kept_as_long_as_the_workspace_wants(ports: MemoryPorts, clock: ManualClock) -> None:
    _, token = workspaces.create_first(ports, name="team")
    admin = api_keys.authenticate(ports, token)
    clock.advance(DAY)
    keep(ports, admin, audit_days=90)
    audit_seals.seal_due(ports)
    clock.advance(DAY * 89.5)
    assert retention_sweeps.run(ports) == 3, "two entries and their seal; that of the setting is younger"
    assert [entry.action for entry in audit.list_page(ports, admin, limit=10, start=None)[0]] == [
        "audit.trim",
        "settings.update",
    ]
    with pytest.raises(InvalidRequestError, match="greater than or equal to 90"):
        keep(ports, admin, audit_days=1)
