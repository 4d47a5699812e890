"""/v1/triggers."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.triggers import Trigger, TriggerCreate, TriggerRun, TriggerUpdate
from aimass_core.services import triggers
from functions.api import request
from functions.api.request import Cursor, IdOrName, IfMatch, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("triggers")


@router.operation("GET", "/v1/triggers", role=Role.VIEWER, summary="List triggers")
def list_triggers(limit: Limit = 50, cursor: Cursor = None) -> Page[Trigger]:
    """Newest first."""
    return request.page_of(
        router, lambda start: triggers.list_page(router.ports, router.caller, limit=limit, start=start), cursor=cursor
    )


@router.operation("POST", "/v1/triggers", role=Role.DEVELOPER, summary="Make a trigger", status=201, idempotent=True)
def create_trigger(body: TriggerCreate) -> Response[Trigger]:
    """At each new version of a dataset that passes its checks, or at intervals, a job is submitted; where `deploy` says
    so and its gate holds, the model goes to an endpoint. One run at a time; the newest version is next."""
    made = triggers.create(router.ports, router.caller, body)
    return request.created(made, location=f"/v1/triggers/{made.id}")


@router.operation("GET", "/v1/triggers/<trigger>", role=Role.VIEWER, summary="Read a trigger")
def get_trigger(trigger: IdOrName) -> Response[Trigger]:
    """By its id or its name."""
    return request.found(triggers.get(router.ports, router.caller, trigger))


@router.operation("PATCH", "/v1/triggers/<trigger>", role=Role.DEVELOPER, summary="Change a trigger")
def update_trigger(trigger: IdOrName, body: TriggerUpdate, if_match: IfMatch = None) -> Response[Trigger]:
    """Pause or resume it, or change what it does from its next run on."""
    revision = request.revision_of(if_match)
    return request.found(triggers.update(router.ports, router.caller, trigger, body, revision=revision))


@router.operation("DELETE", "/v1/triggers/<trigger>", role=Role.DEVELOPER, summary="Delete a trigger", status=204)
def delete_trigger(trigger: IdOrName) -> Response[None]:
    """With its runs; their jobs and models stay."""
    triggers.delete(router.ports, router.caller, trigger)
    return request.no_content()


@router.operation("GET", "/v1/triggers/<trigger>/runs", role=Role.VIEWER, summary="List a trigger's runs")
def list_trigger_runs(trigger: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[TriggerRun]:
    """Newest first: for which version, with which job, and what came of it."""
    return request.page_of(
        router,
        lambda start: triggers.list_runs(router.ports, router.caller, trigger, limit=limit, start=start),
        cursor=cursor,
    )
