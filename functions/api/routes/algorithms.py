"""/v1/algorithms."""

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import AlgorithmInfo
from aimass_core.domain.common import Page, Role
from functions.api.routing import ResourceRouter

router = ResourceRouter("algorithms")


@router.operation("GET", "/v1/algorithms", role=Role.VIEWER, summary="List what can be trained")
def list_algorithms() -> Page[AlgorithmInfo]:
    """Every algorithm, with the JSON Schema of its hyperparameters and what a search varies."""
    return Page(items=registry.list_infos())
