"""How a request to a REST API shows who asks. A secret that is refused is read anew once: it may have been changed."""

import base64
import json
from dataclasses import dataclass, field

from aimass_core.domain.rest_collectors import ApiKeyAuth, Auth, BasicAuth, BearerAuth, OAuth2Auth
from batch_jobs.collect.errors import AuthFailedError
from batch_jobs.collect.network import shown
from batch_jobs.collect.reading import Reading

_EARLY_SECONDS = 30.0


@dataclass(slots=True)
class Credentials:
    """Of one API and one run."""

    auth: Auth | None
    reading: Reading
    _is_fresh: bool = field(default=False, init=False)
    _token: str | None = field(default=None, init=False)
    _ends_at: float = field(default=0.0, init=False)

    def headers(self) -> dict[str, str]:
        """What belongs into a request's headers now."""
        match self.auth:
            case BearerAuth(token=token):
                return {"Authorization": f"Bearer {self._secret(token)}"}
            case ApiKeyAuth(name=name, api_key=key, location="header"):
                return {name: self._secret(key)}
            case BasicAuth(username=username, password=password):
                pair = f"{self._secret(username)}:{self._secret(password)}"
                return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
            case OAuth2Auth() as auth:
                return {"Authorization": f"Bearer {self._fetch_token(auth)}"}
        return {}

    def params(self) -> dict[str, str]:
        """What belongs into a request's query."""
        if isinstance(self.auth, ApiKeyAuth) and self.auth.location == "query":
            return {self.auth.name: self._secret(self.auth.api_key)}
        return {}

    def refresh(self) -> bool:
        """Once in a run the secrets are read anew; False where that was done already, or where there are none."""
        if self._is_fresh or self.auth is None:
            return False
        self._is_fresh, self._token = True, None
        return True

    def _secret(self, value: object) -> str:
        return self.reading.text(value, fresh=self._is_fresh)  # type: ignore[arg-type]

    def _fetch_token(self, auth: OAuth2Auth) -> str:
        network = self.reading.network
        now = network.timing.monotonic()
        if self._token is not None and now < self._ends_at:
            return self._token
        form = {
            "grant_type": "client_credentials",
            "client_id": self._secret(auth.client_id),
            "client_secret": self._secret(auth.client_secret),
        }
        answer = network.fetch(
            auth.access_token_url, method="POST", data=form | ({"scope": auth.scope} if auth.scope else {})
        )
        try:
            found = json.loads(answer.body)
            self._token, seconds = str(found["access_token"]), float(found.get("expires_in") or 3_600)
        except (ValueError, KeyError, TypeError) as error:
            raise AuthFailedError(
                f"{shown(auth.access_token_url)} answers without an access_token. Check the client's id and secret."
            ) from error
        self._ends_at = now + max(seconds - _EARLY_SECONDS, 0.0)
        return self._token
