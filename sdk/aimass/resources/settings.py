"""Settings of every subsystem: what holds, where it comes from, changes, versions."""

from typing import Any

from aimass.binding import Api, Pages, to_request
from aimass_core.domain.settings.contract import (
    SettingsDetail,
    SettingsOverview,
    SettingsUpdate,
    SettingsVersion,
    Subsystem,
    SubsystemRevert,
)

_PATH = "/v1/settings"


class SettingsApi(Api):
    """`client.settings`. Subsystems: collection, training, search, compression, inference, quotas, retention,
    notifications, logging."""

    def list(self) -> "list[SettingsDetail]":
        """Of every subsystem."""
        return self._get(SettingsOverview, _PATH).items

    def get(self, subsystem: Subsystem | str) -> SettingsDetail:
        """What holds now, with where each value comes from, and the JSON Schema of the values."""
        return self._get(SettingsDetail, f"{_PATH}/{subsystem}")

    def set(
        self, subsystem: Subsystem | str, *, reason: str | None = None, revision: int | None = None, **values: Any
    ) -> SettingsDetail:
        """Changes fields; None brings a default back. Holds within ten seconds, or from the next job on.

        Args:
            subsystem: Whose settings.
            reason: Kept with the version and in the audit trail.
            revision: The version that the change is based on; default: the present one.
            **values: By the names of the fields.

        Raises:
            InvalidRequestError: There is no such setting, or it cannot have this value.
            StaleRevisionError: Somebody else was faster.
        """
        based_on = self.get(subsystem).revision if revision is None else revision
        fields: dict[str, Any] = {"values": values, **({} if reason is None else {"reason": reason})}
        return self._patch(
            SettingsDetail, f"{_PATH}/{subsystem}", to_request(SettingsUpdate, **fields), revision=based_on
        )

    def history(self, subsystem: Subsystem | str) -> Pages[SettingsVersion]:
        """Its versions, newest first."""
        return self._list(SettingsVersion, f"{_PATH}/{subsystem}/history")

    def revert(self, subsystem: Subsystem | str, *, version: int | None = None) -> SettingsDetail:
        """Brings back a former version, as a new one. Default: the one before the present. Raises NotFoundError."""
        body = to_request(SubsystemRevert, **({} if version is None else {"version": version}))
        return self._post(SettingsDetail, f"{_PATH}/{subsystem}/revert", body)
