"""Deletes a workspace whose grace is over, stage by stage, and proves that nothing is left.

Each stage looks at what is there and not at what was done, so whatever interrupts it is made up for by the next minute.
Keys end first: nobody makes anything new. The workspace's own row and its name go when a listing of everything has been
empty, and a second listing, a minute later, has to be empty as well.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.api_keys import ApiKey, ApiKeyRecord
from aimass_core.domain.common import Role
from aimass_core.domain.grants import Grant
from aimass_core.domain.hosts import to_host_owner
from aimass_core.domain.queries import Query
from aimass_core.domain.sessions import SessionCodeRecord, SessionRecord
from aimass_core.domain.tables import database_of
from aimass_core.domain.workspaces import DeletionStage, DeletionStatus, Workspace, WorkspaceDeletion
from aimass_core.errors import AimassError, NotFoundError
from aimass_core.ports import Delete, Ports, Put, Row, WriteConflictError
from aimass_core.services import job_states, jobs, platform, users, workspace_deletions, workspaces

PROOF_KEPT = timedelta(days=1)
_SETTLED = timedelta(seconds=50)
_MAX_SECONDS = timedelta(seconds=120)
_MAX_DUE = 10
_PAGE = 100
# Rows by which somebody gets in, beside being a user.
_LOGINS = (ApiKey.resource, SessionRecord.resource, SessionCodeRecord.resource)
# Rows by which jobs would begin while the others go, and those of what serves.
_STARTERS = ("source_health", "trigger", "source_retention", "report_plan")
_SERVING = ("endpoint_watch", "endpoint")
_FAULTS = (AimassError, WriteConflictError, ValueError)

_log = logging.getLogger(__name__)

Stage = Callable[[Ports, WorkspaceDeletion], dict[str, Any]]
"""What a stage has changed of the deletion: counts, and `waiting_for` where it has to be looked at again."""


def run_due(ports: Ports) -> int:
    """Goes on with every deletion that is due. Returns how many. For the reconciler, each minute."""
    num_done = 0
    for status in (DeletionStatus.SCHEDULED, DeletionStatus.RUNNING):
        partition = keys.status_partition(WorkspaceDeletion.resource, status)
        for row in ports.registry.query_status(partition, before=ports.clock(), limit=_MAX_DUE):
            deletion = WorkspaceDeletion.model_validate(row.data)
            try:
                _run(ports, deletion)
            except _FAULTS:
                _log.exception("cannot delete a workspace", extra={"workspace_id": deletion.workspace_id})
                continue
            num_done += 1
    return num_done


def list_remaining(ports: Ports, deletion: WorkspaceDeletion) -> dict[str, int]:
    """How many of each are there now. The key that asked for the deletion and the workspace's own row do not count."""
    workspace_id = deletion.workspace_id
    kept = _kept(deletion)
    return {
        "rows": sum(1 for row in _rows(ports, workspace_id) if row.key not in kept),
        "objects": sum(1 for _ in _objects(ports, deletion)),
        "secrets": len(ports.secrets.list(keys.workspace_secrets(workspace_id))),
        "hosts": len(_hosts(ports, workspace_id)),
    }


def _run(ports: Ports, deletion: WorkspaceDeletion) -> None:
    until = ports.clock() + _MAX_SECONDS
    if deletion.status is DeletionStatus.SCHEDULED:
        deletion = _save(ports, deletion, status=DeletionStatus.RUNNING, stage=DeletionStage.KEYS)
    while deletion.stage is not DeletionStage.DONE and ports.clock() < until:
        changes = _STAGES[deletion.stage](ports, deletion)
        counts = changes.pop("deleted", {})
        added = {name: deletion.deleted.get(name, 0) + number for name, number in counts.items()}
        waiting_for = changes.pop("waiting_for", None)
        if waiting_for is None and "stage" not in changes:
            changes["stage"] = _next(deletion.stage)
        deletion = _save(ports, deletion, deleted={**deletion.deleted, **added}, waiting_for=waiting_for, **changes)
        if waiting_for is not None:
            return


def _next(stage: DeletionStage) -> DeletionStage:
    order = list(DeletionStage)
    return order[order.index(stage) + 1]


def _save(ports: Ports, deletion: WorkspaceDeletion, **changes: Any) -> WorkspaceDeletion:
    changed = deletion.model_copy(update={**changes, "revision": deletion.revision + 1})
    ports.registry.write(Put(row=workspace_deletions.to_row(changed), expected=deletion.revision))
    return changed


# --- the stages ------------------------------------------------------------------------------------------------------


def _end_keys(ports: Ports, deletion: WorkspaceDeletion) -> dict[str, Any]:
    """All but the one that asked, which can only read from now on; and everybody's place, also where a person asked."""
    num_users = users.remove_all(ports, deletion.workspace_id)
    num_deleted = 0
    rows = [row for name in _LOGINS for row in _rows(ports, deletion.workspace_id, name)]
    for row in rows:
        if row.key not in _kept(deletion):
            num_deleted += _delete(ports, row)
        elif row.data["role"] != Role.VIEWER:
            record = ApiKeyRecord.model_validate(row.data)
            limited = record.model_copy(update={"role": Role.VIEWER, "revision": record.revision + 1})
            ports.registry.write(Put(row=_key_row(limited), expected=record.revision))
    return {"deleted": {"keys": num_deleted, "users": num_users}}


def _stop_jobs(ports: Ports, deletion: WorkspaceDeletion) -> dict[str, Any]:
    """Nothing begins any more, and what runs is stopped: until it has, it writes."""
    workspace_id = deletion.workspace_id
    num_rows = sum(_delete(ports, row) for name in _STARTERS for row in list(_rows(ports, workspace_id, name)))
    principal = platform.principal("deletion", workspace_id)
    left = []
    for job_id in list(job_states.list_active_ids(ports, workspace_id)):
        try:
            job = jobs.stop(ports, principal, job_id)
        except NotFoundError:
            # An earlier look has deleted its row, and this one goes with the others.
            continue
        left += [] if job.status.is_terminal else [job.id]
    waiting_for = f"{len(left)} jobs that are being stopped, such as {left[0]}" if left else None
    return {"deleted": {"rows": num_rows}, "waiting_for": waiting_for}


def _end_endpoints(ports: Ports, deletion: WorkspaceDeletion) -> dict[str, Any]:
    """No endpoint answers any more, and no machine waits for one."""
    workspace_id = deletion.workspace_id
    num_rows = sum(_delete(ports, row) for name in _SERVING for row in list(_rows(ports, workspace_id, name)))
    hosts = _hosts(ports, workspace_id)
    for host in hosts:
        ports.hosting.delete(host)
    return {"deleted": {"rows": num_rows, "hosts": len(hosts)}}


def _drop_tables(ports: Ports, deletion: WorkspaceDeletion) -> dict[str, Any]:
    return {"deleted": {"databases": int(ports.catalog.drop_database(database_of(deletion.workspace_id)))}}


def _delete_secrets(ports: Ports, deletion: WorkspaceDeletion) -> dict[str, Any]:
    names = ports.secrets.list(keys.workspace_secrets(deletion.workspace_id))
    for name in names:
        ports.secrets.delete(name)
    return {"deleted": {"secrets": len(names)}}


def _delete_objects(ports: Ports, deletion: WorkspaceDeletion) -> dict[str, Any]:
    """NOTE: the rows of queries lead to their results, so objects go before rows."""
    workspace_id = deletion.workspace_id
    landing = keys.landing_prefixes(workspace_id, deletion.workspace_name)
    num_deleted = sum(ports.landing.delete_all(prefix) for prefix in landing)
    lake = [*keys.lake_prefixes(workspace_id), *_query_outputs(ports, workspace_id)]
    num_deleted += sum(ports.lake.delete_all(prefix) for prefix in lake)
    return {"deleted": {"objects": num_deleted}}


def _delete_rows(ports: Ports, deletion: WorkspaceDeletion) -> dict[str, Any]:
    """Of its partition, of the studies, and of grants in others' partitions."""
    workspace_id, kept = deletion.workspace_id, _kept(deletion)
    num_studies = ports.trials.delete_workspace(workspace_id)
    num_deleted = sum(_delete(ports, row) for row in _grants_elsewhere(ports, workspace_id))
    doomed = [row for row in _rows(ports, workspace_id) if row.key not in kept]
    for first in range(0, len(doomed), _PAGE):
        num_deleted += _delete_many(ports, doomed[first : first + _PAGE])
    return {"deleted": {"rows": num_deleted, "studies": num_studies}}


def _verify(ports: Ports, deletion: WorkspaceDeletion) -> dict[str, Any]:
    """Twice, with a pause in which whatever was still on its way has arrived."""
    remaining = list_remaining(ports, deletion)
    if any(remaining.values()):
        waiting_for = "what has come meanwhile"
        return {"stage": DeletionStage.JOBS, "remaining": remaining, "empty_since": None, "waiting_for": waiting_for}
    now = ports.clock()
    _delete_workspace(ports, deletion)
    if deletion.empty_since is None:
        waiting_for = "a second look, in a minute"
        return {"remaining": remaining, "empty_since": now, "waiting_for": waiting_for}
    if now - deletion.empty_since < _SETTLED:
        return {"remaining": remaining, "waiting_for": "a second look, in a minute"}
    _end_last_key(ports, deletion)
    return {"remaining": remaining, "finished_at": now, "status": DeletionStatus.DONE, "stage": DeletionStage.DONE}


_STAGES: Mapping[DeletionStage, Stage] = {
    DeletionStage.KEYS: _end_keys,
    DeletionStage.JOBS: _stop_jobs,
    DeletionStage.ENDPOINTS: _end_endpoints,
    DeletionStage.TABLES: _drop_tables,
    DeletionStage.SECRETS: _delete_secrets,
    DeletionStage.OBJECTS: _delete_objects,
    DeletionStage.ROWS: _delete_rows,
    DeletionStage.VERIFY: _verify,
}


# --- what there is ---------------------------------------------------------------------------------------------------


def _kept(deletion: WorkspaceDeletion) -> set[keys.RowKey]:
    return {
        keys.row(deletion.workspace_id, ApiKey.resource, deletion.requested_by),
        keys.row(deletion.workspace_id, Workspace.resource, deletion.workspace_id),
    }


def _rows(ports: Ports, workspace_id: str, resource: str | None = None) -> Iterator[Row]:
    prefix = "" if resource is None else keys.row_prefix(resource)
    start: str | None = None
    while True:
        page = ports.registry.query(keys.partition(workspace_id), prefix, limit=_PAGE, start=start)
        yield from page.rows
        if page.next_start is None:
            return
        start = page.next_start


def _objects(ports: Ports, deletion: WorkspaceDeletion) -> Iterator[str]:
    for prefix in keys.landing_prefixes(deletion.workspace_id, deletion.workspace_name):
        yield from (blob.key for blob in ports.landing.list(prefix))
    for prefix in keys.lake_prefixes(deletion.workspace_id):
        yield from (blob.key for blob in ports.lake.list(prefix))


def _query_outputs(ports: Ports, workspace_id: str) -> Iterator[str]:
    """Athena names them after its executions."""
    for row in _rows(ports, workspace_id, Query.resource):
        execution_id = row.data.get("execution_id")
        if execution_id:
            yield keys.query_output(str(execution_id)).removesuffix(".csv")


def _hosts(ports: Ports, workspace_id: str) -> list[str]:
    found = ((state.name, to_host_owner(state.name)) for state in ports.hosting.list())
    return [name for name, owner in found if owner is not None and owner.workspace_id == workspace_id]


def _grants_elsewhere(ports: Ports, workspace_id: str) -> Iterator[Row]:
    """The other halves of grants: where others find what is ours, and where ours is named beside theirs."""
    for row in list(_rows(ports, workspace_id, "source_grant")):
        grantee = str(row.data["grantee"])
        yield from _found(ports, keys.shared_source_row(grantee, str(row.data["source_id"])))
    for row in list(_rows(ports, workspace_id, "shared_source")):
        owner, source_id = str(row.data["workspace_id"]), str(row.data["source_id"])
        yield from _found(ports, keys.source_grant_row(owner, source_id, workspace_id))
    for row in list(_rows(ports, workspace_id, "grant")):
        grant = Grant.model_validate(row.data)
        yield from _found(ports, keys.shared_row(grant.grantee, grant.kind, grant.id))
    for row in list(_rows(ports, workspace_id, "shared")):
        shared = Grant.model_validate(row.data)
        yield from _found(ports, keys.grant_row(shared.workspace_id, shared.kind, shared.id, workspace_id))


def _found(ports: Ports, key: keys.RowKey) -> Iterator[Row]:
    row = ports.registry.get(key)
    if row is not None:
        yield row


def _delete(ports: Ports, row: Row) -> int:
    return _delete_many(ports, [row])


def _delete_many(ports: Ports, rows: list[Row]) -> int:
    """Those that somebody changes in this moment stay for the next look."""
    try:
        ports.registry.write(*(Delete(key=row.key, expected=row.revision) for row in rows))
    except WriteConflictError as error:
        rest = [row for index, row in enumerate(rows) if index not in error.failed]
        return _delete_many(ports, rest) if rest else 0
    return len(rows)


def _delete_workspace(ports: Ports, deletion: WorkspaceDeletion) -> None:
    """Its own row and its name, last of all; where it was the first one, another first one may be made."""
    found = [
        ports.registry.get(keys.row(deletion.workspace_id, Workspace.resource, deletion.workspace_id)),
        ports.registry.get(keys.workspace_name_row(deletion.workspace_name)),
        ports.registry.get(workspaces.FIRST_ROW),
    ]
    own = [row for row in found if row is not None and row.data["id"] == deletion.workspace_id]
    if own:
        ports.registry.write(*(Delete(key=row.key, expected=row.revision) for row in own))


def _end_last_key(ports: Ports, deletion: WorkspaceDeletion) -> None:
    """The key that asked reads the proof for a day; then DynamoDB takes its row away."""
    row = ports.registry.get(keys.row(deletion.workspace_id, ApiKey.resource, deletion.requested_by))
    if row is None:
        return
    record = ApiKeyRecord.model_validate(row.data)
    ends_at = ports.clock() + PROOF_KEPT
    ending = record.model_copy(update={"expires_at": ends_at, "revision": record.revision + 1})
    ports.registry.write(Put(row=_key_row(ending, expires=True), expected=record.revision))


def _key_row(record: ApiKeyRecord, *, expires: bool = False) -> Row:
    return Row(
        key=keys.row(record.workspace_id, record.resource, record.id),
        data=record.model_dump(mode="json"),
        revision=record.revision,
        resource=record.resource,
        at=record.updated_at,
        expires_at=record.expires_at if expires else None,
    )
