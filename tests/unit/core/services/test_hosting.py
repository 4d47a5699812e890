"""Engines of endpoints: hosts are made for a candidate, give its golden answer, and go when nobody wants them."""

import pytest

from aimass_core.adapters.memory import MemoryPorts, MemoryPredictor
from aimass_core.domain.common import Principal, new_id
from aimass_core.domain.endpoints import Endpoint, EndpointCreate, EndpointStatus, EndpointUpdate, ServedModel
from aimass_core.domain.engines import Engine, EngineKind, HostStatus
from aimass_core.domain.hosts import HostOwner, to_host_name, to_host_owner
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Host
from aimass_core.services import endpoints, reconciler, records, rollouts
from functions.dispatch.app import make_handler
from tests.factories.platform import ManualClock, new_ports, new_principal
from tests.factories.served_models import register_fusion
from tests.unit.core.services.test_endpoints import ScriptedPredictor, predictor, principal

__all__ = ["predictor", "principal"]

CONTAINER = Engine(kind=EngineKind.CONTAINER, instances=2)


@pytest.fixture
def ports(clock: ManualClock, predictor: ScriptedPredictor) -> MemoryPorts:
    ports = new_ports(clock)
    ports.predictor = MemoryPredictor(predictor)
    return ports


def activate(ports: MemoryPorts, endpoint: Endpoint) -> Endpoint:
    return endpoints.activate(ports, endpoint.workspace_id, endpoint.id)


def change(ports: MemoryPorts, principal: Principal, **fields: object) -> Endpoint:
    revision = endpoints.get(ports, principal, "adult").revision
    request = EndpointUpdate.model_validate(fields)
    return activate(ports, endpoints.update(ports, principal, "adult", request, revision=revision))


def start_all(ports: MemoryPorts) -> None:
    for name in ports.hosting.hosts:
        ports.hosting.set_state(name, HostStatus.READY)


def host_of(model: ServedModel | None) -> str:
    assert model is not None
    assert model.host is not None
    return model.host


def serve_on_containers(ports: MemoryPorts, principal: Principal) -> Endpoint:
    endpoint = activate(ports, endpoints.create(ports, principal, EndpointCreate(model="adult@1", engine=CONTAINER)))
    start_all(ports)
    return activate(ports, endpoint)


def test_names_of_hosts_lead_back_to_their_endpoints() -> None:
    workspace_id, endpoint_id = new_id("ws"), new_id("ep")
    name = to_host_name(workspace_id, endpoint_id, new_id("host"))
    assert len(name) <= 63
    assert to_host_owner(name) == HostOwner(workspace_id, endpoint_id)
    for foreign in ("aimass-1", "other-endpoint", name.upper(), f"{name}-1"):
        assert to_host_owner(foreign) is None


def test_the_golden_request_waits_for_the_containers_and_goes_through_them(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor
) -> None:
    created = activate(ports, endpoints.create(ports, principal, EndpointCreate(model="adult@1", engine=CONTAINER)))
    assert (created.status, created.status_reason) == (EndpointStatus.CREATING, "Its containers are starting.")
    assert predictor.asked == []
    (host,) = ports.hosting.hosts.values()
    assert created.candidate is not None
    prefix = f"models/{principal.workspace_id}/{created.candidate.model_id}/00000001/"
    assert host == Host(name=host_of(created.candidate), prefix=prefix, instance_type="ml.c5.large", instances=2)
    start_all(ports)
    ready = activate(ports, created)
    assert (ready.status, ready.status_reason) == (EndpointStatus.READY, None)
    assert [asked["host"] for asked in predictor.asked] == [host.name]
    assert activate(ports, ready) == ready
    assert list(ports.hosting.hosts) == [host.name]


def test_an_event_of_a_host_brings_its_endpoint_forward(ports: MemoryPorts, principal: Principal) -> None:
    created = activate(ports, endpoints.create(ports, principal, EndpointCreate(model="adult@1", engine=CONTAINER)))
    start_all(ports)
    handler = make_handler(lambda: ports)

    def tell(name: str) -> None:
        assert handler({"source": "aws.sagemaker", "detail": {"EndpointName": name}}, None) is None  # type: ignore[arg-type]

    tell(host_of(created.candidate))
    assert endpoints.get(ports, principal, "adult").status is EndpointStatus.READY
    tell("somebody-elses")
    tell(to_host_name(principal.workspace_id, new_id("ep"), new_id("host")))


def test_moving_keeps_what_serves_until_the_other_engine_has_proved_itself(
    ports: MemoryPorts, principal: Principal, predictor: ScriptedPredictor
) -> None:
    first = activate(ports, endpoints.create(ports, principal, EndpointCreate(model="adult@1")))
    assert first.serving is not None
    moving = change(ports, principal, engine={"kind": "container"})
    assert (moving.status, moving.serving) == (EndpointStatus.UPDATING, first.serving)
    start_all(ports)
    moved = activate(ports, moving)
    assert (moved.status, moved.previous) == (EndpointStatus.READY, first.serving)
    assert host_of(moved.serving) in ports.hosting.hosts
    other = change(ports, principal, model="adult@2")
    assert other.candidate is not None
    assert other.candidate.engine.kind is EngineKind.CONTAINER, "another version stays on its engine"
    assert host_of(other.candidate) != host_of(moved.serving)
    start_all(ports)
    activate(ports, other)
    back = change(ports, principal, engine={"kind": "lambda"})
    assert back.status is EndpointStatus.READY
    assert back.serving is not None
    assert (back.serving.host, back.serving.number) == (None, 2)


def test_containers_that_do_not_come_up_leave_what_serves(ports: MemoryPorts, principal: Principal) -> None:
    first = activate(ports, endpoints.create(ports, principal, EndpointCreate(model="adult@1")))
    moving = change(ports, principal, engine={"kind": "container"})
    ports.hosting.set_state(host_of(moving.candidate), HostStatus.FAILED, reason="no golden answer")
    failed = activate(ports, moving)
    assert (failed.status, failed.serving, failed.candidate) == (EndpointStatus.READY, first.serving, None)
    assert "adult@1 still serves. Its containers did not come up: no golden answer" in str(failed.status_reason)


def test_machines_that_are_refused_are_told(ports: MemoryPorts, principal: Principal) -> None:
    ports.hosting.refusal = InvalidRequestError("SageMaker will not host this model: there is no ml.x9.huge.")
    failed = activate(ports, endpoints.create(ports, principal, EndpointCreate(model="adult@1", engine=CONTAINER)))
    assert failed.status is EndpointStatus.FAILED
    assert failed.status_reason == "SageMaker will not host this model: there is no ml.x9.huge."


def test_hosts_that_nobody_wants_are_deleted_and_no_others(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    served = serve_on_containers(ports, principal)
    abandoned = change(ports, principal, model="adult@2")
    change(ports, principal, model="adult@2")
    foreign = Host(name="somebody-elses", prefix="", instance_type="ml.c5.large", instances=1)
    ports.hosting.create(foreign)
    assert len(ports.hosting.hosts) == 4
    reconciler.run(ports)
    assert len(ports.hosting.hosts) == 4, "whoever has read the endpoint a moment ago may still ask it"
    clock.advance(61)
    assert reconciler.run(ports).hosts == 1
    assert host_of(abandoned.candidate) not in ports.hosting.hosts
    assert host_of(served.serving) in ports.hosting.hosts
    endpoints.delete(ports, principal, "adult")
    assert reconciler.run(ports).hosts == 2
    assert list(ports.hosting.hosts) == [foreign.name]


def test_a_rollback_is_instant_while_its_machines_are_kept_and_starts_others_later(
    ports: MemoryPorts, principal: Principal, clock: ManualClock
) -> None:
    first = serve_on_containers(ports, principal)
    change(ports, principal, engine={"kind": "lambda"})
    clock.advance(14 * 60)
    assert reconciler.run(ports).hosts == 0
    endpoint = endpoints.get(ports, principal, "adult")
    back = rollouts.roll_back(ports, principal, endpoint)
    assert (back.status, back.serving) == (EndpointStatus.READY, first.serving)
    change(ports, principal, engine={"kind": "lambda"})
    clock.advance(16 * 60)
    assert reconciler.run(ports).hosts == 1
    assert ports.hosting.hosts == {}
    endpoint = endpoints.get(ports, principal, "adult")
    placed = activate(ports, rollouts.roll_back(ports, principal, endpoint))
    assert placed.status is EndpointStatus.UPDATING
    assert placed.serving == endpoint.serving
    start_all(ports)
    assert host_of(activate(ports, placed).serving) in ports.hosting.hosts


def test_machines_get_more_time_than_a_function(ports: MemoryPorts, principal: Principal, clock: ManualClock) -> None:
    activate(ports, endpoints.create(ports, principal, EndpointCreate(model="adult@1", engine=CONTAINER)))
    clock.advance(20 * 60)
    reconciler.run(ports)
    assert endpoints.get(ports, principal, "adult").status is EndpointStatus.CREATING
    clock.advance(11 * 60)
    reconciler.run(ports)
    failed = endpoints.get(ports, principal, "adult")
    assert failed.status is EndpointStatus.FAILED
    assert "within 30 minutes" in str(failed.status_reason)


def test_an_engine_that_does_not_fit_the_model_is_refused(ports: MemoryPorts, principal: Principal) -> None:
    with pytest.raises(InvalidRequestError, match="adult@1 is one graph: there is nothing to distribute"):
        endpoints.create(ports, principal, EndpointCreate(model="adult@1", engine=Engine(kind=EngineKind.DISTRIBUTED)))
    other = new_principal()
    register_fusion(ports, other, [0.5, 0.5])
    with pytest.raises(InvalidRequestError, match="members apart, which one container does not hold"):
        endpoints.create(ports, other, EndpointCreate(model="adult", engine=CONTAINER))
    distributed = Engine(kind=EngineKind.DISTRIBUTED, instance_type="ml.c5.large")
    endpoint = activate(ports, endpoints.create(ports, other, EndpointCreate(model="adult", engine=distributed)))
    assert endpoint.candidate is not None
    assert endpoint.candidate.host is None
    assert {member.host for member in endpoint.candidate.members} == set(ports.hosting.hosts)
    assert len(ports.hosting.hosts) == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "lambda", "instance_type": "ml.c5.large"}, "instance_type belongs to the engine container"),
        ({"kind": "distributed", "instances": 2}, "instances needs an instance_type"),
        ({"kind": "container", "instance_type": "c5.large"}, "should match pattern"),
        ({"kind": "container", "instances": 0}, "greater than or equal to 1"),
        ({"kind": "cluster"}, "Input should be 'lambda', 'container' or 'distributed'"),
    ],
    ids=str,
)
def test_engines_that_make_no_sense_are_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Engine.model_validate(fields)


def test_rows_from_before_there_were_engines_are_read(ports: MemoryPorts, principal: Principal) -> None:
    endpoint = activate(ports, endpoints.create(ports, principal, EndpointCreate(model="adult@1")))
    data = endpoint.model_dump(mode="json")
    del data["serving"]["engine"], data["serving"]["host"]
    assert Endpoint.model_validate(data).serving == endpoint.serving
    assert records.get(ports, Endpoint, endpoint.workspace_id, endpoint.id) == endpoint
