"""/v1/sessions: signing in, going on, signing out."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Role
from aimass_core.domain.sessions import (
    PasswordChange,
    SecondFactor,
    SecondFactorConfirmation,
    SecondFactorCreate,
    SecondFactorRemoval,
    SessionCode,
    SessionCreate,
    SessionRefresh,
    SessionTokens,
)
from aimass_core.lambda_support import http
from aimass_core.services import sessions, sign_in
from functions.api import request
from functions.api.routing import ResourceRouter

router = ResourceRouter("sessions")


@router.operation("POST", "/v1/sessions", role=None, summary="Sign in", status=201)
def create_session(body: SessionCreate) -> Response[SessionTokens]:
    """By `email` and `password`; by `invitation` and `password`, which is chosen then; or by a `code`. Beside a
    password comes `second_factor`, where the account has one.

    Who belongs to several workspaces names one in the header X-Aimass-Workspace of every request; without it the first
    that they joined is meant.
    """
    return request.made(sign_in.create(router.ports, body, address=_address()))


@router.operation("POST", "/v1/sessions/refresh", role=None, summary="Go on with a session", status=201)
def refresh_session(body: SessionRefresh) -> Response[SessionTokens]:
    """Another access token. The refresh token stays; a session ends after twelve hours."""
    return request.made(sign_in.refresh(router.ports, body.refresh_token))


@router.operation("POST", "/v1/sessions/codes", role=Role.VIEWER, summary="Make a code for a session", status=201)
def create_session_code() -> Response[SessionCode]:
    """It opens `<console>/#code=...` once, within a minute, with the role of the API key that asks."""
    return request.made(sessions.create_code(router.ports, router.caller))


@router.operation("DELETE", "/v1/sessions/current", role=Role.VIEWER, summary="Sign out", status=204)
def end_session() -> Response[None]:
    """Ends the session that asks, at once, with all its tokens."""
    sign_in.end(router.ports, router.caller)
    return request.no_content()


@router.operation("POST", "/v1/me/password", role=Role.VIEWER, summary="Change one's password", status=204)
def change_password(body: PasswordChange) -> Response[None]:
    """Of a person who has signed in, by the one that they have. Sessions go on."""
    sign_in.change_password(router.ports, router.caller, body, address=_address())
    return request.no_content()


@router.operation("POST", "/v1/me/second-factor", role=Role.VIEWER, summary="Begin a second factor", status=201)
def begin_second_factor(body: SecondFactorCreate) -> Response[SecondFactor]:
    """The secret of an authenticator, for a person who has signed in, by their password. Signing in asks for it once it
    is confirmed."""
    begun = sign_in.begin_second_factor(
        router.ports, router.caller, body, access_token=_access_token(), address=_address()
    )
    return request.made(begun)


@router.operation(
    "POST", "/v1/me/second-factor/confirmation", role=Role.VIEWER, summary="Confirm a second factor", status=204
)
def confirm_second_factor(body: SecondFactorConfirmation) -> Response[None]:
    """By a code that the authenticator shows. Sessions go on."""
    sign_in.confirm_second_factor(router.ports, router.caller, body, access_token=_access_token(), address=_address())
    return request.no_content()


@router.operation(
    "POST", "/v1/me/second-factor/removal", role=Role.VIEWER, summary="Remove a second factor", status=204
)
def end_second_factor(body: SecondFactorRemoval) -> Response[None]:
    """By the password and a code. Who has lost the authenticator is removed and invited again by an admin."""
    sign_in.end_second_factor(router.ports, router.caller, body, address=_address())
    return request.no_content()


def _address() -> str:
    return http.source_ip_of(router.current_event.raw_event)


def _access_token() -> str:
    """Of a session, as the authorizer has found it good."""
    (header,) = http.header_values(router.current_event.raw_event, "authorization")
    return header.partition(" ")[2]
