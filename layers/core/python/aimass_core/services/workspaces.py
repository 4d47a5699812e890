"""Workspaces: the first one, more of them, and changes."""

from collections.abc import Iterator
from datetime import datetime

from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.workspaces import Workspace, WorkspaceCreate, WorkspaceCreated, WorkspaceUpdate
from aimass_core.errors import AlreadyExistsError, ConflictError, NotFoundError, UnavailableError
from aimass_core.ports import Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import api_keys, people, platform, records, users

FIRST_KEY = "first admin key"
_PAGE = 500
FIRST_ROW = keys.RowKey(keys.PLATFORM, "FIRST_WORKSPACE")


def create_first(ports: Ports, *, name: str, key_name: str = FIRST_KEY) -> tuple[Workspace, str]:
    """The first workspace of a deployment, and the token of its admin key. Works once.

    Raises:
        ConflictError: there is a workspace already.
    """
    request = WorkspaceCreate(name=name)
    workspace = _new(ports, request, actor=platform.principal("bootstrap", "").actor)
    first = Put(row=Row(key=FIRST_ROW, data={"id": workspace.id}, revision=1))
    try:
        by = platform.principal("bootstrap", workspace.id)
        token = _store(ports, workspace, by=by, key_name=key_name, also=[first])
    except (AlreadyExistsError, WriteConflictError) as error:
        raise ConflictError("There is a workspace already. Its admins make more of them and more keys.") from error
    return workspace, token


def has_first(ports: Ports) -> bool:
    """Whether `create_first` was done."""
    return ports.registry.get(FIRST_ROW) is not None


def list_ids(ports: Ports) -> Iterator[str]:
    """Of all workspaces of the installation."""
    start: str | None = None
    while True:
        page = ports.registry.query(keys.PLATFORM, keys.workspace_name_row("").sort, limit=_PAGE, start=start)
        yield from (str(row.data["id"]) for row in page.rows)
        start = page.next_start
        if start is None:
            return


def installed_at(ports: Ports) -> datetime | None:
    """When the first one was made; None where it is not there, or no more."""
    first_id = find_first_id(ports)
    if first_id is None:
        return None
    try:
        return records.get(ports, Workspace, first_id, first_id).created_at
    except NotFoundError:
        return None


def find_first_id(ports: Ports) -> str | None:
    """Of the deployment's first workspace; None where it is not there, or no more."""
    row = ports.registry.get(FIRST_ROW)
    return None if row is None else str(row.data["id"])


def is_first(ports: Ports, workspace_id: str) -> bool:
    """Whether it is the deployment's first one, whose admins also look after what belongs to no workspace."""
    return find_first_id(ports) == workspace_id


def create(ports: Ports, principal: Principal, request: WorkspaceCreate) -> WorkspaceCreated:
    """Another workspace, with its first admin key; a person who makes it is its first user. Raises AlreadyExistsError
    where the name is taken."""
    workspace = _new(ports, request, actor=principal.actor)
    also = users.first_of(ports, principal, workspace)
    try:
        token = _store(ports, workspace, by=principal, key_name=FIRST_KEY, also=also)
    except WriteConflictError as error:
        raise UnavailableError("Your own workspaces change too quickly. Try again.") from error
    return WorkspaceCreated(**workspace.model_dump(), secret=token)


def get(ports: Ports, principal: Principal, workspace_id: str) -> Workspace:
    """The one that the caller acts in; any other does not exist for them."""
    if workspace_id != principal.workspace_id:
        raise NotFoundError(f"There is no workspace {workspace_id!r} that this API key belongs to.")
    return records.get(ports, Workspace, workspace_id, workspace_id)


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None
) -> tuple[list[Workspace], str | None]:
    """Those that the caller belongs to: of a key one, of a person all in which they have a place."""
    if principal.subject is None:
        return ([get(ports, principal, principal.workspace_id)] if start is None else []), None
    person = people.find(ports, principal.subject)
    ids = sorted(each.workspace_id for each in person.memberships) if person else []
    left = [each for each in ids if start is None or each > start]
    found = [records.get(ports, Workspace, each, each) for each in left[:limit]]
    return found, left[limit - 1] if len(left) > limit else None


def update(
    ports: Ports, principal: Principal, workspace_id: str, request: WorkspaceUpdate, *, revision: int
) -> Workspace:
    """Changes the description. Raises StaleRevisionError where somebody was faster."""
    workspace = get(ports, principal, workspace_id)
    records.require_revision(workspace, revision)
    return records.save(ports, workspace, principal=principal, description=request.description)


def find_by_name(ports: Ports, name: str) -> Workspace | None:
    """For the platform itself: the drop folder leads by name to a workspace."""
    reserved = ports.registry.get(keys.workspace_name_row(name))
    if reserved is None:
        return None
    workspace_id = str(reserved.data["id"])
    return records.get(ports, Workspace, workspace_id, workspace_id)


def _new(ports: Ports, request: WorkspaceCreate, *, actor: str) -> Workspace:
    workspace_id = ports.new_id(Workspace.prefix)
    now = ports.clock()
    return Workspace(
        id=workspace_id,
        workspace_id=workspace_id,
        created_at=now,
        updated_at=now,
        created_by=actor,
        name=request.name,
        description=request.description,
    )


def _store(ports: Ports, workspace: Workspace, *, by: Principal, key_name: str, also: list[Write]) -> str:
    """Everything in one transaction: no workspace is ever without an admin key, nor a name without a workspace."""
    principal = by.model_copy(update={"workspace_id": workspace.id, "workspace_name": workspace.name})
    record, token = api_keys.new_record(ports, principal, name=key_name, role=Role.ADMIN, expires_at=None)
    reservation = Put(row=Row(key=keys.workspace_name_row(workspace.name), data={"id": workspace.id}, revision=1))
    writes: list[Write] = [
        reservation,
        Put(row=records.to_row(workspace)),
        Put(row=records.to_row(record)),
        records.audit(ports, principal, "workspace.create", workspace),
        records.audit(ports, principal, "api_key.create", record),
        *also,
    ]
    try:
        ports.registry.write(*writes)
    except WriteConflictError as error:
        if 0 in error.failed:
            raise AlreadyExistsError(f"A workspace {workspace.name!r} exists. Choose another name.") from error
        raise
    return token
