"""/v1/algorithms."""

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import AlgorithmInfo
from aimass_core.domain.common import Page, Role
from aimass_core.errors import NotFoundError
from functions.api.routing import ResourceRouter

router = ResourceRouter("algorithms")


@router.operation("GET", "/v1/algorithms", role=Role.VIEWER, summary="List what can be trained")
def list_algorithms() -> Page[AlgorithmInfo]:
    """Every algorithm, with the JSON Schema of its hyperparameters."""
    return Page(items=registry.list_infos())


@router.operation("GET", "/v1/algorithms/<algorithm>", role=Role.VIEWER, summary="Read an algorithm")
def get_algorithm(algorithm: str) -> AlgorithmInfo:
    """One algorithm, with the JSON Schema of its hyperparameters."""
    specs = registry.load_all()
    if algorithm not in specs:
        raise NotFoundError(f"There is no algorithm {algorithm!r}. There are: {', '.join(specs)}.")
    return registry.to_info(specs[algorithm])
