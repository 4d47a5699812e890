"""/v1/studies."""

from aws_lambda_powertools.event_handler import Response

from aimass_core.domain.common import Page, Role
from aimass_core.domain.studies import Study, StudyBest, StudyFigures, Trial
from aimass_core.services import studies
from functions.api import request
from functions.api.request import Cursor, IdOrName, Limit
from functions.api.routing import ResourceRouter

router = ResourceRouter("studies")


@router.operation("GET", "/v1/studies", role=Role.VIEWER, summary="List studies")
def list_studies(limit: Limit = 50, cursor: Cursor = None) -> Page[Study]:
    """Newest first. Search and autotrain jobs make them, and go on with them."""
    return request.page_of(
        router,
        lambda start: studies.list_studies(router.ports, router.caller, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("GET", "/v1/studies/<study>", role=Role.VIEWER, summary="Read a study")
def get_study(study: IdOrName) -> Response[Study]:
    """By its id or its name: what is searched, on which data, and the jobs that worked on it."""
    return request.found(studies.get(router.ports, router.caller, study))


@router.operation("DELETE", "/v1/studies/<study>", role=Role.DEVELOPER, summary="Delete a study", status=204)
def delete_study(study: IdOrName) -> Response[None]:
    """With its trials and their artifacts; models that came of it stay. Refused while a job works on it."""
    studies.delete(router.ports, router.caller, study)
    return request.no_content()


@router.operation("GET", "/v1/studies/<study>/trials", role=Role.VIEWER, summary="List a study's trials")
def list_trials(study: IdOrName, limit: Limit = 50, cursor: Cursor = None) -> Page[Trial]:
    """In the order of their numbers, those that run included."""
    return request.page_of(
        router,
        lambda start: studies.list_trials(router.ports, router.caller, study, limit=limit, start=start),
        cursor=cursor,
    )


@router.operation("GET", "/v1/studies/<study>/best", role=Role.VIEWER, summary="Read a study's best model so far")
def get_best(study: IdOrName) -> StudyBest:
    """A usable model at any moment, with links to its files that work for some minutes."""
    return studies.get_best(router.ports, router.caller, study)


@router.operation("GET", "/v1/studies/<study>/figures", role=Role.VIEWER, summary="Read a study's figures")
def get_figures(study: IdOrName) -> StudyFigures:
    """Links to what its newest job drew, also while it runs or where it was stopped; they work for some minutes."""
    return studies.get_figures(router.ports, router.caller, study)
