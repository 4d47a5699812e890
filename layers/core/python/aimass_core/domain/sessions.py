"""Sessions: what a person's browser holds, for a short time."""

from typing import Annotated, ClassVar, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from aimass_core.domain.common import Contract, Request, Resource, Role
from aimass_core.domain.users import Email, Password

SecondFactorCode = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{6}$"),
    Field(description="The present code of the authenticator, where the account has a second factor."),
]
_WAYS = "Send `email` and `password`, or `invitation` and `password`, or `code`"


class SessionCreate(Request):
    """Body of POST /v1/sessions: `email` and `password`, or `invitation` and `password`, or `code` alone."""

    email: Email | None = None
    password: Password | None = None
    new_password: Password | None = Field(
        default=None, description="Where the answer to `email` and `password` was `new_password_required`."
    )
    second_factor: SecondFactorCode | None = Field(
        default=None, description="Where the answer to the password was `second_factor_required`."
    )
    invitation: str | None = Field(
        default=None, max_length=512, description="Of POST /v1/users. Who has no account yet chooses its password here."
    )
    code: str | None = Field(default=None, max_length=512, description="Of POST /v1/sessions/codes; works once.")

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        given = {name for name in type(self).model_fields if getattr(self, name) is not None}
        beside = {"second_factor"} if self.password is not None else set()
        if given - beside not in (
            {"email", "password"},
            {"email", "password", "new_password"},
            {"invitation", "password"},
            {"code"},
        ):
            raise ValueError(f"{_WAYS}; nothing else together.")
        return self


class SessionRefresh(Request):
    """Body of POST /v1/sessions/refresh."""

    refresh_token: str = Field(min_length=1, max_length=8_192)


class PasswordChange(Request):
    """Body of POST /v1/me/password."""

    password: Password
    new_password: Password
    second_factor: SecondFactorCode | None = None


class SecondFactorCreate(Request):
    """Body of POST /v1/me/second-factor."""

    password: Password


class SecondFactor(Contract):
    """For an authenticator, and nowhere else: whoever has it makes the codes. Confirm it by the first one."""

    secret: str = Field(description="Base32; TOTP as of RFC 6238: SHA-1, six digits, 30 seconds.")
    uri: str = Field(description="The same as `otpauth://totp/...`, which authenticators read as a QR code.")


class SecondFactorConfirmation(Request):
    """Body of POST /v1/me/second-factor/confirmation."""

    code: SecondFactorCode


class SecondFactorRemoval(Request):
    """Body of POST /v1/me/second-factor/removal."""

    password: Password
    code: SecondFactorCode


class SessionTokens(Contract):
    """What a client sends from now on (`Authorization: Bearer <access_token>`), and what renews it."""

    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - the word of RFC 6750
    expires_in: int = Field(description="Seconds that the access token holds. Refresh before.")


class SessionCode(Contract):
    """A code that becomes a session once, within a minute."""

    code: str
    expires_at: AwareDatetime


class SessionCodeRecord(Resource):
    """As stored: `created_by` is the API key that asked for it, whose role the session will have."""

    resource: ClassVar[str] = "session_code"
    prefix: ClassVar[str] = "cod"

    secret_sha256: str
    expires_at: AwareDatetime
    forgotten_at: AwareDatetime
    session_id: str | None = Field(default=None, description="What it became.")


class AccessToken(Contract):
    """One that still holds."""

    secret_sha256: str
    expires_at: AwareDatetime


class SessionRecord(Resource):
    """A session that an API key stands behind: it ends with the key."""

    resource: ClassVar[str] = "session"
    prefix: ClassVar[str] = "ses"

    key_id: str
    role: Role
    refresh_sha256: str
    access: list[AccessToken]
    ends_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    forgotten_at: AwareDatetime
