"""What members count can be changed at an endpoint while it serves, and they stay as long as it does."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from aimass_core.adapters.memory import MemoryPorts, MemoryPredictor
from aimass_core.domain.common import Principal
from aimass_core.domain.endpoints import Endpoint, EndpointCreate, EndpointStatus, EndpointUpdate
from aimass_core.errors import ConflictError, InvalidRequestError, StaleRevisionError
from aimass_core.services import audit, endpoints, models
from tests.factories.platform import new_ports, new_principal
from tests.factories.served_models import register_fusion
from tests.unit.predictions.bench import Bench


@pytest.fixture
def principal() -> Principal:
    return new_principal()


@pytest.fixture
def ports(principal: Principal) -> MemoryPorts:
    """With the predictions function itself behind golden requests."""
    ports = new_ports()
    bench = Bench(ports=ports, workspace_id=principal.workspace_id)
    ports.predictor = MemoryPredictor(lambda payload: bench.handler(payload, bench.context))  # type: ignore[arg-type]
    return ports


def _deploy(
    ports: MemoryPorts, principal: Principal, *, weights: Sequence[float] | None, model: str = "adult@9"
) -> Endpoint:
    register_fusion(ports, principal, weights)
    created = endpoints.create(ports, principal, EndpointCreate(model=model))
    ready = endpoints.activate(ports, created.workspace_id, created.id)
    assert ready.status is EndpointStatus.READY, ready.status_reason
    return ready


def _update(ports: MemoryPorts, principal: Principal, weights: Mapping[str, float] | None) -> Endpoint:
    revision = endpoints.get(ports, principal, "adult").revision
    request = EndpointUpdate.model_validate({"weights": weights})
    return endpoints.update(ports, principal, "adult", request, revision=revision)


def test_weights_are_changed_seen_and_taken_back(ports: MemoryPorts, principal: Principal) -> None:
    deployed = _deploy(ports, principal, weights=[0.75, 0.25])
    updated = _update(ports, principal, {"adult@2": 3, "adult@1": 1})
    assert updated.weights == {"adult@1": 1.0, "adult@2": 3.0}
    assert (updated.serving, updated.status) == (deployed.serving, EndpointStatus.READY)
    detail = endpoints.to_detail(ports, endpoints.get(ports, principal, "adult"))
    assert detail.weights == {"adult@1": 1.0, "adult@2": 3.0}
    assert detail.serving is not None
    assert [member.weight for member in detail.serving.members] == [0.75, 0.25]
    assert _update(ports, principal, None).weights is None
    entries, _ = audit.list_page(ports, principal, limit=20, start=None)
    assert [entry.action for entry in entries if entry.created_by == principal.actor][:2] == ["endpoint.weights"] * 2


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"adult@1": 1.0}, "lacks adult@2"),
        ({"adult@1": 1.0, "adult@2": 1.0, "other@1": 1.0}, "also has other@1"),
        ({"adult@1": 0.0, "adult@2": 0.0}, "All weights are 0"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    ports: MemoryPorts, principal: Principal, weights: dict[str, float], words: str
) -> None:
    _deploy(ports, principal, weights=[0.75, 0.25])
    with pytest.raises(InvalidRequestError, match=words):
        _update(ports, principal, weights)
    assert endpoints.get(ports, principal, "adult").weights is None


@pytest.mark.parametrize("weights", [{"adult@1": -1.0}, {"adult@1": float("nan")}, {"adult@1": float("inf")}])
def test_what_is_no_weight_is_refused_before_that(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        EndpointUpdate.model_validate({"weights": weights})


@pytest.mark.parametrize("body", [{}, {"model": "adult@1", "weights": None}])
def test_one_thing_is_changed_at_a_time(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give one of `model`"):
        EndpointUpdate.model_validate(body)


def test_what_has_no_weights_says_so(ports: MemoryPorts, principal: Principal) -> None:
    _deploy(ports, principal, weights=None)
    with pytest.raises(InvalidRequestError, match="has no weights"):
        _update(ports, principal, {"adult@1": 1.0, "adult@2": 1.0})


def test_one_graph_says_so(ports: MemoryPorts, principal: Principal) -> None:
    _deploy(ports, principal, weights=[0.75, 0.25], model="adult@1")
    with pytest.raises(InvalidRequestError, match="placement: apart"):
        _update(ports, principal, {"adult@1": 1.0})


def test_weights_of_an_endpoint_that_changed_meanwhile_are_refused(ports: MemoryPorts, principal: Principal) -> None:
    deployed = _deploy(ports, principal, weights=[0.75, 0.25])
    request = EndpointUpdate(weights={"adult@1": 1.0, "adult@2": 1.0})
    with pytest.raises(StaleRevisionError):
        endpoints.update(ports, principal, "adult", request, revision=deployed.revision - 1)


def test_another_version_begins_with_its_own_weights(ports: MemoryPorts, principal: Principal) -> None:
    _deploy(ports, principal, weights=[0.75, 0.25])
    updated = _update(ports, principal, {"adult@1": 1.0, "adult@2": 3.0})
    request = EndpointUpdate(model="adult@1")
    waiting = endpoints.update(ports, principal, "adult", request, revision=updated.revision)
    assert waiting.weights == {"adult@1": 1.0, "adult@2": 3.0}, "the fusion still serves"
    assert endpoints.activate(ports, waiting.workspace_id, waiting.id).weights is None


def test_f10_members_stay_while_the_fusion_is_served(ports: MemoryPorts, principal: Principal) -> None:
    _deploy(ports, principal, weights=[0.75, 0.25])
    for number in (1, 2, 9):
        with pytest.raises(ConflictError, match="held by the endpoints"):
            models.delete_version(ports, principal, "adult", number)
    endpoints.delete(ports, principal, "adult")
    models.delete_version(ports, principal, "adult", 1)
    with pytest.raises(ConflictError, match="adult@1 beside itself, which was deleted"):
        endpoints.create(ports, principal, EndpointCreate(model="adult@9"))
