"""/v1/users."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.users import User, UserInvite, UserInvited, UserUpdate
from aimass_core.lambda_support import http
from aimass_core.services import users
from functions.api import request
from functions.api.request import Cursor, Id, IfMatch, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("users")


@router.operation("GET", "/v1/users", role=Role.ADMIN, summary="List users")
def list_users(limit: Limit = 50, cursor: Cursor = None) -> Page[User]:
    """Who may sign in to this workspace, and who is invited; newest first."""
    return request.page_of(
        router, lambda start: users.list_page(router.ports, router.caller, limit=limit, start=start), cursor=cursor
    )


@router.operation(
    "POST",
    "/v1/users",
    role=Role.ADMIN,
    summary="Invite a user",
    status=201,
    idempotent=True,
    stores_answer=False,
)
def invite_user(body: UserInvite) -> Response[UserInvited]:
    """The invitation holds for a week. Where the deployment has an address to send e-mail from, the person gets it as a
    link (`is_mailed`); else hand it over: it is in this answer and nowhere else, ever."""
    made = users.invite(router.ports, router.caller, body, console_url=_console_url())
    return request.created(made, location=f"/v1/users/{made.id}")


@router.operation("GET", "/v1/users/<user>", role=Role.ADMIN, summary="Read a user")
def get_user(user: Id) -> Response[User]:
    """One user."""
    return request.found(users.get(router.ports, router.caller, user))


@router.operation("PATCH", "/v1/users/<user>", role=Role.ADMIN, summary="Change a user")
def update_user(user: Id, body: UserUpdate, if_match: IfMatch = None) -> Response[User]:
    """The role and the name. A role holds from the user's next request on. The last admin stays one."""
    revision = request.revision_of(if_match)
    return request.found(users.update(router.ports, router.caller, user, body, revision=revision))


@router.operation("DELETE", "/v1/users/<user>", role=Role.ADMIN, summary="Remove a user", status=204)
def remove_user(user: Id) -> Response[None]:
    """Out with the next request. The last admin stays, unless an admin's key removes them."""
    users.remove(router.ports, router.caller, user)
    return request.no_content()


@router.operation(
    "POST",
    "/v1/users/<user>/invitation",
    role=Role.ADMIN,
    summary="Invite a user again",
    status=201,
    idempotent=True,
    stores_answer=False,
)
def invite_user_again(user: Id) -> Response[UserInvited]:
    """Another invitation for one who has not accepted yet; the one before holds no longer."""
    made = users.invite_again(router.ports, router.caller, user, console_url=_console_url())
    return request.created(made, location=f"/v1/users/{made.id}")


def _console_url() -> str | None:
    return http.console_url_of(router.current_event.raw_event)
