"""Every subsystem and its settings."""

import inspect
from collections.abc import Mapping

from aimass_core.domain.settings.collection import CollectionSettings
from aimass_core.domain.settings.compression import CompressionSettings
from aimass_core.domain.settings.contract import Subsystem, SubsystemSettings
from aimass_core.domain.settings.inference import InferenceSettings
from aimass_core.domain.settings.logging import LoggingSettings
from aimass_core.domain.settings.notifications import NotificationSettings
from aimass_core.domain.settings.quotas import QuotaSettings
from aimass_core.domain.settings.retention import RetentionSettings
from aimass_core.domain.settings.search import SearchSettings
from aimass_core.domain.settings.training import TrainingSettings

SUBSYSTEMS: Mapping[Subsystem, type[SubsystemSettings]] = {
    cls.subsystem: cls
    for cls in (
        CollectionSettings,
        TrainingSettings,
        SearchSettings,
        CompressionSettings,
        InferenceSettings,
        QuotaSettings,
        RetentionSettings,
        NotificationSettings,
        LoggingSettings,
    )
}


def describe(subsystem: Subsystem) -> str:
    """What a subsystem's settings are about."""
    return " ".join((inspect.getdoc(SUBSYSTEMS[subsystem]) or "").split())
