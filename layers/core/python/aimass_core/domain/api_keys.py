"""API keys: shown once, stored as a hash, bound to one workspace and one role."""

import hashlib
import hmac
import re
import secrets
from typing import ClassVar

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract, Request, Resource, Role, Text

_TOKEN = re.compile(r"aim_([0-9a-f]{27})_([0-9a-f]{27})_([A-Za-z0-9_-]{43})")


class ApiKey(Resource):
    """A credential's public half. The secret itself is never stored."""

    resource: ClassVar[str] = "api_key"
    prefix: ClassVar[str] = "key"

    name: str
    role: Role
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    max_requests_per_second: float | None = Field(default=None, description="Of predictions. Null: no limit.")
    max_requests_per_day: int | None = None


class ApiKeyRecord(ApiKey):
    """As stored: with the secret's SHA-256 (it has 256 random bits, so a slow hash adds nothing).

    The workspace's name, which never changes, is kept here so that checking a token is one read.
    """

    secret_sha256: str
    workspace_name: str


class ApiKeyCreate(Request):
    """Body of POST /v1/api-keys."""

    name: Text = Field(min_length=1)
    role: Role
    expires_at: AwareDatetime | None = None
    max_requests_per_second: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="Of predictions, as a mean of ten seconds; above it they are answered 429. Null: no limit.",
    )
    max_requests_per_day: int | None = Field(default=None, ge=1, description="Of predictions, from midnight UTC on.")


class ApiKeyCreated(ApiKey):
    """The only answer that ever carries the secret."""

    secret: str


class ParsedToken(Contract):
    """A bearer token taken apart."""

    workspace_id: str
    key_id: str
    secret: str


def new_secret() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def format_token(*, workspace_id: str, key_id: str, secret: str) -> str:
    """The bearer token: it names its workspace and its key, so checking it is one read."""
    return f"aim_{workspace_id.partition('_')[2]}_{key_id.partition('_')[2]}_{secret}"


def parse_token(token: str) -> ParsedToken | None:
    """The token's parts, or None where it does not have the form of one."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    return ParsedToken(workspace_id=f"ws_{match[1]}", key_id=f"key_{match[2]}", secret=match[3])


def hash_secret(secret: str) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(secret: str, *, secret_sha256: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(hash_secret(secret), secret_sha256)
