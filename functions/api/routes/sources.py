"""/v1/sources, their grants, secrets, runs and state."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from aimass_core.domain.common import Page, Role
from aimass_core.domain.jobs import Job
from aimass_core.domain.sources import (
    RunCreate,
    SecretValue,
    Source,
    SourceCreate,
    SourceDataset,
    SourceGrant,
    SourceGrantCreate,
    SourceLineage,
    SourceRecord,
    SourceState,
    SourceUpdate,
    SourceVerb,
    WebhookAddress,
)
from aimass_core.services import source_access, source_datasets, source_runs, source_states, sources, webhooks
from functions.api import request
from functions.api.request import Cursor, Id, IdOrName, IfMatch, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("sources")

SecretName = Annotated[str, Path(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$", description="The secret's name.")]
Shared = Annotated[bool, Query(description="Those of other workspaces that this one was given a grant for.")]


@router.operation("GET", "/v1/sources", role=Role.VIEWER, summary="List sources")
def list_sources(limit: Limit = 50, cursor: Cursor = None, shared: Shared = False) -> Page[Source]:
    """Newest first."""
    return request.page_of(
        router,
        lambda start: sources.list_page(router.ports, router.caller, limit=limit, start=start, shared=shared),
        cursor=cursor,
    )


@router.operation("POST", "/v1/sources", role=Role.COLLECTOR, summary="Make a source", status=201, idempotent=True)
def create_source(body: SourceCreate) -> Response[Source]:
    """What is read, by which collector, under which policy. With a schedule, the first run comes by itself."""
    made = sources.create(router.ports, router.caller, body)
    return request.created(made, location=f"/v1/sources/{made.id}")


@router.operation("GET", "/v1/sources/<source>", role=Role.VIEWER, verb=SourceVerb.SEE, summary="Read a source")
def get_source(source: IdOrName) -> Response[Source]:
    """By its id, or by its name in this workspace: what it is, how it does, when it is read next."""
    return request.found(sources.get(router.ports, router.caller, source))


@router.operation("PATCH", "/v1/sources/<source>", role=Role.VIEWER, verb=SourceVerb.EDIT, summary="Change a source")
def update_source(source: IdOrName, body: SourceUpdate, if_match: IfMatch = None) -> Response[Source]:
    """Also while it is read: the next run follows it. What is absent stays; the former revision is kept."""
    revision = request.revision_of(if_match)
    return request.found(sources.update(router.ports, router.caller, source, body, revision=revision))


@router.operation(
    "DELETE", "/v1/sources/<source>", role=Role.VIEWER, verb=SourceVerb.EDIT, summary="Delete a source", status=204
)
def delete_source(source: IdOrName) -> Response[None]:
    """With its grants, its secrets and its state; its datasets stay. Refused while it is read."""
    sources.delete(router.ports, router.caller, source)
    return request.no_content()


@router.operation(
    "GET",
    "/v1/sources/<source>/revisions",
    role=Role.VIEWER,
    verb=SourceVerb.READ,
    summary="List what a source was before",
)
def list_source_revisions(source: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[SourceRecord]:
    """The latest change first; the audit trail says who made it."""
    return request.page_of(
        router,
        lambda start: sources.list_revisions(router.ports, router.caller, source, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST", "/v1/sources/<source>/pause", role=Role.VIEWER, verb=SourceVerb.EDIT, summary="Pause a source"
)
def pause_source(source: IdOrName) -> Response[Source]:
    """No further run begins, and its webhook takes nothing; a run that is on its way goes on."""
    return request.found(sources.pause(router.ports, router.caller, source))


@router.operation(
    "POST", "/v1/sources/<source>/resume", role=Role.VIEWER, verb=SourceVerb.EDIT, summary="Resume a source"
)
def resume_source(source: IdOrName) -> Response[Source]:
    """After a pause, or after its secret was refused."""
    return request.found(sources.resume(router.ports, router.caller, source))


@router.operation(
    "PUT",
    "/v1/sources/<source>/secrets/<secret>",
    role=Role.VIEWER,
    verb=SourceVerb.EDIT,
    summary="Set a secret of a source",
)
def set_source_secret(source: IdOrName, secret: SecretName, body: SecretValue) -> Response[Source]:
    """Kept in Secrets Manager, where runs read it, and nobody else: no answer ever holds it."""
    return request.found(sources.set_secret(router.ports, router.caller, source, secret, body))


@router.operation(
    "DELETE",
    "/v1/sources/<source>/secrets/<secret>",
    role=Role.VIEWER,
    verb=SourceVerb.EDIT,
    summary="Delete a secret of a source",
    status=204,
)
def delete_source_secret(source: IdOrName, secret: SecretName) -> Response[None]:
    """At once and for good."""
    sources.delete_secret(router.ports, router.caller, source, secret)
    return request.no_content()


@router.operation("GET", "/v1/sources/<source>/grants", role=Role.ADMIN, summary="List the grants of a source")
def list_source_grants(source: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[SourceGrant]:
    """Who else may do what with it."""
    return request.page_of(
        router,
        lambda start: source_access.list_grants(router.ports, router.caller, source, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("PUT", "/v1/sources/<source>/grants/<grantee>", role=Role.ADMIN, summary="Grant a source")
def grant_source(source: IdOrName, grantee: Id, body: SourceGrantCreate) -> SourceGrant:
    """To another workspace, or to one user or API key of this one; it replaces the grant that there is."""
    return source_access.grant(router.ports, router.caller, source, grantee, body.verb)


@router.operation(
    "DELETE", "/v1/sources/<source>/grants/<grantee>", role=Role.ADMIN, summary="Revoke a grant", status=204
)
def revoke_source(source: IdOrName, grantee: Id) -> Response[None]:
    """At once."""
    source_access.revoke(router.ports, router.caller, source, grantee)
    return request.no_content()


@router.operation(
    "GET", "/v1/sources/<source>/runs", role=Role.VIEWER, verb=SourceVerb.SEE, summary="List the runs of a source"
)
def list_source_runs(source: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[Job]:
    """Newest first."""
    return request.page_of(
        router,
        lambda start: source_runs.list_page(router.ports, router.caller, source, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "POST",
    "/v1/sources/<source>/runs",
    role=Role.VIEWER,
    verb=SourceVerb.RUN,
    summary="Run a source",
    status=202,
    idempotent=True,
)
def run_source(source: IdOrName, body: RunCreate) -> Response[Job]:
    """Reads it once, as a job. Refused while it is read, paused, or without the right secret."""
    job = source_runs.submit(router.ports, router.caller, source, body)
    return request.created(job, location=f"/v1/jobs/{job.id}", status=HTTPStatus.ACCEPTED)


@router.operation(
    "GET", "/v1/sources/<source>/state", role=Role.VIEWER, verb=SourceVerb.READ, summary="Read the state of a source"
)
def get_source_state(source: IdOrName) -> SourceState:
    """Where the next run goes on."""
    return source_states.get(router.ports, router.caller, source)


@router.operation(
    "DELETE",
    "/v1/sources/<source>/state",
    role=Role.VIEWER,
    verb=SourceVerb.EDIT,
    summary="Reset the state of a source",
    status=204,
)
def reset_source_state(source: IdOrName) -> Response[None]:
    """The next run begins anew. Refused while it is read."""
    source_states.reset(router.ports, router.caller, source)
    return request.no_content()


@router.operation(
    "GET",
    "/v1/sources/<source>/datasets",
    role=Role.VIEWER,
    verb=SourceVerb.READ,
    summary="List the datasets of a source",
)
def list_source_datasets(source: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[SourceDataset]:
    """By stream. Whoever was granted `read` reads them by their ids, as their own."""
    return request.page_of(
        router,
        lambda start: source_datasets.list_page(router.ports, router.caller, source, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation(
    "GET",
    "/v1/sources/<source>/lineage",
    role=Role.VIEWER,
    verb=SourceVerb.READ,
    summary="Read what was made of a source",
)
def get_source_lineage(source: IdOrName) -> SourceLineage:
    """Its datasets, and the models that were made of them. In its own workspace only."""
    return source_datasets.source_lineage(router.ports, router.caller, source)


@router.operation(
    "POST",
    "/v1/sources/<source>/webhook",
    role=Role.VIEWER,
    verb=SourceVerb.EDIT,
    summary="Make the webhook of a source",
)
def create_source_webhook(source: IdOrName) -> WebhookAddress:
    """Its address, and a new secret that signs what is sent there; the former secret ends."""
    return webhooks.create_address(router.ports, router.caller, source)
