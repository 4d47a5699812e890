"""The platform itself."""

from aimass.binding import Api
from aimass_core.domain.common import Principal
from aimass_core.domain.system import SystemInfo


class SystemApi(Api):
    """`client.system`."""

    def get(self) -> SystemInfo:
        """Version, limits and the drop folder."""
        return self._get(SystemInfo, "/v1/system")

    def whoami(self) -> Principal:
        """Whom the API key stands for."""
        return self._get(Principal, "/v1/me")
