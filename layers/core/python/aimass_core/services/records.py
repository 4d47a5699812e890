"""Resources in the registry: typed loading, creating, listing and optimistic updates, with the audit entry beside."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from aimass_core.domain import keys
from aimass_core.domain.audit import AuditEntry
from aimass_core.domain.changes import diff
from aimass_core.domain.common import Principal, Resource, is_id
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.models import Model
from aimass_core.domain.redaction import redact_value
from aimass_core.errors import AlreadyExistsError, NotFoundError, StaleRevisionError, UnavailableError
from aimass_core.ports import Ports, Put, Row, Write, WriteConflictError

ResourceT = TypeVar("ResourceT", bound=Resource)
_MAX_ATTEMPTS = 8


def new_fields(ports: Ports, principal: Principal, cls: type[Resource]) -> dict[str, Any]:
    """The fields that every new resource begins with."""
    now = ports.clock()
    return {
        "id": ports.new_id(cls.prefix),
        "workspace_id": principal.workspace_id,
        "created_at": now,
        "updated_at": now,
        "created_by": principal.actor,
    }


def to_row(resource: Resource, *parents: str | int, key: keys.RowKey | None = None) -> Row:
    """A resource as a row. `parents` replace the id in the key of a child: (dataset id, number).

    The index holds it by `due_at`, where it has one, and else by its last change.
    """
    status = getattr(resource, "status", None)
    return Row(
        key=key or keys.row(resource.workspace_id, resource.resource, *(parents or (resource.id,))),
        data=resource.model_dump(mode="json"),
        revision=resource.revision,
        resource=resource.resource,
        status=None if status is None else str(status),
        at=getattr(resource, "due_at", None) or resource.updated_at,
        expires_at=getattr(resource, "forgotten_at", None),
    )


def get(ports: Ports, cls: type[ResourceT], workspace_id: str, *ids: str | int) -> ResourceT:
    """One resource by its ids. Raises NotFoundError, also for another workspace's."""
    row = ports.registry.get(keys.row(workspace_id, cls.resource, *ids))
    if row is None:
        raise NotFoundError(f"There is no {_words(cls)} {'/'.join(str(part) for part in ids)!r} in this workspace.")
    return cls.model_validate(row.data)


def find(ports: Ports, cls: type[ResourceT], workspace_id: str, id_or_name: str) -> ResourceT:
    """One resource by id or by name. Raises NotFoundError."""
    if is_id(id_or_name):
        return get(ports, cls, workspace_id, id_or_name)
    reserved = ports.registry.get(keys.name_row(workspace_id, cls.resource, id_or_name))
    if reserved is None:
        raise NotFoundError(f"There is no {_words(cls)} named {id_or_name!r} in this workspace.")
    return get(ports, cls, workspace_id, str(reserved.data["id"]))


def get_version(ports: Ports, cls: type[ResourceT], parent: Dataset | Model, number: int) -> ResourceT:
    """A version of a dataset or model. Raises NotFoundError, which names it as people do."""
    try:
        return get(ports, cls, parent.workspace_id, parent.id, number)
    except NotFoundError as error:
        latest = f"; the latest is {parent.latest_version}" if parent.latest_version else ""
        raise NotFoundError(f"There is no {_words(cls)} {parent.name}@{number} in this workspace{latest}.") from error


def create(
    ports: Ports,
    principal: Principal,
    resource: ResourceT,
    *parents: str | int,
    name: str | None = None,
    also: Sequence[Write] = (),
) -> ResourceT:
    """Writes a new resource, the reservation of its name and its audit entry, in one transaction.

    Raises AlreadyExistsError where the name is taken (or a child of that number exists).
    """
    writes: list[Write] = [Put(row=to_row(resource, *parents))]
    if name is not None:
        reservation = keys.name_row(resource.workspace_id, resource.resource, name)
        writes.append(Put(row=Row(key=reservation, data={"id": resource.id}, revision=1)))
    num_own = len(writes)
    writes.append(audit(ports, principal, f"{resource.resource}.create", resource))
    try:
        ports.registry.write(*writes, *also)
    except WriteConflictError as error:
        if min(error.failed) < num_own:
            raise AlreadyExistsError(
                f"A {_words(type(resource))} {name or '/'.join(str(part) for part in parents) or resource.id!r} exists."
            ) from error
        raise
    return resource


def save(
    ports: Ports,
    resource: ResourceT,
    *parents: str | int,
    principal: Principal | None = None,
    action: str | None = None,
    also: Sequence[Write] = (),
    **changes: Any,
) -> ResourceT:
    """Writes `resource` with `changes` if nobody changed it since it was read, as its next revision.

    With `principal` and `action` the audit entry is part of the transaction. Raises StaleRevisionError.
    """
    changed = resource.model_copy(update={**changes, "updated_at": ports.clock(), "revision": resource.revision + 1})
    changed = type(resource).model_validate(changed.model_dump())
    writes: list[Write] = [Put(row=to_row(changed, *parents), expected=resource.revision)]
    if principal is not None:
        writes.append(audit(ports, principal, action or f"{resource.resource}.update", resource, after=changed))
    try:
        ports.registry.write(*writes, *also)
    except WriteConflictError as error:
        if 0 in error.failed:
            raise StaleRevisionError(
                f"The {_words(type(resource))} {resource.id!r} was changed meanwhile. Read it again and repeat."
            ) from error
        raise
    return changed


def update(
    ports: Ports,
    cls: type[ResourceT],
    workspace_id: str,
    *ids: str | int,
    change: Callable[[ResourceT], dict[str, Any] | None],
) -> ResourceT:
    """Reads, lets `change` say what to change (None or empty: nothing) and saves, again while somebody else is faster.

    For the platform's own idempotent updates; a user's update goes through `save` with the revision of If-Match.
    """
    for _ in range(_MAX_ATTEMPTS):
        resource = get(ports, cls, workspace_id, *ids)
        changes = change(resource)
        if not changes:
            return resource
        try:
            return save(ports, resource, *ids, **changes)
        except StaleRevisionError:
            continue
    raise UnavailableError(f"The {_words(cls)} {'/'.join(map(str, ids))!r} changes too quickly. Try again.")


def require_revision(resource: Resource, revision: int) -> None:
    """Raises StaleRevisionError where If-Match named another revision than the stored one."""
    if resource.revision != revision:
        raise StaleRevisionError(
            f"The {_words(type(resource))} {resource.id!r} is at revision {resource.revision}, not {revision}. "
            "Read it again and repeat the change."
        )


def list_page(
    ports: Ports,
    cls: type[ResourceT],
    workspace_id: str,
    *parents: str | int,
    limit: int,
    start: str | None = None,
    newest_first: bool = True,
) -> tuple[list[ResourceT], str | None]:
    """A page of a workspace's resources (of a parent's children) and the sort key to go on after."""
    prefix = keys.row_prefix(cls.resource, *parents)
    page = ports.registry.query(
        keys.partition(workspace_id), prefix, limit=limit, start=start, newest_first=newest_first
    )
    return [cls.model_validate(row.data) for row in page.rows], page.next_start


def audit(
    ports: Ports, principal: Principal, action: str, target: Resource, *, after: Resource | None = None, **details: Any
) -> Put:
    """The write that records a change; it belongs into the transaction of the change.

    Args:
        target: as it is before. Of an action `....create` or `....delete` it is all that is recorded.
        after: what it becomes.
        details: what the fields of the target do not say.
    """
    if after is not None:
        changes = diff(target, after)
    elif action.endswith(".create"):
        changes = diff(None, target)
    else:
        changes = diff(target, None) if action.endswith(".delete") else {}
    known = {name: redact_value(value) for name, value in details.items() if value is not None}
    return Put(row=to_row(new_entry(ports, principal, action, target, changes=changes, details=known)))


def new_entry(ports: Ports, principal: Principal, action: str, target: Resource, **fields: Any) -> AuditEntry:
    """An entry of the audit trail: who it is, from where, and what it is about."""
    return AuditEntry(
        **new_fields(ports, principal, AuditEntry),
        action=action,
        actor_name=principal.actor_name,
        origin=principal.origin,
        target_resource=target.resource,
        target_id=target.id,
        target_name=_name_of(target),
        **fields,
    )


def _name_of(target: Resource) -> str | None:
    """A version's is `adult@3`."""
    of_whole = getattr(target, "dataset_name", None) or getattr(target, "model_name", None)
    number = getattr(target, "number", None)
    return f"{of_whole}@{number}" if of_whole and number else getattr(target, "name", None)


def _words(cls: type[Resource]) -> str:
    return cls.resource.replace("_", " ")
