"""Credentials."""

from datetime import datetime

from aimass.binding import Api, Pages, to_request
from aimass_core.domain.api_keys import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyRotate
from aimass_core.domain.common import Role

_PATH = "/v1/api-keys"


class ApiKeysApi(Api):
    """`client.api_keys`."""

    def create(
        self,
        name: str,
        *,
        role: Role | str = Role.DEVELOPER,
        expires_at: datetime | None = None,
        max_requests_per_second: float | None = None,
        max_requests_per_day: int | None = None,
    ) -> ApiKeyCreated:
        """A new key. Its `secret` is in this answer and nowhere else, ever. The limits are of predictions."""
        limits = {"max_requests_per_second": max_requests_per_second, "max_requests_per_day": max_requests_per_day}
        given = {key: value for key, value in limits.items() if value is not None}
        body = to_request(ApiKeyCreate, name=name, role=role, expires_at=expires_at, **given)
        return self._post(ApiKeyCreated, _PATH, body)

    def list(self) -> Pages[ApiKey]:
        """All of the workspace, newest first."""
        return self._list(ApiKey, _PATH)

    def get(self, key_id: str) -> ApiKey:
        """One key, without its secret."""
        return self._get(ApiKey, f"{_PATH}/{key_id}")

    def rotate(self, key_id: str, *, overlap_seconds: int = 86_400) -> ApiKeyCreated:
        """Another secret of the same key; the former one holds on for the overlap."""
        body = to_request(ApiKeyRotate, overlap_seconds=overlap_seconds)
        return self._post(ApiKeyCreated, f"{_PATH}/{key_id}/rotate", body)

    def revoke(self, key_id: str) -> None:
        """Ends it at once."""
        self._delete(f"{_PATH}/{key_id}")
