"""Signing in and out: by password, by an invitation, by a code; and going on."""

from aimass_core.domain.common import Principal
from aimass_core.domain.sessions import PasswordChange, SessionCreate, SessionTokens
from aimass_core.domain.tokens import TokenKind
from aimass_core.domain.users import Person
from aimass_core.errors import ConflictError, PermissionDeniedError, UnauthenticatedError, UnavailableError
from aimass_core.ports import IdentityTokens, Ports, WriteConflictError
from aimass_core.services import authentication, identity_tokens, people, records, sessions, sign_ins, users
from aimass_core.services.identity_tokens import Claims

_MAX_ATTEMPTS = 5
_NO_PLACE = "The e-mail address or the password is not right."


def create(ports: Ports, request: SessionCreate, *, address: str) -> SessionTokens:
    """A session. `address` is where the request comes from; guesses are counted by it.

    Raises:
        UnauthenticatedError: always with the same words, whatever is wrong.
        QuotaExceededError: it was tried too often.
        NewPasswordRequiredError: the password is to be changed first.
    """
    if request.code is not None:
        return sessions.redeem(ports, request.code)
    password = str(request.password)
    if request.invitation is not None:
        email = users.accept(ports, request.invitation, password, address=address)
    else:
        email = str(request.email)
        sign_ins.count(ports, account=email, address=address)
    given = ports.identity.sign_in(email, password, new_password=request.new_password)
    _open(ports, given)
    return _to_tokens(given)


def refresh(ports: Ports, refresh_token: str) -> SessionTokens:
    """Another access token of a session that goes on. Raises UnauthenticatedError."""
    if refresh_token.startswith(f"{TokenKind.REFRESH}_"):
        return sessions.refresh(ports, refresh_token)
    given = ports.identity.refresh(refresh_token)
    claims = identity_tokens.claims_of(given)
    # Whoever was removed, or has signed out, gets none.
    authentication.authenticate_person(ports, claims, workspace_id=None)
    return _to_tokens(given)


def change_password(ports: Ports, principal: Principal, request: PasswordChange, *, address: str) -> None:
    """Of a person, by the one that they have.

    Raises:
        ConflictError: an API key, which has none, asks.
        PermissionDeniedError: the present password is not right.
        InvalidRequestError: the new one is not one that may be chosen.
    """
    if principal.subject is None or principal.actor_name is None:
        raise ConflictError("An API key has no password. POST /v1/api-keys/{id}/rotate gives it another secret.")
    sign_ins.count(ports, account=principal.actor_name, address=address)
    try:
        ports.identity.sign_in(principal.actor_name, request.password)
    except UnauthenticatedError as error:
        # NOTE: 401 would tell the client that its session has ended.
        raise PermissionDeniedError("The present password is not right.") from error
    ports.identity.set_password(principal.subject, request.new_password)
    ports.registry.write(records.audit(ports, principal, "user.password", users.get_record(ports, principal)))


def end(ports: Ports, principal: Principal) -> None:
    """Ends the session that asks, with all its tokens. Raises ConflictError for an API key, which is none."""
    if principal.session_id is None:
        raise ConflictError("An API key is not a session. DELETE /v1/api-keys/{id} ends a key.")
    if principal.subject is None:
        sessions.end(ports, principal, principal.session_id)
        return
    _end_of_person(ports, principal, principal.subject, principal.session_id)


def _end_of_person(ports: Ports, principal: Principal, subject: str, session_id: str) -> None:
    now = ports.clock()

    def change(person: Person) -> Person:
        # So long the provider's refresh token could bring it back.
        known = {each: until for each, until in person.ended.items() if until > now}
        return person.model_copy(update={"ended": {**known, session_id: now + sessions.SESSION + sessions.ACCESS}})

    for _ in range(_MAX_ATTEMPTS):
        try:
            user = users.get_record(ports, principal)
            audit = records.audit(ports, principal, "session.end", user)
            ports.registry.write(people.write(ports, subject, change), audit)
        except WriteConflictError:
            continue
        return
    raise UnavailableError("The session could not be ended. Try again.")


def _open(ports: Ports, given: IdentityTokens) -> Claims:
    """Notes the sign-in where the person belongs. Who belongs nowhere is told what a wrong password is told."""
    claims = identity_tokens.claims_of(given)
    try:
        principal = authentication.authenticate_person(ports, claims, workspace_id=None)
    except UnauthenticatedError as error:
        raise UnauthenticatedError(_NO_PLACE) from error
    user = users.get_record(ports, principal)
    ports.registry.write(records.audit(ports, principal, "session.create", user))
    return claims


def _to_tokens(given: IdentityTokens) -> SessionTokens:
    return SessionTokens(
        access_token=given.access_token,
        refresh_token=given.refresh_token,
        expires_in=given.expires_in,
    )
