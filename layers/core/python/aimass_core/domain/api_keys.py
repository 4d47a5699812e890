"""API keys: shown once, stored as a hash, bound to one workspace and one role."""

from typing import ClassVar

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Request, Resource, Role, Text


class ApiKey(Resource):
    """A credential's public half. The secret itself is never stored."""

    resource: ClassVar[str] = "api_key"
    prefix: ClassVar[str] = "key"

    name: str
    role: Role
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    rotated_at: AwareDatetime | None = None
    former_secret_until: AwareDatetime | None = Field(default=None, description="So long the secret before holds too.")
    max_requests_per_second: float | None = Field(default=None, description="Of predictions. Null: no limit.")
    max_requests_per_day: int | None = None


class ApiKeyRecord(ApiKey):
    """As stored: with the secret's SHA-256, and while it holds that of the one before.

    The workspace's name, which never changes, is kept here so that checking a token is one read.
    """

    secret_sha256: str
    workspace_name: str
    former_secret_sha256: str | None = None


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


class ApiKeyRotate(Request):
    """Body of POST /v1/api-keys/{id}/rotate."""

    overlap_seconds: int = Field(
        default=86_400, ge=0, le=30 * 86_400, description="So long the former secret holds too. 0: not any more."
    )


class ApiKeyCreated(ApiKey):
    """The only answer that ever carries the secret."""

    secret: str
