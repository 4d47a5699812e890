"""Sessions that an API key stands behind: a code that lives a minute, what it becomes, and its end.

Those of people are the identity provider's, see `sign_in`.
"""

from datetime import datetime, timedelta

from aimass_core.domain import keys
from aimass_core.domain.api_keys import ApiKeyRecord
from aimass_core.domain.common import Principal
from aimass_core.domain.sessions import AccessToken, SessionCode, SessionCodeRecord, SessionRecord, SessionTokens
from aimass_core.domain.tokens import TokenKind, format_token, hash_secret, is_secret, new_secret, parse_token
from aimass_core.errors import (
    NotFoundError,
    PermissionDeniedError,
    StaleRevisionError,
    UnauthenticatedError,
    UnavailableError,
)
from aimass_core.ports import Ports, Put, WriteConflictError
from aimass_core.services import api_keys, records

# As the user pool has them (infra/cdk/components/user_pool.py); a test compares both.
ACCESS = timedelta(minutes=15)
SESSION = timedelta(hours=12)
CODE = timedelta(minutes=1)
_KEPT = timedelta(days=1)
_MAX_ATTEMPTS = 5
_MAX_HELD = 9
_REFUSED = "The code or session is unknown, used or expired. Sign in again."


def create_code(ports: Ports, principal: Principal) -> SessionCode:
    """A code that becomes a session with the role of the key that asks. Raises PermissionDeniedError for a session,
    which would else never end."""
    if principal.session_id is not None:
        raise PermissionDeniedError("Only an API key itself may ask for a code: a session would else go on for ever.")
    secret, now = new_secret(), ports.clock()
    record = SessionCodeRecord(
        **records.new_fields(ports, principal, SessionCodeRecord),
        secret_sha256=hash_secret(secret),
        expires_at=now + CODE,
        forgotten_at=now + _KEPT,
    )
    records.create(ports, principal, record)
    code = format_token(TokenKind.CODE, workspace_id=record.workspace_id, record_id=record.id, secret=secret)
    return SessionCode(code=code, expires_at=record.expires_at)


def redeem(ports: Ports, code: str) -> SessionTokens:
    """The session of a code, once. Raises UnauthenticatedError."""
    parsed = parse_token(TokenKind.CODE, code)
    row = None if parsed is None else ports.registry.get(_code_row(parsed.workspace_id, parsed.record_id))
    if parsed is None or row is None:
        raise UnauthenticatedError(_REFUSED)
    record, now = SessionCodeRecord.model_validate(row.data), ports.clock()
    is_right = is_secret(parsed.secret, secret_sha256=record.secret_sha256)
    if not is_right or record.session_id is not None or record.expires_at <= now:
        raise UnauthenticatedError(_REFUSED)
    principal = _principal(ports, record.workspace_id, record.created_by, session_id=None)
    refresh, access = new_secret(), new_secret()
    session = SessionRecord(
        **records.new_fields(ports, principal, SessionRecord),
        key_id=principal.actor,
        role=principal.role,
        refresh_sha256=hash_secret(refresh),
        access=[AccessToken(secret_sha256=hash_secret(access), expires_at=now + ACCESS)],
        ends_at=now + SESSION,
        forgotten_at=now + SESSION + _KEPT,
    )
    # NOTE: marked and not deleted: of two who delete a row at once, both may have done so.
    used = record.model_copy(update={"session_id": session.id, "revision": record.revision + 1, "updated_at": now})
    try:
        records.create(ports, principal, session, also=[Put(row=records.to_row(used), expected=record.revision)])
    except WriteConflictError as error:
        raise UnauthenticatedError(_REFUSED) from error
    return _tokens(session, access=access, refresh=refresh, now=now)


def refresh(ports: Ports, refresh_token: str) -> SessionTokens:
    """Another access token. Those before hold to their end, so that a second tab with them goes on."""
    parsed = parse_token(TokenKind.REFRESH, refresh_token)
    session = None if parsed is None else _find(ports, parsed.workspace_id, parsed.record_id)
    now = ports.clock()
    if parsed is None or session is None or not is_secret(parsed.secret, secret_sha256=session.refresh_sha256):
        raise UnauthenticatedError(_REFUSED)
    _require_live(session, now)
    _principal(ports, session.workspace_id, session.key_id, session_id=session.id)
    access = new_secret()

    def change(record: SessionRecord) -> dict[str, object]:
        _require_live(record, now)
        held = [each for each in record.access if each.expires_at > now]
        expires_at = min(now + ACCESS, record.ends_at)
        return {"access": [*held[-_MAX_HELD:], AccessToken(secret_sha256=hash_secret(access), expires_at=expires_at)]}

    session = records.update(ports, SessionRecord, session.workspace_id, session.id, change=change)
    return _tokens(session, access=access, refresh=parsed.secret, now=now)


def end(ports: Ports, principal: Principal, session_id: str) -> None:
    """At once, with all its tokens; again: nothing more happens."""
    for _ in range(_MAX_ATTEMPTS):
        session = records.get(ports, SessionRecord, principal.workspace_id, session_id)
        if session.ended_at is not None:
            return
        now = ports.clock()
        try:
            records.save(ports, session, principal=principal, action="session.end", ended_at=now, access=[])
        except StaleRevisionError:
            continue
        return
    raise UnavailableError("The session could not be ended. Try again.")


def authenticate(ports: Ports, token: str) -> Principal:
    """Whom an access token of a session stands for: its key, while that holds. Two reads.

    Raises UnauthenticatedError.
    """
    parsed = parse_token(TokenKind.SESSION, token)
    session = None if parsed is None else _find(ports, parsed.workspace_id, parsed.record_id)
    if parsed is None or session is None:
        raise UnauthenticatedError(_REFUSED)
    now = ports.clock()
    _require_live(session, now)
    held = (each for each in session.access if each.expires_at > now)
    if not any(is_secret(parsed.secret, secret_sha256=each.secret_sha256) for each in held):
        raise UnauthenticatedError(_REFUSED)
    return _principal(ports, session.workspace_id, session.key_id, session_id=session.id)


def _principal(ports: Ports, workspace_id: str, key_id: str, *, session_id: str | None) -> Principal:
    try:
        key = records.get(ports, ApiKeyRecord, workspace_id, key_id)
    except NotFoundError as error:
        raise UnauthenticatedError(_REFUSED) from error
    return api_keys.to_principal(ports, key).model_copy(update={"session_id": session_id})


def _require_live(session: SessionRecord, now: datetime) -> None:
    if session.ended_at is not None or session.ends_at <= now:
        raise UnauthenticatedError(_REFUSED)


def _find(ports: Ports, workspace_id: str, session_id: str) -> SessionRecord | None:
    row = ports.registry.get(keys.row(workspace_id, SessionRecord.resource, session_id))
    return None if row is None else SessionRecord.model_validate(row.data)


def _code_row(workspace_id: str, code_id: str) -> keys.RowKey:
    return keys.row(workspace_id, SessionCodeRecord.resource, code_id)


def _tokens(session: SessionRecord, *, access: str, refresh: str, now: datetime) -> SessionTokens:
    def token(kind: TokenKind, secret: str) -> str:
        return format_token(kind, workspace_id=session.workspace_id, record_id=session.id, secret=secret)

    return SessionTokens(
        access_token=token(TokenKind.SESSION, access),
        refresh_token=token(TokenKind.REFRESH, refresh),
        expires_in=int(min(ACCESS, session.ends_at - now).total_seconds()),
    )
