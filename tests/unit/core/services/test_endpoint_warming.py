"""Endpoints that are to be warm: the function that serves has their model in memory before anybody asks."""

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryPredictor
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoint_settings import EndpointSettingsChange
from aimass_core.domain.endpoints import EndpointCreate, EndpointStatus, EndpointUpdate
from aimass_core.domain.engines import Engine, EngineKind
from aimass_core.errors import InternalError, InvalidRequestError
from aimass_core.services import endpoints, reconciler
from aimass_core.services.reconciler import Healed
from tests.factories.platform import new_ports, new_principal
from tests.factories.served_models import register_versions, table_model
from tests.unit.predictions.bench import Bench


@pytest.fixture
def principal() -> Principal:
    return new_principal()


@pytest.fixture
def ports(principal: Principal) -> MemoryPorts:
    """With an endpoint that is READY."""
    ports = new_ports()
    _start_function(ports, principal)
    register_versions(ports, principal, table_model())
    created = endpoints.create(ports, principal, EndpointCreate(model="adult@1"))
    assert endpoints.activate(ports, created.workspace_id, created.id).status is EndpointStatus.READY
    return ports


def _start_function(ports: MemoryPorts, principal: Principal) -> Bench:
    """A process of the predictions function, with nothing in memory."""
    bench = Bench(ports=ports, workspace_id=principal.workspace_id)
    ports.predictor = MemoryPredictor(lambda payload: bench.handler(payload, bench.context))  # type: ignore[arg-type]
    return bench


def _change(ports: MemoryPorts, principal: Principal, **settings: object) -> None:
    change = EndpointSettingsChange.model_validate(settings)
    revision = endpoints.get(ports, principal, "adult").revision
    endpoints.update(ports, principal, "adult", EndpointUpdate(settings=change), revision=revision)


def test_model_is_loaded_as_the_endpoint_wants_it_and_no_request_is_counted(
    ports: MemoryPorts, principal: Principal
) -> None:
    _change(ports, principal, warm=True, threads=2)
    bench = _start_function(ports, principal)
    for _ in range(2):
        assert reconciler.run(ports) == Healed(warmed=1)
    cache = bench.endpoints.describe_cache(principal.workspace_id)
    assert (cache["num_models"], cache["misses"], cache["hits"]) == (1, 1, 1)
    assert bench.infer(*_ROW).status == 200
    assert bench.endpoints.describe_cache(principal.workspace_id)["misses"] == 1
    counted = bench.get("/v2/models/adult/stats").json["model_stats"][0]
    assert counted["inference_stats"]["success"]["count"] == 1
    _change(ports, principal, warm=None)
    assert reconciler.run(ports) == Healed()


def test_model_that_cannot_be_loaded_keeps_nothing_else_from_healing(ports: MemoryPorts, principal: Principal) -> None:
    _change(ports, principal, warm=True)

    def out_of_memory(payload: object) -> dict[str, object]:
        raise InternalError("The predictions function broke.")

    ports.predictor = MemoryPredictor(out_of_memory)
    assert reconciler.run(ports) == Healed(faults=1)


def test_container_waits_in_any_case(ports: MemoryPorts, principal: Principal) -> None:
    _change(ports, principal, warm=True)
    revision = endpoints.get(ports, principal, "adult").revision
    moved = EndpointUpdate(engine=Engine(kind=EngineKind.CONTAINER))
    with pytest.raises(InvalidRequestError, match="set warm to null first"):
        endpoints.update(ports, principal, "adult", moved, revision=revision)


_ROW = (
    {"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [39]},
    {"name": "city", "datatype": "BYTES", "shape": [1, 1], "data": ["Oslo"]},
)
