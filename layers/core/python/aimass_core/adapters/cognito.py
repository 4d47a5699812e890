"""Accounts in a Cognito user pool: `Username` is their e-mail address, and Cognito's own id of them after that."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, to_error
from aimass_core.adapters.identity_keys import CachedKeys, Keys
from aimass_core.errors import (
    InvalidRequestError,
    NewPasswordRequiredError,
    SecondFactorRequiredError,
    UnauthenticatedError,
    UnavailableError,
)
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
_TOTP = "SOFTWARE_TOKEN_MFA"
_WRONG_CODES = frozenset({"CodeMismatchException", "EnableSoftwareTokenMFAException", "ExpiredCodeException"})
_WRONG_CODE = "The code of the second factor is not right, or was used already. Take the next one."


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

    def sign_in(
        self, email: str, password: str, *, new_password: str | None = None, second_factor: str | None = None
    ) -> IdentityTokens:
        """See Identity."""
        answer = self._ask("ADMIN_USER_PASSWORD_AUTH", {"USERNAME": email, "PASSWORD": password})
        if answer.get("ChallengeName") == "NEW_PASSWORD_REQUIRED":
            if new_password is None:
                raise NewPasswordRequiredError("This password holds for one sign-in. Send `new_password` beside it.")
            answer = self._respond(answer, {"USERNAME": email, "NEW_PASSWORD": new_password})
        if answer.get("ChallengeName") == _TOTP:
            if second_factor is None:
                raise SecondFactorRequiredError(
                    "The account has a second factor. Send its present code as `second_factor` beside the password."
                )
            answer = self._respond(answer, {"USERNAME": email, f"{_TOTP}_CODE": second_factor})
        return _to_tokens(answer)

    def begin_second_factor(self, access_token: str) -> str:
        """See Identity."""
        try:
            answer = self._client.associate_software_token(AccessToken=access_token)
        except AWS_ERRORS as error:
            raise _to_error(error) from _without_text(error)
        return str(answer["SecretCode"])

    def confirm_second_factor(self, subject: str, access_token: str, code: str) -> None:
        """See Identity."""
        try:
            answer = self._client.verify_software_token(AccessToken=access_token, UserCode=code)
        except AWS_ERRORS as error:
            if code_of(error) in _WRONG_CODES:
                raise InvalidRequestError(_WRONG_CODE) from _without_text(error)
            raise _to_error(error) from _without_text(error)
        if answer["Status"] != "SUCCESS":
            raise InvalidRequestError(_WRONG_CODE)
        self._prefer_second_factor(subject, is_on=True)

    def end_second_factor(self, subject: str) -> None:
        """See Identity."""
        self._prefer_second_factor(subject, is_on=False)

    def _prefer_second_factor(self, subject: str, *, is_on: bool) -> None:
        try:
            self._client.admin_set_user_mfa_preference(
                UserPoolId=self._pool,
                Username=subject,
                SoftwareTokenMfaSettings={"Enabled": is_on, "PreferredMfa": is_on},
            )
        except AWS_ERRORS as error:
            raise _to_error(error) from _without_text(error)

    def _respond(self, asked: Mapping[str, Any], responses: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = self._client.admin_respond_to_auth_challenge(
                UserPoolId=self._pool,
                ClientId=self._client_id,
                ChallengeName=asked["ChallengeName"],
                Session=asked["Session"],
                ChallengeResponses=dict(responses),
            )
        except AWS_ERRORS as error:
            if code_of(error) in _WRONG_CODES:
                raise UnauthenticatedError(_WRONG_CODE) from _without_text(error)
            raise _to_error(error) from _without_text(error)
        return answer

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
        # A further challenge, such as one by SMS that somebody has set up in the pool.
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
