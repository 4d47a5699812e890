"""The platform itself."""

from collections.abc import Sequence

from aimass.binding import Api, to_request
from aimass_core.domain.common import Principal
from aimass_core.domain.system import (
    DeadLetterQueue,
    DeadLetters,
    DeadLettersDone,
    DeadLetterSelection,
    SystemInfo,
    SystemStatus,
)


class SystemApi(Api):
    """`client.system`."""

    def get(self) -> SystemInfo:
        """Version, limits and the drop folder."""
        return self._get(SystemInfo, "/v1/system")

    def whoami(self) -> Principal:
        """Whom the API key stands for."""
        return self._get(Principal, "/v1/me")

    def status(self) -> SystemStatus:
        """How the platform does: centres, functions, queues, dead letters, compute, alarms."""
        return self._get(SystemStatus, "/v1/system/status")

    def dead_letters(self, queue: DeadLetterQueue | str) -> DeadLetters:
        """Events of this workspace that could not be processed."""
        return self._get(DeadLetters, f"/v1/system/dead-letters/{queue}")

    def redrive(self, queue: DeadLetterQueue | str, ids: Sequence[str] | None = None) -> DeadLettersDone:
        """Sends them again to whoever could not process them; default: all that one sees."""
        body = to_request(DeadLetterSelection, ids=None if ids is None else list(ids))
        return self._post(DeadLettersDone, f"/v1/system/dead-letters/{queue}/redrive", body)

    def purge(self, queue: DeadLetterQueue | str, ids: Sequence[str] | None = None) -> DeadLettersDone:
        """Throws them away for good; default: all that one sees."""
        body = to_request(DeadLetterSelection, ids=None if ids is None else list(ids))
        return self._post(DeadLettersDone, f"/v1/system/dead-letters/{queue}/purge", body)
