"""/v1/models."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.models import ApprovalCreate, Model, ModelUpdate, ModelVersion, ModelVersionDetail
from aimass_core.services import model_approvals, models
from functions.api import request
from functions.api.request import Cursor, IdOrName, IfMatch, Limit, Number
from functions.api.routing import ResourceRouter

router = ResourceRouter("models")


@router.operation("GET", "/v1/models", role=Role.VIEWER, summary="List models")
def list_models(limit: Limit = 50, cursor: Cursor = None) -> Page[Model]:
    """Newest first. Jobs make them: a model is never uploaded."""
    return request.page_of(
        router, lambda start: models.list_models(router.ports, router.caller, limit=limit, start=start), cursor=cursor
    )


@router.operation("GET", "/v1/models/<model>", role=Role.VIEWER, summary="Read a model")
def get_model(model: IdOrName) -> Response[Model]:
    """By its id or its name."""
    return request.found(models.get(router.ports, router.caller, model))


@router.operation("PATCH", "/v1/models/<model>", role=Role.DEVELOPER, summary="Change a model")
def update_model(model: IdOrName, body: ModelUpdate, if_match: IfMatch = None) -> Response[Model]:
    """Its description."""
    revision = request.revision_of(if_match)
    return request.found(models.update(router.ports, router.caller, model, body, revision=revision))


@router.operation("DELETE", "/v1/models/<model>", role=Role.DEVELOPER, summary="Delete a model", status=204)
def delete_model(model: IdOrName) -> Response[None]:
    """With all its versions. Refused while one of them is held, as for DELETE of a version."""
    models.delete(router.ports, router.caller, model)
    return request.no_content()


@router.operation("GET", "/v1/models/<model>/versions", role=Role.VIEWER, summary="List a model's versions")
def list_model_versions(model: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[ModelVersion]:
    """Newest first, with their metrics."""
    return request.page_of(
        router,
        lambda start: models.list_versions(router.ports, router.caller, model, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("GET", "/v1/models/<model>/versions/<number>", role=Role.VIEWER, summary="Read a model version")
def get_model_version(model: IdOrName, number: Number) -> Response[ModelVersionDetail]:
    """With its signature, its card, links to its files that work for some minutes, and its lineage: the versions that
    it was made of (`parents`), and the gate and the experts of a decomposition (`parts`)."""
    return request.found(models.get_version_detail(router.ports, router.caller, model, number))


@router.operation(
    "DELETE", "/v1/models/<model>/versions/<number>", role=Role.DEVELOPER, summary="Delete a model version", status=204
)
def delete_model_version(model: IdOrName, number: Number) -> Response[None]:
    """Its number is never used again. Refused while an endpoint holds it, while a job that works on it has not ended,
    and while it is a part of a decomposition that is there. What was made of it stays and names it still."""
    models.delete_version(router.ports, router.caller, model, number)
    return request.no_content()


@router.operation(
    "POST",
    "/v1/models/<model>/versions/<number>/approval",
    role=Role.DEVELOPER,
    summary="Approve or reject a model version (a developer: not their own)",
)
def decide_model_version(model: IdOrName, number: Number, body: ApprovalCreate) -> Response[ModelVersion]:
    """Where the setting `requires_approval` of inference is on, only approved versions are deployed. Admins decide on
    every version; developers on those whose job, or whose job's trigger, is not theirs. The last decision holds."""
    return request.found(model_approvals.decide(router.ports, router.caller, model, number, body))
