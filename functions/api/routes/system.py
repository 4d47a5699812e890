"""/v1/system and /v1/me."""

from aimass_core.domain.common import Principal, Role
from aimass_core.domain.system import SystemInfo
from aimass_core.services import system
from functions.api.routing import ResourceRouter

router = ResourceRouter("system")


@router.operation("GET", "/v1/system", role=Role.VIEWER, summary="Read version, limits and drop folder")
def get_system() -> SystemInfo:
    """What a client needs to know before it begins."""
    return system.get(router.ports, router.caller)


@router.operation("GET", "/v1/me", role=Role.VIEWER, summary="Read whom the key stands for")
def get_me() -> Principal:
    """The workspace, the key and its role."""
    return router.caller
