"""Signing in and out. A session's access token is good wherever an API key is: `aimass.Client(api_key=...)`."""

from aimass.binding import Api, to_request
from aimass_core.domain.sessions import PasswordChange, SessionCode, SessionCreate, SessionRefresh, SessionTokens

_PATH = "/v1/sessions"


class SessionsApi(Api):
    """`client.sessions`."""

    def create_code(self) -> SessionCode:
        """A code that opens the console once, within a minute, with this key's role."""
        return self._post(SessionCode, f"{_PATH}/codes")

    def sign_in(self, email: str, password: str, *, new_password: str | None = None) -> SessionTokens:
        """Raises NewPasswordRequiredError where the password must be changed with it."""
        given = {} if new_password is None else {"new_password": new_password}
        return self._post(SessionTokens, _PATH, to_request(SessionCreate, email=email, password=password, **given))

    def accept(self, invitation: str, *, password: str) -> SessionTokens:
        """Takes the place that an invitation offers. Who has no account yet chooses its password here."""
        body = to_request(SessionCreate, invitation=invitation, password=password)
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

    def change_password(self, password: str, new_password: str) -> None:
        """Of the person whose access token this client has."""
        body = to_request(PasswordChange, password=password, new_password=new_password)
        self._client.http.request("POST", "/v1/me/password", body=body.model_dump())
