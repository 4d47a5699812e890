"""Accounts in a Cognito user pool: `Username` is their e-mail address, and Cognito's own id of them after that."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.adapters.identity_keys import CachedKeys, Keys
from aimass_core.errors import InvalidRequestError, NewPasswordRequiredError, UnauthenticatedError, UnavailableError
from aimass_core.ports import AccountExistsError, IdentityTokens

_WHAT = "the user pool"
_FETCH_SECONDS = 3
_MAX_KEYS_BYTES = 64 * 1024
_WRONG = frozenset(
    {
        "NotAuthorizedException",
        "UserNotFoundException",
        "UserNotConfirmedException",
        "PasswordResetRequiredException",
        "InvalidParameterException",
    }
)


class CognitoIdentity:
    """Satisfies `Identity`. The app client has no secret and takes passwords from whoever has the right by IAM."""

    def __init__(self, client: Any, *, user_pool_id: str, client_id: str) -> None:
        self._client, self._pool, self._client_id = client, user_pool_id, client_id
        self._keys = CachedKeys(self._fetch_keys)

    @property
    def issuer(self) -> str:
        """See Identity. NOTE: it is AWS's address wherever the pool is served."""
        return f"https://cognito-idp.{self._pool.partition('_')[0]}.amazonaws.com/{self._pool}"

    @property
    def client_id(self) -> str:
        """See Identity."""
        return self._client_id

    def keys(self, *, fresh: bool = False) -> Keys:
        """See Identity."""
        return self._keys.get(fresh=fresh)

    def create(self, email: str, password: str) -> str:
        """See Identity."""
        try:
            made = self._client.admin_create_user(
                UserPoolId=self._pool,
                Username=email,
                UserAttributes=[{"Name": "email", "Value": email}],
                MessageAction="SUPPRESS",
            )
        except AWS_ERRORS as error:
            if code_of(error) == "UsernameExistsException":
                raise AccountExistsError from _without_text(error)
            raise _to_error(error) from _without_text(error)
        subject = _subject(made["User"]["Attributes"])
        self.set_password(subject, password)
        return subject

    def find(self, email: str) -> str | None:
        """See Identity."""
        try:
            found = self._client.admin_get_user(UserPoolId=self._pool, Username=email)
        except AWS_ERRORS as error:
            if code_of(error) == "UserNotFoundException":
                return None
            raise _to_error(error) from error
        return _subject(found["UserAttributes"])

    def set_password(self, subject: str, password: str) -> None:
        """See Identity."""
        try:
            self._client.admin_set_user_password(
                UserPoolId=self._pool, Username=subject, Password=password, Permanent=True
            )
        except AWS_ERRORS as error:
            raise _to_error(error) from _without_text(error)

    def delete(self, subject: str) -> None:
        """See Identity."""
        try:
            self._client.admin_delete_user(UserPoolId=self._pool, Username=subject)
        except AWS_ERRORS as error:
            if code_of(error) != "UserNotFoundException":
                raise _to_error(error) from error

    def sign_in(self, email: str, password: str, *, new_password: str | None = None) -> IdentityTokens:
        """See Identity."""
        answer = self._ask("ADMIN_USER_PASSWORD_AUTH", {"USERNAME": email, "PASSWORD": password})
        if answer.get("ChallengeName") != "NEW_PASSWORD_REQUIRED":
            return _to_tokens(answer)
        if new_password is None:
            raise NewPasswordRequiredError("This password holds for one sign-in. Send `new_password` beside it.")
        try:
            answer = self._client.admin_respond_to_auth_challenge(
                UserPoolId=self._pool,
                ClientId=self._client_id,
                ChallengeName="NEW_PASSWORD_REQUIRED",
                Session=answer["Session"],
                ChallengeResponses={"USERNAME": email, "NEW_PASSWORD": new_password},
            )
        except AWS_ERRORS as error:
            raise _to_error(error) from _without_text(error)
        return _to_tokens(answer)

    def refresh(self, refresh_token: str) -> IdentityTokens:
        """See Identity."""
        answer = self._ask("REFRESH_TOKEN_AUTH", {"REFRESH_TOKEN": refresh_token})
        return _to_tokens(answer, refresh_token=refresh_token)

    def _ask(self, flow: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = self._client.admin_initiate_auth(
                UserPoolId=self._pool, ClientId=self._client_id, AuthFlow=flow, AuthParameters=dict(parameters)
            )
        except AWS_ERRORS as error:
            if code_of(error) in _WRONG:
                raise UnauthenticatedError("The e-mail address or the password is not right.") from _without_text(error)
            raise _to_error(error) from _without_text(error)
        return answer

    def _fetch_keys(self) -> Mapping[str, Any]:
        """From where the client asks for everything else: no address is ever taken from a token."""
        url = f"{self._client.meta.endpoint_url}/{self._pool}/.well-known/jwks.json"
        try:
            with urllib.request.urlopen(url, timeout=_FETCH_SECONDS) as answer:  # noqa: S310 - an endpoint of AWS
                found: Mapping[str, Any] = json.loads(answer.read(_MAX_KEYS_BYTES))
        except (OSError, ValueError) as error:
            raise UnavailableError("The keys of the user pool cannot be read. Try again.") from error
        return found


def _to_tokens(answer: Mapping[str, Any], *, refresh_token: str | None = None) -> IdentityTokens:
    given = answer.get("AuthenticationResult")
    if given is None:
        # A further challenge, such as a second factor that somebody has set up in the pool.
        raise UnauthenticatedError(f"The account asks for {answer.get('ChallengeName')}, which is not taken here.")
    return IdentityTokens(
        access_token=given["AccessToken"],
        refresh_token=given.get("RefreshToken") or str(refresh_token),
        expires_in=int(given["ExpiresIn"]),
    )


def _subject(attributes: Any) -> str:
    return next(str(each["Value"]) for each in attributes if each["Name"] == "sub")


def _to_error(error: Exception) -> Exception:
    if code_of(error) == "InvalidPasswordException":
        return InvalidRequestError(
            "The password is too simple: at least 12 characters, with small and capital letters and digits."
        )
    return to_error(error, what=_WHAT)


def _without_text(error: Exception) -> Exception:
    """Without the cause's own text, which may hold the request, and so a password."""
    return Exception(code_of(error) or type(error).__name__)
