"""The client: one object from which everything is reached."""

from functools import cached_property
from types import TracebackType
from typing import Self

import httpx2

from aimass.http import USER_AGENT, Http
from aimass.profiles import resolve_profile
from aimass.resources.algorithms import AlgorithmsApi
from aimass.resources.api_keys import ApiKeysApi
from aimass.resources.audit import AuditApi
from aimass.resources.costs import CostsApi
from aimass.resources.datasets import DatasetsApi
from aimass.resources.endpoints import EndpointsApi
from aimass.resources.grants import GrantsApi
from aimass.resources.jobs import JobsApi
from aimass.resources.logs import LogsApi
from aimass.resources.models import ModelsApi
from aimass.resources.notifications import (
    NotificationChannelsApi,
    NotificationDeliveriesApi,
    NotificationRulesApi,
    NotificationsApi,
)
from aimass.resources.predictions import PredictionsApi
from aimass.resources.quality import QualityApi
from aimass.resources.quarantine import QuarantineApi
from aimass.resources.queries import QueriesApi
from aimass.resources.reports import ReportsApi
from aimass.resources.sessions import SessionsApi
from aimass.resources.settings import SettingsApi
from aimass.resources.sources import SourcesApi
from aimass.resources.studies import StudiesApi
from aimass.resources.system import SystemApi
from aimass.resources.triggers import TriggersApi
from aimass.resources.users import UsersApi
from aimass.resources.workspaces import WorkspacesApi


class Client:
    """Talks to one AI Mass API as one API key.

    Args:
        api_key: Default: AIMASS_API_KEY, else the profile's.
        base_url: Default: AIMASS_BASE_URL, else the profile's, else the local cloud.
        profile: A profile of ~/.config/aimass/config.toml; `aimass local up` writes the profile `local`.
        timeout_seconds: For one request; uploads to S3 count from byte to byte.
        max_retries: After a lost connection, 429, 502, 503 or 504, with growing pauses and jitter.
        transport: Replaces the network, for tests.
        user_agent: How the program names itself, in the audit trail too.

    Raises:
        ConfigurationError: The profile does not exist.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        profile: str | None = None,
        timeout_seconds: float = 60.0,
        max_retries: int = 4,
        transport: httpx2.BaseTransport | None = None,
        user_agent: str = USER_AGENT,
    ) -> None:
        self.http = Http(
            resolve_profile(profile=profile, base_url=base_url, api_key=api_key),
            timeout_seconds=timeout_seconds,
            max_retries=max_retries,
            transport=transport,
            user_agent=user_agent,
        )

    def close(self) -> None:
        """Closes the connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def algorithms(self) -> AlgorithmsApi:
        """What can be trained, with which hyperparameters."""
        return AlgorithmsApi(self)

    @cached_property
    def api_keys(self) -> ApiKeysApi:
        """Credentials of this workspace."""
        return ApiKeysApi(self)

    @cached_property
    def audit(self) -> AuditApi:
        """Who did what."""
        return AuditApi(self)

    @cached_property
    def costs(self) -> CostsApi:
        """What the workspace costs, and its budget."""
        return CostsApi(self)

    @cached_property
    def datasets(self) -> DatasetsApi:
        """Data, uploads and versions."""
        return DatasetsApi(self)

    @cached_property
    def endpoints(self) -> EndpointsApi:
        """Served models."""
        return EndpointsApi(self)

    @cached_property
    def grants(self) -> GrantsApi:
        """Of single datasets, models and endpoints."""
        return GrantsApi(self)

    @cached_property
    def jobs(self) -> JobsApi:
        """Training and other work."""
        return JobsApi(self)

    @cached_property
    def logs(self) -> LogsApi:
        """What functions and jobs have logged."""
        return LogsApi(self)

    @cached_property
    def models(self) -> ModelsApi:
        """Trained models and their versions."""
        return ModelsApi(self)

    @cached_property
    def settings(self) -> SettingsApi:
        """Settings of every subsystem."""
        return SettingsApi(self)

    @cached_property
    def notifications(self) -> NotificationsApi:
        """What has happened."""
        return NotificationsApi(self)

    @cached_property
    def notification_channels(self) -> NotificationChannelsApi:
        """Where notifications go."""
        return NotificationChannelsApi(self)

    @cached_property
    def notification_rules(self) -> NotificationRulesApi:
        """Which notifications go where."""
        return NotificationRulesApi(self)

    @cached_property
    def notification_deliveries(self) -> NotificationDeliveriesApi:
        """What was sent, and what was answered."""
        return NotificationDeliveriesApi(self)

    @cached_property
    def reports(self) -> ReportsApi:
        """Reports on the workspace or a model."""
        return ReportsApi(self)

    @cached_property
    def sources(self) -> SourcesApi:
        """Where data is collected from."""
        return SourcesApi(self)

    @cached_property
    def predictions(self) -> PredictionsApi:
        """Predictions that are answered later."""
        return PredictionsApi(self)

    @cached_property
    def quality(self) -> QualityApi:
        """What is expected of datasets, and what was found."""
        return QualityApi(self)

    @cached_property
    def quarantine(self) -> QuarantineApi:
        """Rows that were kept apart."""
        return QuarantineApi(self)

    @cached_property
    def queries(self) -> QueriesApi:
        """SQL over datasets."""
        return QueriesApi(self)

    @cached_property
    def sessions(self) -> SessionsApi:
        """Signing in and out."""
        return SessionsApi(self)

    @cached_property
    def studies(self) -> StudiesApi:
        """What searches and autotrain learned."""
        return StudiesApi(self)

    @cached_property
    def system(self) -> SystemApi:
        """The platform itself."""
        return SystemApi(self)

    @cached_property
    def triggers(self) -> TriggersApi:
        """What new versions and the time set going."""
        return TriggersApi(self)

    @cached_property
    def users(self) -> UsersApi:
        """People who may sign in to this workspace."""
        return UsersApi(self)

    @cached_property
    def workspaces(self) -> WorkspacesApi:
        """Workspaces."""
        return WorkspacesApi(self)
