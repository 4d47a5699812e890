"""/v1/audit."""

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query

from aimass_core.domain.audit import (
    ACTION_PATTERN,
    AuditEntry,
    AuditExport,
    AuditFilter,
    AuditFormat,
    AuditKind,
    AuditProof,
)
from aimass_core.domain.common import Page, Role
from aimass_core.services import audit, audit_exports, audit_seals
from functions.api import request
from functions.api.request import Cursor, Limit, Moment
from functions.api.routing import ResourceRouter

router = ResourceRouter("audit")

Actor = Annotated[str | None, Query(min_length=1, max_length=100, description="Who did it: an id or a name.")]
Action = Annotated[
    str | None,
    Query(
        pattern=ACTION_PATTERN, max_length=100, description="What was done, such as dataset.update, or all of dataset.*"
    ),
]
Target = Annotated[str | None, Query(min_length=1, max_length=100, description="What it was done to: an id or a name.")]
Kind = Annotated[AuditKind | None, Query(description="Changes only, or reads of data only.")]
Since = Annotated[Moment | None, Query(description="Not before this moment.")]
Until = Annotated[Moment | None, Query(description="Not after this moment.")]
Format = Annotated[AuditFormat, Query(alias="format", description="JSON Lines for programs, CSV for spreadsheets.")]


@router.operation("GET", "/v1/audit", role=Role.ADMIN, summary="Search the audit trail")
def list_audit(
    *,
    limit: Limit = 50,
    cursor: Cursor = None,
    actor: Actor = None,
    action: Action = None,
    target: Target = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
) -> Page[AuditEntry]:
    """Who changed what and who read which data, when and from where; newest first. With a filter, a page may be short
    although more follow: go on while there is a cursor."""
    wanted = AuditFilter(actor=actor, action=action, target=target, kind=kind, since=since, until=until)
    return request.page_of(
        router,
        lambda start: audit.list_page(router.ports, router.caller, wanted, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("GET", "/v1/audit/export", role=Role.ADMIN, summary="Export the audit trail")
def export_audit(
    *,
    export_format: Format = AuditFormat.JSONL,
    actor: Actor = None,
    action: Action = None,
    target: Target = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
) -> AuditExport:
    """The entries that match, in one file. The export is recorded too."""
    wanted = AuditFilter(actor=actor, action=action, target=target, kind=kind, since=since, until=until)
    return audit_exports.export(router.ports, router.caller, wanted, export_format)


@router.operation("GET", "/v1/audit/proof", role=Role.ADMIN, summary="Verify the audit trail")
def get_audit_proof() -> AuditProof:
    """Computes every seal again: an entry that was changed, taken away or put in between is found."""
    return audit_seals.verify(router.ports, router.caller)
