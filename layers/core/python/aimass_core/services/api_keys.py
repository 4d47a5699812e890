"""API keys: making them, revoking them, and finding out whom a token stands for."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from aimass_core.domain import keys
from aimass_core.domain.api_keys import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyRecord, ApiKeyRotate
from aimass_core.domain.common import Principal, Role
from aimass_core.domain.tokens import TokenKind, format_token, hash_secret, is_secret, new_secret, parse_token
from aimass_core.errors import ConflictError, InvalidRequestError, StaleRevisionError, UnauthenticatedError
from aimass_core.ports import Check, Ports, WriteConflictError
from aimass_core.services import records

_PAGE = 100
_MAX_ATTEMPTS = 5
_REFUSED = "The API key or session is missing, unknown, expired or revoked."


def create(ports: Ports, principal: Principal, request: ApiKeyCreate) -> ApiKeyCreated:
    """A key with its secret, which is in this answer only."""
    if request.expires_at is not None and request.expires_at <= ports.clock():
        raise InvalidRequestError(f"expires_at is {request.expires_at.isoformat()}: it must lie in the future.")
    record, token = new_record(ports, principal, name=request.name, role=request.role, expires_at=request.expires_at)
    record = record.model_copy(
        update={
            "max_requests_per_second": request.max_requests_per_second,
            "max_requests_per_day": request.max_requests_per_day,
        }
    )
    records.create(ports, principal, record)
    return ApiKeyCreated(**_public(record).model_dump(), secret=token)


def new_record(
    ports: Ports, principal: Principal, *, name: str, role: Role, expires_at: datetime | None
) -> tuple[ApiKeyRecord, str]:
    """A key as it will be stored, and its token."""
    secret = new_secret()
    record = ApiKeyRecord(
        **records.new_fields(ports, principal, ApiKey),
        name=name,
        role=role,
        expires_at=expires_at,
        secret_sha256=hash_secret(secret),
        workspace_name=principal.workspace_name,
    )
    return record, _to_token(record, secret)


def get(ports: Ports, principal: Principal, key_id: str) -> ApiKey:
    """Without the hash."""
    return _public(records.get(ports, ApiKeyRecord, principal.workspace_id, key_id))


def list_page(ports: Ports, principal: Principal, *, limit: int, start: str | None) -> tuple[list[ApiKey], str | None]:
    """The workspace's keys, newest first."""
    found, next_start = records.list_page(ports, ApiKeyRecord, principal.workspace_id, limit=limit, start=start)
    return [_public(record) for record in found], next_start


def revoke(ports: Ports, principal: Principal, key_id: str) -> None:
    """Ends a key at once; again: nothing more happens.

    Raises:
        ConflictError: it is the last admin key that works without an end; nobody could make another.
    """
    for _ in range(_MAX_ATTEMPTS):
        record = records.get(ports, ApiKeyRecord, principal.workspace_id, key_id)
        if record.revoked_at is not None:
            return
        also = []
        if _is_lasting_admin(record):
            # NOTE: the other key is part of the transaction: two admins who revoke each other's key cannot both win.
            other = _other_lasting_admin(ports, record)
            also.append(Check(key=keys.row(other.workspace_id, other.resource, other.id), expected=other.revision))
        try:
            records.save(
                ports,
                record,
                principal=principal,
                action="api_key.revoke",
                also=also,
                revoked_at=ports.clock(),
            )
        except (StaleRevisionError, WriteConflictError):
            continue
        return
    raise ConflictError("The keys of this workspace change too quickly. Try again.")


def rotate(ports: Ports, principal: Principal, key_id: str, request: ApiKeyRotate) -> ApiKeyCreated:
    """Another secret of the same key. The one before holds on for the overlap; one that it still overlapped ends now.

    Raises:
        ConflictError: the key has ended.
    """
    record, now = records.get(ports, ApiKeyRecord, principal.workspace_id, key_id), ports.clock()
    if not _is_live(record, now=now):
        raise ConflictError("The key has expired or was revoked. Make another one.")
    secret = new_secret()
    overlaps = request.overlap_seconds > 0
    changed = records.save(
        ports,
        record,
        principal=principal,
        action="api_key.rotate",
        secret_sha256=hash_secret(secret),
        former_secret_sha256=record.secret_sha256 if overlaps else None,
        former_secret_until=now + timedelta(seconds=request.overlap_seconds) if overlaps else None,
        rotated_at=now,
    )
    return ApiKeyCreated(**_public(changed).model_dump(), secret=_to_token(changed, secret))


def authenticate(ports: Ports, token: str) -> Principal:
    """Whom a token stands for, by one read.

    Raises:
        UnauthenticatedError: always with the same words, whatever is wrong with it.
    """
    parsed = parse_token(TokenKind.API_KEY, token)
    row = None
    if parsed is not None:
        row = ports.registry.get(keys.row(parsed.workspace_id, ApiKey.resource, parsed.record_id))
    record = None if row is None else ApiKeyRecord.model_validate(row.data)
    # NOTE: compares also where there is no such key, so that both take the same time.
    is_right = _is_right(record, parsed.secret if parsed else "", now=ports.clock())
    if record is None or not is_right:
        raise UnauthenticatedError(_REFUSED)
    return to_principal(ports, record)


def to_principal(ports: Ports, record: ApiKeyRecord) -> Principal:
    """Whom a key stands for, if it still holds. Raises UnauthenticatedError."""
    if not _is_live(record, now=ports.clock()):
        raise UnauthenticatedError(_REFUSED)
    return Principal(
        workspace_id=record.workspace_id,
        workspace_name=record.workspace_name,
        actor=record.id,
        actor_name=record.name,
        role=record.role,
        max_requests_per_second=record.max_requests_per_second,
        max_requests_per_day=record.max_requests_per_day,
    )


def _is_right(record: ApiKeyRecord | None, secret: str, *, now: datetime) -> bool:
    nothing = hash_secret("no key")
    is_present = is_secret(secret, secret_sha256=record.secret_sha256 if record else nothing)
    former = record.former_secret_sha256 if record else None
    holds = record is not None and record.former_secret_until is not None and now < record.former_secret_until
    is_former = is_secret(secret, secret_sha256=former or nothing)
    return is_present or (holds and is_former)


def _to_token(record: ApiKeyRecord, secret: str) -> str:
    return format_token(TokenKind.API_KEY, workspace_id=record.workspace_id, record_id=record.id, secret=secret)


def _is_live(record: ApiKeyRecord, *, now: datetime) -> bool:
    return record.revoked_at is None and (record.expires_at is None or record.expires_at > now)


def _is_lasting_admin(record: ApiKeyRecord) -> bool:
    return record.role is Role.ADMIN and record.revoked_at is None and record.expires_at is None


def _other_lasting_admin(ports: Ports, record: ApiKeyRecord) -> ApiKeyRecord:
    for other in _all(ports, record.workspace_id):
        if other.id != record.id and _is_lasting_admin(other):
            return other
    raise ConflictError(
        "This is the workspace's last admin key without an expiry. Make another admin key first, then revoke this one."
    )


def _all(ports: Ports, workspace_id: str) -> Iterator[ApiKeyRecord]:
    start: str | None = None
    while True:
        found, start = records.list_page(ports, ApiKeyRecord, workspace_id, limit=_PAGE, start=start)
        yield from found
        if start is None:
            return


def _public(record: ApiKeyRecord) -> ApiKey:
    return ApiKey.model_validate(record.model_dump(exclude={"secret_sha256", "former_secret_sha256", "workspace_name"}))
