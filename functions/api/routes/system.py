"""/v1/system and /v1/me."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Path

from aimass_core.domain.common import Principal, Role
from aimass_core.domain.system import (
    DeadLetterQueue,
    DeadLetters,
    DeadLettersDone,
    DeadLetterSelection,
    SystemInfo,
    SystemStatus,
)
from aimass_core.services import dead_letters, system, system_status
from functions.api.routing import ResourceRouter

router = ResourceRouter("system")

Queue = Annotated[DeadLetterQueue, Path(description="Whose events could not be processed.")]


@router.operation("GET", "/v1/system", role=Role.VIEWER, summary="Read version, limits and drop folder")
def get_system() -> SystemInfo:
    """What a client needs to know before it begins."""
    return system.get(router.ports, router.caller)


@router.operation("GET", "/v1/system/status", role=Role.VIEWER, summary="Read how the platform does")
def get_system_status() -> SystemStatus:
    """Its four centres, functions, queues, dead letters, compute and alarms. Figures are of the whole installation;
    nothing in them names what belongs to a workspace."""
    return system_status.get(router.ports, router.caller)


@router.operation("GET", "/v1/system/dead-letters/<queue>", role=Role.ADMIN, summary="List dead letters")
def list_dead_letters(queue: Queue) -> DeadLetters:
    """Events of this workspace that could not be processed, without secrets. What belongs to no workspace is shown to
    the admins of the first one."""
    return dead_letters.list_all(router.ports, router.caller, queue)


@router.operation("POST", "/v1/system/dead-letters/<queue>/redrive", role=Role.ADMIN, summary="Send dead letters again")
def redrive_dead_letters(queue: Queue, body: DeadLetterSelection) -> DeadLettersDone:
    """To whoever could not process them; those of this workspace, or all where an admin of the first workspace asks."""
    return dead_letters.redrive(router.ports, router.caller, queue, body)


@router.operation("POST", "/v1/system/dead-letters/<queue>/purge", role=Role.ADMIN, summary="Throw dead letters away")
def purge_dead_letters(queue: Queue, body: DeadLetterSelection) -> DeadLettersDone:
    """For good; those that the caller sees."""
    return dead_letters.purge(router.ports, router.caller, queue, body)


@router.operation("GET", "/v1/me", role=Role.VIEWER, summary="Read whom the key stands for")
def get_me() -> Principal:
    """The workspace, the key and its role."""
    return router.caller
