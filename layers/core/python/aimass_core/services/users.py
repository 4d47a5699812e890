"""Users of a workspace: inviting, accepting, changing and removing them."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from aimass_core.domain import keys
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.notifications import NotificationType, Subject
from aimass_core.domain.tokens import TokenKind, format_token, hash_secret, is_secret, new_secret, parse_token
from aimass_core.domain.users import (
    Membership,
    Person,
    User,
    UserInvite,
    UserInvited,
    UserRecord,
    UserStatus,
    UserUpdate,
)
from aimass_core.domain.workspaces import Workspace
from aimass_core.errors import (
    AimassError,
    AlreadyExistsError,
    ConflictError,
    StaleRevisionError,
    UnauthenticatedError,
    UnavailableError,
)
from aimass_core.ports import AccountExistsError, Check, Delete, Mail, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import identity_tokens, notifications, people, records, sign_ins

INVITATION = timedelta(days=7)
_PAGE = 100
_MAX_ATTEMPTS = 5
_NO_INVITATION = "The invitation is unknown, used or expired. Ask an admin of the workspace for another one."


def invite(ports: Ports, principal: Principal, request: UserInvite, *, console_url: str | None = None) -> UserInvited:
    """A place for a person, which they take with the invitation. Nobody but they ever knows their password, and whether
    they have an account already is told to nobody.

    Args:
        console_url: where the console is; where the deployment can send mail, the person gets a link to it.

    Raises:
        AlreadyExistsError: they are in the workspace.
    """
    secret = new_secret()
    record = UserRecord(
        **records.new_fields(ports, principal, User),
        email=request.email,
        name=request.name,
        role=request.role,
        status=UserStatus.INVITED,
        workspace_name=principal.workspace_name,
        invitation_sha256=hash_secret(secret),
        invitation_expires_at=ports.clock() + INVITATION,
    )
    # NOTE: everybody in the workspace reads what has happened, and addresses are for its admins.
    told = notifications.new_write(
        ports,
        principal.workspace_id,
        NotificationType.USER_INVITED,
        Subject(resource=User.resource, id=record.id),
        title=f"Somebody was invited as {record.role}",
        data={"user_id": record.id, "role": record.role.value, "invited_by": principal.actor},
    )
    try:
        records.create(ports, principal, record, name=record.email, also=[told])
    except AlreadyExistsError as error:
        raise AlreadyExistsError(f"{record.email} is in this workspace already. Change that user.") from error
    return _send(ports, principal, _invited(record, secret), console_url)


def invite_again(ports: Ports, principal: Principal, user_id: str, *, console_url: str | None = None) -> UserInvited:
    """Another invitation; the one before holds no longer. Raises ConflictError for who has accepted one."""
    record = records.get(ports, UserRecord, principal.workspace_id, user_id)
    if record.status is not UserStatus.INVITED:
        raise ConflictError(f"{record.email} has accepted an invitation and signs in with a password.")
    secret = new_secret()
    record = records.save(
        ports,
        record,
        principal=principal,
        action="user.invite",
        invitation_sha256=hash_secret(secret),
        invitation_expires_at=ports.clock() + INVITATION,
    )
    return _send(ports, principal, _invited(record, secret), console_url)


def get(ports: Ports, principal: Principal, user_id: str) -> User:
    """One user."""
    return _public(records.get(ports, UserRecord, principal.workspace_id, user_id))


def get_record(ports: Ports, principal: Principal) -> UserRecord:
    """The user that a person is where they act."""
    return records.get(ports, UserRecord, principal.workspace_id, principal.actor)


def list_page(ports: Ports, principal: Principal, *, limit: int, start: str | None) -> tuple[list[User], str | None]:
    """The workspace's users, newest first."""
    found, next_start = records.list_page(ports, UserRecord, principal.workspace_id, limit=limit, start=start)
    return [_public(record) for record in found], next_start


def update(ports: Ports, principal: Principal, user_id: str, request: UserUpdate, *, revision: int) -> User:
    """Another role holds with the user's next request.

    Raises:
        StaleRevisionError: somebody was faster.
        ConflictError: nobody would be left to govern, see `_keep_an_admin`.
    """
    for _ in range(_MAX_ATTEMPTS):
        record = records.get(ports, UserRecord, principal.workspace_id, user_id)
        records.require_revision(record, revision)
        role = request.role or record.role
        name = record.name if request.name is None else request.name
        also: list[Write] = []
        if role is not Role.ADMIN:
            also += _keep_an_admin(ports, principal, record)
        if record.subject is not None:
            membership = _membership(record.model_copy(update={"role": role}))
            also.append(people.write(ports, record.subject, people.with_membership(membership)))
        try:
            return _public(records.save(ports, record, principal=principal, also=also, role=role, name=name))
        except WriteConflictError:
            continue
    raise UnavailableError("The users of this workspace change too quickly. Try again.")


def remove(ports: Ports, principal: Principal, user_id: str) -> None:
    """Out with the next request. An account that leads nowhere any more is deleted.

    Raises:
        ConflictError: nobody would be left to govern, see `_keep_an_admin`.
    """
    for _ in range(_MAX_ATTEMPTS):
        record = records.get(ports, UserRecord, principal.workspace_id, user_id)
        try:
            ports.registry.write(
                *_removal(ports, record),
                *_keep_an_admin(ports, principal, record),
                records.audit(ports, principal, "user.remove", record, email=record.email, role=record.role),
            )
        except WriteConflictError:
            continue
        forget_account(ports, record.subject)
        return
    raise UnavailableError("The users of this workspace change too quickly. Try again.")


def remove_all(ports: Ports, workspace_id: str) -> int:
    """Before a workspace is deleted: everybody loses their place in it. May be repeated where it was cut off.

    Accounts stay, of which those that lead nowhere open nothing: whoever deletes workspaces knows no accounts.
    """
    found = list(_all(ports, workspace_id))
    for record in found:
        ports.registry.write(*_removal(ports, record))
    return len(found)


def forget_account(ports: Ports, subject: str | None) -> None:
    """Deletes the account of whoever belongs nowhere."""
    if subject is not None and people.find(ports, subject) is None:
        ports.identity.delete(subject)


def accept(ports: Ports, invitation: str, password: str, *, address: str) -> str:
    """Takes the place that an invitation offers; returns the e-mail address to sign in with.

    Who has an account proves it by its password, else the password becomes that of a new one. (An account that belongs
    nowhere is as good as none: it opens nothing.)

    Raises:
        UnauthenticatedError: the invitation, or the password of the account, is not right.
        InvalidRequestError: the password is not one that may be chosen.
    """
    parsed = parse_token(TokenKind.INVITATION, invitation)
    row = None
    if parsed is not None:
        row = ports.registry.get(keys.row(parsed.workspace_id, UserRecord.resource, parsed.record_id))
    record = None if row is None else UserRecord.model_validate(row.data)
    if parsed is None or record is None or not _is_open(ports, record, parsed.secret):
        raise UnauthenticatedError(_NO_INVITATION)
    sign_ins.count(ports, account=record.email, address=address)
    subject = _account(ports, record.email, password)
    joined = record.model_copy(
        update={
            "status": UserStatus.ACTIVE,
            "subject": subject,
            "joined_at": ports.clock(),
            "invitation_sha256": None,
            "invitation_expires_at": None,
        }
    )
    _join(ports, record, joined, subject)
    return record.email


def first_of(ports: Ports, principal: Principal, workspace: Workspace) -> list[Write]:
    """The writes that make whoever makes a workspace its first user; none where a key makes it."""
    if principal.subject is None:
        return []
    there = principal.model_copy(update={"workspace_id": workspace.id, "workspace_name": workspace.name})
    record = UserRecord(
        **records.new_fields(ports, there, User),
        email=principal.actor_name or "",
        role=Role.ADMIN,
        status=UserStatus.ACTIVE,
        workspace_name=workspace.name,
        subject=principal.subject,
        joined_at=ports.clock(),
    )
    reservation = keys.name_row(workspace.id, User.resource, record.email)
    return [
        Put(row=records.to_row(record)),
        Put(row=Row(key=reservation, data={"id": record.id}, revision=1)),
        people.write(ports, principal.subject, people.with_membership(_membership(record))),
    ]


def _account(ports: Ports, email: str, password: str) -> str:
    try:
        return ports.identity.create(email, password)
    except AccountExistsError:
        subject = ports.identity.find(email)
    if subject is not None and people.find(ports, subject) is None:
        ports.identity.set_password(subject, password)
        return subject
    given = ports.identity.sign_in(email, password)
    return identity_tokens.claims_of(given).subject


def _join(ports: Ports, record: UserRecord, joined: UserRecord, subject: str) -> None:
    themselves = Principal(
        workspace_id=record.workspace_id,
        workspace_name=record.workspace_name,
        actor=record.id,
        actor_name=record.email,
        role=record.role,
    )
    changes = {
        name: getattr(joined, name) for name in UserRecord.model_fields if name not in ("updated_at", "revision")
    }
    for _ in range(_MAX_ATTEMPTS):
        membership = people.write(ports, subject, _joining(_membership(record)), email=record.email)
        try:
            records.save(ports, record, principal=themselves, action="user.accept", also=[membership], **changes)
        except StaleRevisionError as error:
            raise UnauthenticatedError(_NO_INVITATION) from error
        except WriteConflictError:
            continue
        return
    raise UnavailableError("The invitation could not be accepted. Try again.")


def _joining(membership: Membership) -> people.Change:
    def change(person: Person) -> Person:
        if len(person.memberships) >= people.MAX_WORKSPACES:
            raise ConflictError(
                f"{person.email} belongs to {people.MAX_WORKSPACES} workspaces, the most that there may be."
            )
        return people.with_membership(membership)(person)

    return change


def _removal(ports: Ports, record: UserRecord) -> Sequence[Write]:
    """NOTE: the row comes first, so that its condition is the one that fails where somebody was faster."""
    key = keys.row(record.workspace_id, record.resource, record.id)
    reservation = keys.name_row(record.workspace_id, record.resource, record.email)
    writes: list[Write] = [Delete(key=key, expected=record.revision), Delete(key=reservation, expected=1)]
    if record.subject is not None:
        writes.append(people.write(ports, record.subject, people.without_membership(record.workspace_id)))
    return writes


def _keep_an_admin(ports: Ports, principal: Principal, record: UserRecord) -> list[Write]:
    """What has to hold so that somebody is left to govern when this admin is one no longer: another one stays, or it is
    an admin's key that does it.

    The other one is part of the transaction: two admins who remove each other cannot both win.

    Raises:
        ConflictError: it is the last one.
    """
    is_key = principal.subject is None
    if record.role is not Role.ADMIN or record.status is not UserStatus.ACTIVE or is_key:
        return []
    for other in _all(ports, record.workspace_id):
        if other.id != record.id and other.role is Role.ADMIN and other.status is UserStatus.ACTIVE:
            return [Check(key=keys.row(other.workspace_id, other.resource, other.id), expected=other.revision)]
    raise ConflictError(
        f"{record.email} is the last admin of this workspace. Make another user an admin first, or use an admin's key."
    )


def _all(ports: Ports, workspace_id: str) -> Iterator[UserRecord]:
    start: str | None = None
    while True:
        found, start = records.list_page(ports, UserRecord, workspace_id, limit=_PAGE, start=start)
        yield from found
        if start is None:
            return


def _is_open(ports: Ports, record: UserRecord, secret: str) -> bool:
    is_right = is_secret(secret, secret_sha256=record.invitation_sha256 or hash_secret("no invitation"))
    expires_at = record.invitation_expires_at
    return is_right and record.status is UserStatus.INVITED and expires_at is not None and ports.clock() < expires_at


def _membership(record: UserRecord) -> Membership:
    return Membership(
        workspace_id=record.workspace_id,
        workspace_name=record.workspace_name,
        user_id=record.id,
        role=record.role,
    )


def _public(record: UserRecord) -> User:
    return User.model_validate(record.model_dump(exclude={"workspace_name", "subject", "invitation_sha256"}))


def _invited(record: UserRecord, secret: str) -> UserInvited:
    token = format_token(TokenKind.INVITATION, workspace_id=record.workspace_id, record_id=record.id, secret=secret)
    return UserInvited(**_public(record).model_dump(), invitation=token)


def _send(ports: Ports, principal: Principal, invited: UserInvited, console_url: str | None) -> UserInvited:
    """By e-mail, where there is a sender. The invitation stands, whatever becomes of the mail."""
    if console_url is None:
        return invited
    text = (
        f"{principal.actor_name or principal.actor} invites you to the workspace {principal.workspace_name} of AI Mass "
        f"as {invited.role}.\n\n{console_url}#invitation={invited.invitation}\n\nThe link works once, until "
        f"{invited.invitation_expires_at:%Y-%m-%d %H:%M} UTC, for you alone: choose a password there, or give the one "
        "that you have. If you did not expect this, do nothing.\n"
    )
    subject = f"Your invitation to the workspace {principal.workspace_name}"
    try:
        ports.mailer.check()
        ports.mailer.send(Mail(to=[invited.email], subject=subject, text=text))
    except AimassError as error:
        return invited.model_copy(update={"mail_fault": error.message})
    return invited.model_copy(update={"is_mailed": True})
