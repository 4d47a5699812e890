"""/v1/settings."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path

from aimass_core.domain.common import Page, Role
from aimass_core.domain.settings.contract import (
    SettingsDetail,
    SettingsOverview,
    SettingsUpdate,
    SettingsVersion,
    Subsystem,
    SubsystemRevert,
)
from aimass_core.services import settings
from functions.api import request
from functions.api.request import Cursor, IfMatch, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("settings")

SubsystemName = Annotated[Subsystem, Path(description="The part of the platform.")]


@router.operation("GET", "/v1/settings", role=Role.VIEWER, summary="Read the settings of all subsystems")
def list_settings() -> SettingsOverview:
    """With where each value comes from, and the form that changes it."""
    return settings.list_all(router.ports, router.caller)


@router.operation("GET", "/v1/settings/<subsystem>", role=Role.VIEWER, summary="Read the settings of a subsystem")
def get_settings(subsystem: SubsystemName) -> Response[SettingsDetail]:
    """With where each value comes from, and the form that changes it. The ETag is the version."""
    return request.found(settings.get(router.ports, router.caller, subsystem))


@router.operation("PATCH", "/v1/settings/<subsystem>", role=Role.ADMIN, summary="Change settings of a subsystem")
def update_settings(
    subsystem: SubsystemName, body: SettingsUpdate, if_match: IfMatch = None
) -> Response[SettingsDetail]:
    """Null brings a default back. Holds within ten seconds, or from the next job on, as each field says."""
    revision = request.revision_of(if_match)
    return request.found(settings.update(router.ports, router.caller, subsystem, body, revision=revision))


@router.operation(
    "GET", "/v1/settings/<subsystem>/history", role=Role.VIEWER, summary="List the versions of a subsystem's settings"
)
def list_settings_history(subsystem: SubsystemName, limit: Limit = 50, cursor: Cursor = None) -> Page[SettingsVersion]:
    """Newest first: who changed what from what to what, and why."""
    return request.page_of(
        router,
        lambda start: settings.list_history(router.ports, router.caller, subsystem, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST", "/v1/settings/<subsystem>/revert", role=Role.ADMIN, summary="Bring back former settings of a subsystem"
)
def revert_settings(subsystem: SubsystemName, body: SubsystemRevert) -> Response[SettingsDetail]:
    """As a new version."""
    return request.found(settings.revert(router.ports, router.caller, subsystem, version=body.version))
