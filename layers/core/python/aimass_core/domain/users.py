"""Users: people who may sign in, each by a membership in a workspace."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field, StringConstraints

from aimass_core.domain.common import Contract, Request, Resource, Role, Text

Email = Annotated[
    str,
    StringConstraints(
        to_lower=True,
        strip_whitespace=True,
        max_length=254,
        pattern=r"^[A-Za-z0-9.!$%&'*+/=?^_{}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$",
    ),
    Field(description="Where a person is written to, and what they sign in with.", examples=["ada@example.com"]),
]
Password = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class UserStatus(StrEnum):
    """INVITED until the invitation is accepted."""

    INVITED = "INVITED"
    ACTIVE = "ACTIVE"


class User(Resource):
    """A person in this workspace. In another one the same person is another user, with a role of its own."""

    resource: ClassVar[str] = "user"
    prefix: ClassVar[str] = "usr"

    email: str
    name: str = ""
    role: Role
    status: UserStatus
    invitation_expires_at: AwareDatetime | None = None
    joined_at: AwareDatetime | None = None


class UserRecord(User):
    """As stored. `subject` is the person's at the identity provider, once the invitation is accepted."""

    workspace_name: str
    subject: str | None = None
    invitation_sha256: str | None = None


class UserInvite(Request):
    """Body of POST /v1/users."""

    email: Email
    name: Text = ""
    role: Role


class UserInvited(User):
    """The only answer that ever carries the invitation: whoever has it may take the place, once."""

    invitation: str = Field(
        description="For the person alone: `<console>/#invitation=...` opens the console with it, where they choose a "
        "password, or give the one that they have."
    )
    is_mailed: bool = Field(default=False, description="SES has taken an e-mail with that address to the person.")
    mail_fault: str | None = Field(default=None, description="Why it has not: hand the invitation over yourself.")


class UserUpdate(Request):
    """Body of PATCH /v1/users/{id}. What is absent stays."""

    role: Role | None = None
    name: Text | None = None


class Membership(Contract):
    """A place of a person in a workspace."""

    workspace_id: str
    workspace_name: str
    user_id: str
    role: Role


class Person(Contract):
    """What an access token of the identity provider leads to, by one read: where its owner belongs, and which of their
    sessions were ended before their time."""

    subject: str
    email: str
    memberships: list[Membership] = []
    ended: dict[str, AwareDatetime] = Field(default={}, description="Sessions, and until when that must be known.")

    def membership(self, workspace_id: str | None) -> Membership | None:
        """The one in that workspace; without one: the first that they joined."""
        if workspace_id is None:
            return self.memberships[0] if self.memberships else None
        return next((each for each in self.memberships if each.workspace_id == workspace_id), None)
