"""What every resource has in common: ids, names, revisions, pages and roles."""

import re
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from aimass_core.errors import InvalidRequestError

ID_PATTERN = r"^[a-z]{2,4}_[0-9a-f]{27}$"
NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_RANDOM_BITS = 64
_STEP_BITS = 32

Clock = Callable[[], datetime]
NewId = Callable[[str], str]


def utc_now() -> datetime:
    """The present time, aware, UTC."""
    return datetime.now(UTC)


class MonotonicIds:
    """Ids as ULIDs are made: each is greater than the one before, also within a millisecond and if the clock goes back.

    The steps within a millisecond are random, so that a forked process, which begins with the same last id, makes
    others.
    """

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self, prefix: str) -> str:
        """The next id: prefix, 11 hex digits of milliseconds, 64 random bits."""
        milliseconds = int(self._clock().timestamp() * 1000)
        with self._lock:
            if milliseconds > self._last >> _RANDOM_BITS:
                self._last = milliseconds << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
            else:
                # NOTE: a random part that is full runs over into the time, so the order holds even then.
                self._last += 1 + secrets.randbits(_STEP_BITS)
            return f"{prefix}_{self._last:027x}"


new_id = MonotonicIds()


def first_id_at(prefix: str, at: datetime) -> str:
    """What the ids of things that were made from this moment on are not smaller than."""
    return f"{prefix}_{int(at.timestamp() * 1000) << _RANDOM_BITS:027x}"


def is_id(text: str) -> bool:
    """Whether the text has the form of an id (a name never has it)."""
    return re.fullmatch(ID_PATTERN, text) is not None


def _refuse_id_shape(name: str) -> str:
    if is_id(name):
        raise ValueError("a name must not have the form of an id")
    return name


Id = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN), AfterValidator(_refuse_id_shape)]
Text = Annotated[str, StringConstraints(max_length=1_000)]


class Contract(BaseModel):
    """What the API answers. Readers ignore fields that they do not know, so old clients keep working."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, defer_build=True)


class Request(BaseModel):
    """What the API accepts. Unknown fields, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class Role(StrEnum):
    """What a key or a user may do; each role includes those before it."""

    VIEWER = "viewer"
    COLLECTOR = "collector"
    DEVELOPER = "developer"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do all that the other may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Channel(StrEnum):
    """Through what somebody asked, as their client says; nobody's word but theirs."""

    CONSOLE = "console"
    CLI = "cli"
    SDK = "sdk"
    HTTP = "http"
    PLATFORM = "platform"


class Origin(Contract):
    """Where a request came from."""

    channel: Channel
    source_ip: str | None = None
    user_agent: str | None = Field(default=None, description="As the client named itself, cut to 200 characters.")
    request_id: str | None = Field(default=None, description="It finds the request's log lines: GET /v1/logs.")


class Principal(Contract):
    """Who is asking: resolved by the authorizer, never taken from the body."""

    workspace_id: str
    workspace_name: str
    actor: str = Field(description="The id of the user or API key, or the name of the part of the platform that acts.")
    actor_name: str | None = Field(default=None, description="The user's e-mail address, or the API key's name.")
    role: Role
    session_id: str | None = Field(default=None, description="Null: an API key asks by itself.")
    subject: str | None = Field(default=None, description="Of a user: who they are in all of their workspaces.")
    max_requests_per_second: float | None = Field(default=None, description="Of predictions. Null: no limit.")
    max_requests_per_day: int | None = None
    # For the audit trail; not a part of who somebody is.
    origin: Origin | None = Field(default=None, exclude=True)
    # What makes a repeated request the same one, where its client said so (Idempotency-Key).
    request: str | None = Field(default=None, exclude=True)


class Resource(Contract):
    """A stored thing with an address. `revision` counts its changes and is its ETag."""

    resource: ClassVar[str]
    prefix: ClassVar[str]

    id: str
    workspace_id: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    created_by: str
    revision: int = Field(default=1, ge=1)


ItemT = TypeVar("ItemT", bound=BaseModel)


class Page(Contract, Generic[ItemT]):
    """A part of a list; `next_cursor` is null on the last page."""

    items: list[ItemT]
    next_cursor: str | None = None


JsonScalar = str | int | float | bool | None


class Problem(Contract):
    """An error as RFC 9457 writes it (application/problem+json)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: list[dict[str, Any]] = []


def split_ref(ref: str) -> tuple[str, int | None]:
    """`adult@3` -> ("adult", 3); `adult` -> ("adult", None), which means the latest version."""
    name, at, version = ref.partition("@")
    if not at:
        return name, None
    if not version.isdecimal() or int(version) < 1:
        raise InvalidRequestError(f"{ref!r} is not a reference: write name or name@version, such as adult@3")
    return name, int(version)


VersionRef = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}(@[1-9][0-9]{0,8})?$"),
    Field(examples=["adult", "adult@3"]),
]
