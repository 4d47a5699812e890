"""Whom a bearer token stands for: an API key, a session of one, or a person who has signed in."""

from aimass_core.domain.common import Principal
from aimass_core.domain.tokens import TokenKind
from aimass_core.domain.users import Person
from aimass_core.errors import UnauthenticatedError
from aimass_core.ports import Ports
from aimass_core.services import api_keys, identity_tokens, people, sessions
from aimass_core.services.identity_tokens import Claims

# One is longer than a key by far, and holds a kilobyte or two.
MAX_TOKEN_CHARACTERS = 4_096
_JWT_DOTS = 2


def authenticate(ports: Ports, token: str, *, workspace_id: str | None = None) -> Principal:
    """Who is asking, and in which workspace.

    Args:
        workspace_id: which one is meant, of a person who belongs to several. Default: the first that they joined.

    Raises:
        UnauthenticatedError: the credential does not hold, or not in that workspace.
    """
    if token.count(".") == _JWT_DOTS:
        return authenticate_person(ports, identity_tokens.verify(ports.identity, token), workspace_id=workspace_id)
    if token.startswith(f"{TokenKind.SESSION}_"):
        principal = sessions.authenticate(ports, token)
    else:
        principal = api_keys.authenticate(ports, token)
    if workspace_id not in (None, principal.workspace_id):
        raise UnauthenticatedError("An API key belongs to one workspace, and that is another one.")
    return principal


def authenticate_person(ports: Ports, claims: Claims, *, workspace_id: str | None) -> Principal:
    """By one read, strongly consistent: who was removed, or has signed out, is out with the next request."""
    person = people.find(ports, claims.subject)
    membership = None if person is None else person.membership(workspace_id)
    if person is None or membership is None or is_ended(person, claims):
        raise UnauthenticatedError("The session has ended, or its owner does not belong to this workspace.")
    return Principal(
        workspace_id=membership.workspace_id,
        workspace_name=membership.workspace_name,
        actor=membership.user_id,
        actor_name=person.email,
        role=membership.role,
        session_id=claims.session_id,
        subject=person.subject,
    )


def is_ended(person: Person, claims: Claims) -> bool:
    """Whether its owner has signed out of that session."""
    return claims.session_id in person.ended
