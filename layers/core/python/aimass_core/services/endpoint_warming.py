"""Keeps models of endpoints in memory whose setting `warm` says so: the function that serves is asked every minute."""

from aimass_core.domain import keys
from aimass_core.domain.endpoints import Endpoint, EndpointStatus
from aimass_core.domain.engines import EngineKind
from aimass_core.ports import Ports, Row

_SERVING = (EndpointStatus.READY, EndpointStatus.UPDATING, EndpointStatus.ROLLING_OUT)


def list_warm(ports: Ports, *, limit: int) -> list[Row]:
    """The rows of the endpoints that want it, and whose model the function itself runs."""
    return [
        row
        for status in _SERVING
        for row in ports.registry.query_status(keys.status_partition(Endpoint.resource, status), limit=limit)
        if _is_warm(Endpoint.model_validate(row.data))
    ]


def warm(ports: Ports, row: Row) -> None:
    """Loads the model where it is not in memory; no request is counted. Raises InternalError where that fails."""
    endpoint = Endpoint.model_validate(row.data)
    ports.predictor.predict({"workspace_id": endpoint.workspace_id, "warm": endpoint.id})


def _is_warm(endpoint: Endpoint) -> bool:
    is_lambda = endpoint.serving is not None and endpoint.serving.engine.kind is EngineKind.LAMBDA
    return endpoint.settings.warm and is_lambda
