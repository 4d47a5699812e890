"""Signing in and out. A session's access token is good wherever an API key is: `aimass.Client(api_key=...)`."""

from aimass.binding import Api, to_request
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

_PATH = "/v1/sessions"
_FACTOR_PATH = "/v1/me/second-factor"


class SessionsApi(Api):
    """`client.sessions`."""

    def create_code(self) -> SessionCode:
        """A code that opens the console once, within a minute, with this key's role."""
        return self._post(SessionCode, f"{_PATH}/codes")

    def sign_in(
        self, email: str, password: str, *, new_password: str | None = None, second_factor: str | None = None
    ) -> SessionTokens:
        """Raises NewPasswordRequiredError where the password must be changed with it, SecondFactorRequiredError where
        the account's code has to come beside it."""
        given = {"new_password": new_password, "second_factor": second_factor}
        known = {name: value for name, value in given.items() if value is not None}
        return self._post(SessionTokens, _PATH, to_request(SessionCreate, email=email, password=password, **known))

    def accept(self, invitation: str, *, password: str, second_factor: str | None = None) -> SessionTokens:
        """Takes the place that an invitation offers. Who has no account yet chooses its password here."""
        known = {} if second_factor is None else {"second_factor": second_factor}
        body = to_request(SessionCreate, invitation=invitation, password=password, **known)
        return self._post(SessionTokens, _PATH, body)

    def redeem(self, code: str) -> SessionTokens:
        """The session of a code."""
        return self._post(SessionTokens, _PATH, to_request(SessionCreate, code=code))

    def refresh(self, refresh_token: str) -> SessionTokens:
        """Another access token of the same session."""
        return self._post(SessionTokens, f"{_PATH}/refresh", to_request(SessionRefresh, refresh_token=refresh_token))

    def end(self) -> None:
        """Signs out: ends the session whose access token this client has."""
        self._delete(f"{_PATH}/current")

    def begin_second_factor(self, password: str) -> SecondFactor:
        """The secret of an authenticator, for the person whose access token this client has."""
        return self._post(SecondFactor, _FACTOR_PATH, to_request(SecondFactorCreate, password=password))

    def confirm_second_factor(self, code: str) -> None:
        """Signing in asks for it from now on."""
        body = to_request(SecondFactorConfirmation, code=code)
        self._client.http.request("POST", f"{_FACTOR_PATH}/confirmation", body=body.model_dump())

    def end_second_factor(self, password: str, code: str) -> None:
        """Signing in asks for the password alone."""
        body = to_request(SecondFactorRemoval, password=password, code=code)
        self._client.http.request("POST", f"{_FACTOR_PATH}/removal", body=body.model_dump())

    def change_password(self, password: str, new_password: str, *, second_factor: str | None = None) -> None:
        """Of the person whose access token this client has."""
        body = to_request(PasswordChange, password=password, new_password=new_password, second_factor=second_factor)
        self._client.http.request("POST", "/v1/me/password", body=body.model_dump())
