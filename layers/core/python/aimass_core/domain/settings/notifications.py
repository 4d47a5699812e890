"""Settings of notifications."""

from typing import ClassVar

from aimass_core.domain.settings.contract import Subsystem, SubsystemSettings, setting


class NotificationSettings(SubsystemSettings):
    """How channels are told."""

    subsystem: ClassVar[Subsystem] = Subsystem.NOTIFICATIONS

    enabled: bool = setting(
        True, title="Notifications are sent", description="Off: what happens is told to no channel, and not later."
    )
