"""Grants of datasets, models and endpoints: within a workspace they add to a role, outside of it they let read."""

from aimass_core.domain import keys
from aimass_core.domain.api_keys import ApiKeyRecord
from aimass_core.domain.common import Principal, Resource, Role, is_id
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.grants import Grant, GrantKind, GrantVerb
from aimass_core.domain.models import Model
from aimass_core.domain.users import UserRecord
from aimass_core.domain.workspaces import Workspace
from aimass_core.errors import InvalidRequestError, NotFoundError, UnavailableError
from aimass_core.ports import Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import records

_KINDS: dict[GrantKind, type[Dataset] | type[Model] | type[Endpoint]] = {
    GrantKind.DATASET: Dataset,
    GrantKind.MODEL: Model,
    GrantKind.ENDPOINT: Endpoint,
}
_MAX_WRITES = 8


def put(ports: Ports, principal: Principal, kind: GrantKind, ref: str, *, grantee: str, verb: GrantVerb) -> Grant:
    """Grants it; again: replaces the grant.

    Raises:
        NotFoundError: there is no such thing in the caller's workspace, or no such grantee.
        InvalidRequestError: the verb is not one for this grantee.
    """
    found = records.find(ports, _KINDS[kind], principal.workspace_id, ref)
    _check_grantee(ports, principal, grantee, verb)
    made = Grant(
        kind=kind,
        id=found.id,
        name=found.name,
        workspace_id=found.workspace_id,
        grantee=grantee,
        verb=verb,
        granted_by=principal.actor,
        granted_at=ports.clock(),
    )
    _write(ports, principal, found, kind=kind, grantee=grantee, made=made)
    return made


def delete(ports: Ports, principal: Principal, kind: GrantKind, ref: str, grantee: str) -> None:
    """Takes a grant back, at once. Idempotent."""
    found = records.find(ports, _KINDS[kind], principal.workspace_id, ref)
    if ports.registry.get(keys.grant_row(found.workspace_id, kind, found.id, grantee)) is not None:
        _write(ports, principal, found, kind=kind, grantee=grantee, made=None)


def list_of(
    ports: Ports, principal: Principal, kind: GrantKind, ref: str, *, limit: int, start: str | None = None
) -> tuple[list[Grant], str | None]:
    """A page of the grants of one thing."""
    found = records.find(ports, _KINDS[kind], principal.workspace_id, ref)
    return _page(ports, found.workspace_id, keys.row_prefix("grant", kind, found.id), limit=limit, start=start)


def list_given(
    ports: Ports, principal: Principal, *, grantee: str | None, limit: int, start: str | None = None
) -> tuple[list[Grant], str | None]:
    """A page of what the caller's workspace has granted, of things that are still there; with `grantee` it may be short
    although more follow."""
    found, next_start = _page(ports, principal.workspace_id, keys.row_prefix("grant"), limit=limit, start=start)
    asked = [each for each in found if grantee in (None, each.grantee)]
    return [each for each in asked if _is_there(ports, each)], next_start


def list_shared(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[Grant], str | None]:
    """A page of what other workspaces let the caller's read."""
    return _page(ports, principal.workspace_id, keys.row_prefix("shared"), limit=limit, start=start)


def allows(ports: Ports, principal: Principal, kind: GrantKind, ref: str, role: Role) -> bool:
    """Whether a grant of the caller's own workspace gives them that role's rights of one thing."""
    try:
        found = records.find(ports, _KINDS[kind], principal.workspace_id, ref)
    except NotFoundError:
        return False
    for grantee in (principal.actor, principal.role):
        row = ports.registry.get(keys.grant_row(found.workspace_id, kind, found.id, grantee))
        if row is not None and GrantVerb(row.data["verb"]).role.includes(role):
            return True
    return False


def as_guest(ports: Ports, principal: Principal, kind: GrantKind, ref: str) -> Principal | None:
    """The caller as a viewer of the workspace that lets theirs read this one thing; None where none does."""
    row = find_shared(ports, principal.workspace_id, kind, ref)
    if row is None:
        return None
    granted = Grant.model_validate(row.data)
    owner = records.get(ports, Workspace, granted.workspace_id, granted.workspace_id)
    changes = {"workspace_id": owner.id, "workspace_name": owner.name, "role": Role.VIEWER}
    return principal.model_copy(update=changes)


def find_shared(ports: Ports, workspace_id: str, kind: GrantKind, ref: str) -> Row | None:
    """The row of the grant by which a workspace reads one thing of another's; None where there is none."""
    return ports.registry.get(keys.shared_row(workspace_id, kind, ref)) if is_id(ref) else None


def _check_grantee(ports: Ports, principal: Principal, grantee: str, verb: GrantVerb) -> None:
    is_other = grantee.startswith(f"{Workspace.prefix}_")
    if is_other is not (verb is GrantVerb.READ):
        raise InvalidRequestError(
            f"{str(verb)!r} is for {'another workspace' if verb is GrantVerb.READ else 'those of this workspace'}, and "
            f"{grantee!r} is not: within a workspace everybody reads, and nobody outside of it changes anything."
        )
    if grantee == principal.workspace_id:
        raise InvalidRequestError("Within its own workspace everybody may read it.")
    if is_other:
        records.get(ports, Workspace, grantee, grantee)
    elif is_id(grantee):
        cls: type[Resource] = UserRecord if grantee.startswith(f"{UserRecord.prefix}_") else ApiKeyRecord
        records.get(ports, cls, principal.workspace_id, grantee)


def _write(
    ports: Ports,
    principal: Principal,
    found: Dataset | Model | Endpoint,
    *,
    kind: GrantKind,
    grantee: str,
    made: Grant | None,
) -> None:
    """The grant where the thing lies, and where the workspace that has it finds it, in one transaction."""
    rows = [keys.grant_row(found.workspace_id, kind, found.id, grantee)]
    if grantee.startswith(f"{Workspace.prefix}_"):
        rows.append(keys.shared_row(grantee, kind, found.id))
    data = None if made is None else made.model_dump(mode="json")
    action = f"{kind}.revoke" if made is None else f"{kind}.grant"
    verb = None if made is None else made.verb
    for _ in range(_MAX_WRITES):
        audit = records.audit(ports, principal, action, found, grantee=grantee, verb=verb)
        try:
            ports.registry.write(*(_to_write(ports, key, data) for key in rows), audit)
        except WriteConflictError:
            continue
        return
    raise UnavailableError(f"The grants of the {kind} {found.name!r} change too quickly. Try again.")


def _to_write(ports: Ports, key: keys.RowKey, data: dict[str, object] | None) -> Write:
    stored = ports.registry.get(key)
    expected = None if stored is None else stored.revision
    if data is None:
        return Delete(key=key, expected=expected or 0)
    return Put(row=Row(key=key, data=data, revision=(expected or 0) + 1), expected=expected)


def _page(
    ports: Ports, workspace_id: str, prefix: str, *, limit: int, start: str | None
) -> tuple[list[Grant], str | None]:
    page = ports.registry.query(keys.partition(workspace_id), prefix, limit=limit, start=start)
    return [Grant.model_validate(row.data) for row in page.rows], page.next_start


def _is_there(ports: Ports, grant: Grant) -> bool:
    row = keys.row(grant.workspace_id, _KINDS[grant.kind].resource, grant.id)
    return ports.registry.get(row) is not None
