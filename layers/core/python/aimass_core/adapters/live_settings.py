"""Settings of subsystems from the registry, each workspace's read anew after some seconds."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from aimass_core.domain import keys
from aimass_core.domain.settings.contract import SettingsRecord, SettingsT, Subsystem, SubsystemSettings
from aimass_core.errors import AimassError
from aimass_core.ports import Registry

TTL_SECONDS = 5.0
_MAX_WORKSPACES = 1_000

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Kept:
    """What one workspace has said, by subsystem, and what comes of it."""

    until: float
    said: Mapping[str, Mapping[str, Any]]
    effective: dict[type[SubsystemSettings], SubsystemSettings] = field(default_factory=dict)


class StoredSettings:
    """Satisfies `LiveSettings`. One query reads all subsystems of a workspace.

    Args:
        deployment: what holds where a workspace says nothing, by subsystem and field.
        ttl_seconds: how long what was read is taken to hold.
        monotonic: seconds, for that.
    """

    def __init__(
        self,
        registry: Callable[[], Registry],
        *,
        deployment: Mapping[str, Mapping[str, Any]],
        ttl_seconds: float = TTL_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self.deployment = registry, deployment
        self._ttl_seconds, self._monotonic = ttl_seconds, monotonic
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def get(self, cls: type[SettingsT], workspace_id: str) -> SettingsT:
        """See LiveSettings."""
        kept = self._find(workspace_id)
        found = kept.effective.get(cls)
        if found is None:
            name = cls.subsystem.value
            found = cls.effective(self.deployment.get(name, {}), kept.said.get(name, {}))
            kept.effective[cls] = found
        return cast("SettingsT", found)

    def _find(self, workspace_id: str) -> _Kept:
        kept, now = self._kept.get(workspace_id), self._monotonic()
        if kept is not None and now < kept.until:
            return kept
        try:
            kept = _Kept(until=now + self._ttl_seconds, said=self._read(workspace_id))
        except AimassError as error:
            if kept is None:
                raise
            # NOTE: what held some seconds ago is better than no answer.
            _log.warning("settings cannot be read", extra={"workspace_id": workspace_id, "reason": error.message})
            kept.until = now + self._ttl_seconds
        self._kept[workspace_id] = kept
        if len(self._kept) > _MAX_WORKSPACES:
            self._kept.popitem(last=False)
        return kept

    def _read(self, workspace_id: str) -> dict[str, Mapping[str, Any]]:
        prefix = keys.row_prefix(SettingsRecord.resource)
        rows = self._registry().query(keys.partition(workspace_id), prefix, limit=len(Subsystem)).rows
        return {str(row.data["id"]): row.data["values"] for row in rows}
