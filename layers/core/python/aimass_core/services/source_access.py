"""Who may do what with a source: by the role in its own workspace, by a grant in addition, and else it is not there."""

from collections.abc import Iterator

from aimass_core.domain import keys
from aimass_core.domain.api_keys import ApiKey, ApiKeyRecord
from aimass_core.domain.common import Principal, Role, is_id
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.sources import SourceGrant, SourceRecord, SourceVerb
from aimass_core.domain.users import User, UserRecord
from aimass_core.domain.workspaces import Workspace
from aimass_core.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError
from aimass_core.ports import Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import records

_PAGE = 100
_MAX_WRITES = 8
VERB_OF_ROLE = {
    Role.VIEWER: SourceVerb.READ,
    Role.COLLECTOR: SourceVerb.RUN,
    Role.DEVELOPER: SourceVerb.EDIT,
    Role.ADMIN: SourceVerb.EDIT,
}


def find(ports: Ports, principal: Principal, source: str, verb: SourceVerb) -> SourceRecord:
    """A source by id, or by name in the caller's own workspace, if the caller may do this with it.

    Raises NotFoundError where the caller may not even see it, else PermissionDeniedError.
    """
    record, allowed = resolve(ports, principal, source)
    if not allowed.includes(verb):
        raise PermissionDeniedError(
            f"This needs {str(verb)!r} on the source {record.name!r}; the API key has {str(allowed)!r}. Ask an admin "
            "of the workspace that it belongs to for a grant."
        )
    return record


def find_own(ports: Ports, principal: Principal, source: str, verb: SourceVerb) -> SourceRecord:
    """The same, where no grant of another workspace is enough."""
    record = find(ports, principal, source, verb)
    if record.workspace_id != principal.workspace_id:
        raise PermissionDeniedError(f"Only the workspace that the source {record.name!r} belongs to may do this.")
    return record


def resolve(ports: Ports, principal: Principal, source: str) -> tuple[SourceRecord, SourceVerb]:
    """A source and what the caller may do with it. Raises NotFoundError."""
    try:
        own = records.find(ports, SourceRecord, principal.workspace_id, source)
    except NotFoundError:
        shared = _find_shared(ports, principal, source)
        if shared is None:
            raise
        return shared
    return own, verb_of(ports, principal, own)


def verb_of(ports: Ports, principal: Principal, record: SourceRecord) -> SourceVerb:
    """What the caller may do with a source of their own workspace: by role, by a grant to their key; collectors may
    edit what they made."""
    by_role = VERB_OF_ROLE[principal.role]
    if by_role is SourceVerb.RUN and record.created_by == principal.actor:
        return SourceVerb.EDIT
    row = None
    if by_role is not SourceVerb.EDIT:
        row = ports.registry.get(keys.source_grant_row(record.workspace_id, record.id, principal.actor))
    by_grant = by_role if row is None else SourceVerb(row.data["verb"])
    return by_grant if by_grant.includes(by_role) else by_role


def list_shared(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[tuple[SourceRecord, SourceVerb]], str | None]:
    """A page of the sources of other workspaces that the caller's was given a grant for."""
    page = ports.registry.query(
        keys.partition(principal.workspace_id), keys.row_prefix("shared_source"), limit=limit, start=start
    )
    found = [_open_shared(ports, principal, row) for row in page.rows]
    return [each for each in found if each is not None], page.next_start


def grant(ports: Ports, principal: Principal, source: str, grantee: str, verb: SourceVerb) -> SourceGrant:
    """Lets a user or an API key of this workspace, or another workspace, do this with a source; again: replaces the
    grant."""
    record = find_own(ports, principal, source, SourceVerb.EDIT)
    _check_grantee(ports, record, grantee)
    made = SourceGrant(
        source_id=record.id, grantee=grantee, verb=verb, granted_by=principal.actor, granted_at=ports.clock()
    )
    audit = records.audit(ports, principal, "source.grant", record, grantee=grantee, verb=verb)
    _write_both(ports, record, grantee, made, audit)
    return made


def revoke(ports: Ports, principal: Principal, source: str, grantee: str) -> None:
    """Takes a grant back, at once. Idempotent."""
    record = find_own(ports, principal, source, SourceVerb.EDIT)
    if ports.registry.get(keys.source_grant_row(record.workspace_id, record.id, grantee)) is None:
        return
    _write_both(ports, record, grantee, None, records.audit(ports, principal, "source.revoke", record, grantee=grantee))


def find_dataset(ports: Ports, principal: Principal, dataset_id: str) -> Dataset | None:
    """A dataset of another workspace that is filled by a source which the caller was granted to read."""
    start: str | None = None
    while True:
        page, start = list_shared(ports, principal, limit=_PAGE, start=start)
        for record, verb in page:
            row = ports.registry.get(keys.row(record.workspace_id, Dataset.resource, dataset_id))
            if verb.includes(SourceVerb.READ) and row is not None and row.data.get("source_id") == record.id:
                return Dataset.model_validate(row.data)
        if start is None:
            return None


def list_grants(
    ports: Ports, principal: Principal, source: str, *, limit: int, start: str | None = None
) -> tuple[list[SourceGrant], str | None]:
    """A page of the grants of a source."""
    record = find_own(ports, principal, source, SourceVerb.EDIT)
    page = ports.registry.query(
        keys.partition(record.workspace_id), keys.row_prefix("source_grant", record.id), limit=limit, start=start
    )
    return [SourceGrant.model_validate(row.data) for row in page.rows], page.next_start


def revoke_all(ports: Ports, principal: Principal, record: SourceRecord) -> None:
    """Before a source is deleted."""
    for given in list(_all_grants(ports, record)):
        revoke(ports, principal, record.id, given.grantee)


def _find_shared(ports: Ports, principal: Principal, source: str) -> tuple[SourceRecord, SourceVerb] | None:
    if not is_id(source):
        return None
    row = ports.registry.get(keys.shared_source_row(principal.workspace_id, source))
    return None if row is None else _open_shared(ports, principal, row)


def _open_shared(ports: Ports, principal: Principal, row: Row) -> tuple[SourceRecord, SourceVerb] | None:
    verb, by_role = SourceVerb(row.data["verb"]), VERB_OF_ROLE[principal.role]
    try:
        record = records.get(ports, SourceRecord, str(row.data["workspace_id"]), str(row.data["source_id"]))
    except NotFoundError:
        return None
    return record, verb if by_role.includes(verb) else by_role


def _check_grantee(ports: Ports, record: SourceRecord, grantee: str) -> None:
    if grantee.startswith(f"{ApiKey.prefix}_"):
        records.get(ports, ApiKeyRecord, record.workspace_id, grantee)
    elif grantee.startswith(f"{User.prefix}_"):
        records.get(ports, UserRecord, record.workspace_id, grantee)
    elif not grantee.startswith(f"{Workspace.prefix}_"):
        raise InvalidRequestError(
            f"{grantee!r} is no id of a workspace (ws_...), nor of a user (usr_...) or API key (key_...) of this one."
        )
    elif grantee == record.workspace_id:
        raise InvalidRequestError("Within its own workspace roles say what may be done; grant it to one API key.")
    else:
        records.get(ports, Workspace, grantee, grantee)


def _write_both(ports: Ports, record: SourceRecord, grantee: str, made: SourceGrant | None, audit: Put) -> None:
    """The grant where the source lies, and where the workspace that has it finds it, in one transaction."""
    data = None if made is None else made.model_dump(mode="json")
    rows = {keys.source_grant_row(record.workspace_id, record.id, grantee): data}
    if grantee.startswith(f"{Workspace.prefix}_"):
        shared = None if data is None else {**data, "workspace_id": record.workspace_id}
        rows[keys.shared_source_row(grantee, record.id)] = shared
    for _ in range(_MAX_WRITES):
        writes = [write for key, value in rows.items() if (write := _to_write(ports, key, value)) is not None]
        try:
            ports.registry.write(*writes, audit)
        except WriteConflictError:
            continue
        return
    raise UnavailableError(f"The grants of the source {record.name!r} change too quickly. Try again.")


def _to_write(ports: Ports, key: keys.RowKey, data: dict[str, object] | None) -> Write | None:
    stored = ports.registry.get(key)
    expected = None if stored is None else stored.revision
    if data is None:
        return None if expected is None else Delete(key=key, expected=expected)
    return Put(row=Row(key=key, data=data, revision=(expected or 0) + 1), expected=expected)


def _all_grants(ports: Ports, record: SourceRecord) -> Iterator[SourceGrant]:
    start: str | None = None
    prefix = keys.row_prefix("source_grant", record.id)
    while True:
        page = ports.registry.query(keys.partition(record.workspace_id), prefix, limit=_PAGE, start=start)
        yield from (SourceGrant.model_validate(row.data) for row in page.rows)
        if page.next_start is None:
            return
        start = page.next_start
