"""Signing in and out: by password, by an invitation, by a code; and going on."""

from urllib.parse import quote, urlencode

from aimass_core.domain.common import Principal
from aimass_core.domain.sessions import (
    PasswordChange,
    SecondFactor,
    SecondFactorConfirmation,
    SecondFactorCreate,
    SecondFactorRemoval,
    SessionCreate,
    SessionTokens,
)
from aimass_core.domain.tokens import TokenKind
from aimass_core.domain.users import Person
from aimass_core.errors import (
    ConflictError,
    PermissionDeniedError,
    SecondFactorRequiredError,
    UnauthenticatedError,
    UnavailableError,
)
from aimass_core.ports import IdentityTokens, Ports, WriteConflictError
from aimass_core.services import authentication, identity_tokens, people, records, sessions, sign_ins, users
from aimass_core.services.identity_tokens import Claims

_MAX_ATTEMPTS = 5
_ISSUER = "AI Mass"
_NO_PLACE = "The e-mail address or the password is not right."


def create(ports: Ports, request: SessionCreate, *, address: str) -> SessionTokens:
    """A session. `address` is where the request comes from; guesses are counted by it.

    Raises:
        UnauthenticatedError: always with the same words, whatever is wrong.
        QuotaExceededError: it was tried too often.
        NewPasswordRequiredError: the password is to be changed first.
        SecondFactorRequiredError: its code has to come too.
    """
    if request.code is not None:
        return sessions.redeem(ports, request.code)
    password = str(request.password)
    if request.invitation is not None:
        # NOTE: a code of a second factor works once, so that who has an account is signed in by accepting.
        given = users.accept(ports, request.invitation, password, address=address, second_factor=request.second_factor)
    else:
        email = str(request.email)
        sign_ins.count(ports, account=email, address=address)
        given = ports.identity.sign_in(
            email, password, new_password=request.new_password, second_factor=request.second_factor
        )
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
        SecondFactorRequiredError: its code has to come too.
        InvalidRequestError: the new one is not one that may be chosen.
    """
    subject = _prove(ports, principal, request.password, address=address, second_factor=request.second_factor)
    ports.identity.set_password(subject, request.new_password)
    ports.registry.write(records.audit(ports, principal, "user.password", users.get_record(ports, principal)))


def begin_second_factor(
    ports: Ports, principal: Principal, request: SecondFactorCreate, *, access_token: str, address: str
) -> SecondFactor:
    """A secret for a person's authenticator, which nothing asks for before it is confirmed.

    Raises:
        ConflictError: an API key asks, or there is one already.
        PermissionDeniedError: the password is not right.
    """
    try:
        _prove(ports, principal, request.password, address=address)
    except SecondFactorRequiredError as error:
        raise ConflictError(
            "The account has a second factor. Remove it first, by its code: POST /v1/me/second-factor/removal."
        ) from error
    secret = ports.identity.begin_second_factor(access_token)
    query = urlencode({"secret": secret, "issuer": _ISSUER}, quote_via=quote)
    label = quote(f"{_ISSUER}:{principal.actor_name}")
    return SecondFactor(secret=secret, uri=f"otpauth://totp/{label}?{query}")


def confirm_second_factor(
    ports: Ports, principal: Principal, request: SecondFactorConfirmation, *, access_token: str, address: str
) -> None:
    """Signing in asks for it from now on; sessions go on. Raises ConflictError, InvalidRequestError."""
    subject, email = _require_person(principal)
    sign_ins.count(ports, account=email, address=address)
    ports.identity.confirm_second_factor(subject, access_token, request.code)
    user = users.get_record(ports, principal)
    ports.registry.write(records.audit(ports, principal, "user.second_factor.create", user))


def end_second_factor(ports: Ports, principal: Principal, request: SecondFactorRemoval, *, address: str) -> None:
    """By password and code. Raises ConflictError, PermissionDeniedError."""
    subject = _prove(ports, principal, request.password, address=address, second_factor=request.code)
    ports.identity.end_second_factor(subject)
    user = users.get_record(ports, principal)
    ports.registry.write(records.audit(ports, principal, "user.second_factor.delete", user))


def _prove(ports: Ports, principal: Principal, password: str, *, address: str, second_factor: str | None = None) -> str:
    """Who asks is who knows the password, and not only whoever has got hold of their session. Returns the subject."""
    subject, email = _require_person(principal)
    sign_ins.count(ports, account=email, address=address)
    try:
        ports.identity.sign_in(email, password, second_factor=second_factor)
    except UnauthenticatedError as error:
        # NOTE: 401 would tell the client that its session has ended.
        raise PermissionDeniedError(
            "The present password is not right." if second_factor is None else f"This is refused: {error.message}"
        ) from error
    return subject


def _require_person(principal: Principal) -> tuple[str, str]:
    if principal.subject is None or principal.actor_name is None:
        raise ConflictError(
            "An API key has no password and no second factor. POST /v1/api-keys/{id}/rotate gives it another secret."
        )
    return principal.subject, principal.actor_name


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
