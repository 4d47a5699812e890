"""Models that answer somewhere else: the same answers, whatever the engine; members that fail as far as they may."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from aimass_core.adapters.memory import MemoryPredictor
from aimass_core.domain.endpoint_settings import Batching, EndpointSettings, FanOut
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.engines import Engine, EngineKind
from aimass_core.domain.models import ModelVersion
from aimass_core.errors import MalformedRequestError, UnavailableError
from aimass_core.inference.oip import inference
from aimass_core.inference.serving.elsewhere import from_attribute
from aimass_core.ports import HostAnswer
from aimass_core.services import endpoint_weights, hosting, records
from tests.factories.hosts import Containers
from tests.factories.served_models import TABLE, add_fusion, add_model_version, serve, table_model, to_served
from tests.unit.predictions.bench import Bench, age, city

ROWS: list[dict[str, Any]] = [{"age": 40, "city": "Rome"}, {"age": None, "city": "Oslo"}]
CONTAINER = Engine(kind=EngineKind.CONTAINER)
DISTRIBUTED = Engine(kind=EngineKind.DISTRIBUTED)
ON_MACHINES = Engine(kind=EngineKind.DISTRIBUTED, instance_type="ml.c5.large")
SCALES = (100.0, 10.0, 1.0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def containers(bench: Bench, tmp_path: Any) -> Containers:
    made = Containers(bench.ports, tmp_path / "models")
    bench.ports.predictor = MemoryPredictor(made.answer_invocation)  # type: ignore[arg-type]
    return made


def place(bench: Bench, containers: Containers, version: ModelVersion, engine: Engine, **changes: Any) -> Endpoint:
    """Serves a version on an engine whose containers are up."""
    endpoint = serve(bench.ports, bench.workspace_id, version).endpoint
    model = to_served(version).model_copy(update={"members": endpoint_weights.find_members(bench.ports, version)})
    placed = hosting.place(bench.ports, bench.workspace_id, endpoint.id, model, engine)
    assert hosting.find_fault(bench.ports, bench.workspace_id, placed) is None
    containers.start_all()
    assert hosting.are_ready(bench.ports, placed)
    return records.save(bench.ports, endpoint, endpoint.id, serving=placed, **changes)


@pytest.fixture
def fusion(bench: Bench) -> ModelVersion:
    members = [
        add_model_version(
            bench.ports, bench.workspace_id, model=table_model(scale=scale), signature=TABLE, number=number
        )
        for number, scale in enumerate(SCALES, start=1)
    ]
    return add_fusion(bench.ports, bench.workspace_id, members, weights=[0.5, 0.25, 0.25])


def test_a_container_gives_the_answers_of_the_function(bench: Bench, containers: Containers) -> None:
    version = add_model_version(bench.ports, bench.workspace_id, model=table_model(), signature=TABLE)
    serve(bench.ports, bench.workspace_id, version, name="here")
    endpoint = place(bench, containers, version, CONTAINER)
    assert endpoint.serving is not None
    there, here = bench.predict(*ROWS), bench.predict(*ROWS, name="here")
    assert there.json["predictions"] == here.json["predictions"]
    outputs = bench.infer(age(40.0), city("Rome")).json["outputs"]
    assert outputs == bench.infer(age(40.0), city("Rome"), name="here").json["outputs"]
    assert set(containers.asked) == {endpoint.serving.host}
    assert len(bench.endpoints._models) == 1, "the model that answers there is not loaded here"


def test_what_a_container_says_of_a_request_reaches_the_caller(bench: Bench, containers: Containers) -> None:
    version = add_model_version(bench.ports, bench.workspace_id, model=table_model(), signature=TABLE)
    place(bench, containers, version, CONTAINER)
    containers.faults[1] = UnavailableError("The containers of this endpoint do not answer now. Try again.")
    answered = bench.infer(age(40.0), city("Rome"))
    assert (answered.status, answered.error) == (503, "The containers of this endpoint do not answer now. Try again.")
    bench.ports.hosting.answer = lambda *_: HostAnswer(status=200, content_type="text/html", content=b"<p>hello")
    answered = bench.infer(age(40.0), city("Rome"))
    assert answered.status == 500
    assert "does not keep to the protocol" in answered.error
    problem = b'{"detail": "there is no such city", "status": 422}'
    bench.ports.hosting.answer = lambda *_: HostAnswer(status=422, content_type="application/json", content=problem)
    answered = bench.infer(age(40.0), city("Rome"))
    assert (answered.status, answered.error) == (400, "there is no such city")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Opened at the end, so that no thread waits on."""
    event = threading.Event()
    yield event
    event.set()


def test_a_container_that_is_late_is_not_waited_for(
    bench: Bench, containers: Containers, gate: threading.Event
) -> None:
    version = add_model_version(bench.ports, bench.workspace_id, model=table_model(), signature=TABLE)
    place(bench, containers, version, CONTAINER)

    def wait(*_: object) -> HostAnswer:
        gate.wait(60)
        return HostAnswer(status=200, content_type="application/json", content=b"{}")

    bench.ports.hosting.answer = wait
    bench.context.milliseconds = 1_050
    assert bench.infer(age(40.0), city("Rome")).status == 504


@pytest.mark.parametrize("engine", [DISTRIBUTED, ON_MACHINES], ids=["invocations", "machines"])
def test_members_apart_answer_as_they_do_together(
    bench: Bench, containers: Containers, fusion: ModelVersion, engine: Engine
) -> None:
    serve(bench.ports, bench.workspace_id, fusion, name="here")
    place(bench, containers, fusion, engine)
    there = bench.predict(*ROWS).json
    assert there["predictions"] == bench.predict(*ROWS, name="here").json["predictions"]
    assert there["warnings"] == []
    assert len(set(containers.asked)) == len(SCALES)


def test_members_are_asked_at_the_same_time(bench: Bench, containers: Containers, fusion: ModelVersion) -> None:
    place(bench, containers, fusion, DISTRIBUTED)
    together = threading.Barrier(len(SCALES))
    answer = containers.answer_invocation

    def meet(payload: Any) -> Any:
        together.wait(timeout=30)  # breaks where one is asked after the other
        return answer(payload)

    bench.ports.predictor = MemoryPredictor(meet)
    assert bench.predict(*ROWS).status == 200


def test_a_partial_answer_says_what_is_missing(bench: Bench, containers: Containers, fusion: ModelVersion) -> None:
    settings = EndpointSettings(fan_out=FanOut(quorum=2))
    place(bench, containers, fusion, DISTRIBUTED, settings=settings)
    containers.faults[2] = UnavailableError("nobody is there")
    answered = bench.predict(*ROWS).json
    assert answered["warnings"] == ["answered without the member adult@2: nobody is there"]
    score = 40 / np.array([SCALES[0], SCALES[2]]) + 1
    expected = float(np.average(1 / (1 + np.exp(-score)), weights=[0.5, 0.25]))
    assert answered["predictions"][0]["probabilities"]["yes"] == pytest.approx(expected, abs=1e-5)
    told = bench.infer(age(40.0), city("Rome")).json["parameters"]["warnings"]
    assert told == "answered without the member adult@2: nobody is there"
    containers.faults[3] = UnavailableError("nor here")
    refused = bench.predict(*ROWS)
    assert refused.status == 503
    assert "1 of 3 members answered, and 2 have to" in refused.json["detail"]


def test_without_a_quorum_all_members_have_to_answer(
    bench: Bench, containers: Containers, fusion: ModelVersion
) -> None:
    place(bench, containers, fusion, DISTRIBUTED)
    containers.faults[3] = UnavailableError("nobody is there")
    refused = bench.predict(*ROWS)
    assert refused.status == 503
    assert "2 of 3 members answered, and 3 have to. adult@3: nobody is there" in refused.json["detail"]


def test_a_member_that_is_late_is_left_out(
    bench: Bench, containers: Containers, fusion: ModelVersion, gate: threading.Event
) -> None:
    settings = EndpointSettings(fan_out=FanOut(quorum=1, seconds=2))
    place(bench, containers, fusion, DISTRIBUTED, settings=settings)
    answer = containers.answer_invocation

    def wait(payload: Any) -> Any:
        if payload["number"] == 1:
            gate.wait(60)
        return answer(payload)

    bench.ports.predictor = MemoryPredictor(wait)
    assert bench.predict(*ROWS).json["warnings"] == [
        "answered without the member adult@1: it did not answer within 2 s"
    ]


def test_a_stack_knows_no_answer_that_is_missing(bench: Bench, containers: Containers) -> None:
    members = [
        add_model_version(
            bench.ports, bench.workspace_id, model=table_model(scale=scale), signature=TABLE, number=number
        )
        for number, scale in enumerate(SCALES, start=1)
    ]
    stack = add_fusion(bench.ports, bench.workspace_id, members, weights=None)
    place(bench, containers, stack, DISTRIBUTED, settings=EndpointSettings(fan_out=FanOut(quorum=1)))
    assert bench.predict(*ROWS).status == 200
    containers.faults[1] = UnavailableError("nobody is there")
    assert bench.predict(*ROWS).status == 503


def test_the_wire_is_the_protocols_own(bench: Bench, containers: Containers) -> None:
    """What goes out is a request that any server of the protocol reads."""
    version = add_model_version(bench.ports, bench.workspace_id, model=table_model(), signature=TABLE)
    place(bench, containers, version, CONTAINER)
    seen: list[tuple[bytes, str]] = []
    answer = bench.ports.hosting.answer
    assert answer is not None

    def look(host: Any, body: bytes, content_type: str) -> HostAnswer:
        seen.append((body, content_type))
        return answer(host, body, content_type)

    bench.ports.hosting.answer = look
    assert bench.predict(*ROWS).status == 200
    (body, content_type), *_ = seen
    prefix, _, length = content_type.rpartition("=")
    assert prefix == "application/vnd.sagemaker-triton.binary+json;json-header-size"
    read = inference.read_request(body, length, TABLE)
    assert list(read.outputs.values()) == [True, True]
    assert read.inputs["city"].tolist() == [["Rome"], ["Oslo"]]


def test_live_parameters_reach_containers_with_the_requests(bench: Bench, containers: Containers) -> None:
    version = add_model_version(bench.ports, bench.workspace_id, model=table_model(), signature=TABLE)
    endpoint = place(bench, containers, version, CONTAINER)
    bench.predict(*ROWS)
    assert bench.ports.hosting.attributes == [None]
    settings = EndpointSettings(version=3, batching=Batching(max_rows=7))
    records.save(bench.ports, endpoint, endpoint.id, settings=settings)
    bench.time.now += 3
    bench.predict(*ROWS)
    name, _, value = str(bench.ports.hosting.attributes[-1]).partition("=")
    assert name == "aimass-settings"
    assert from_attribute(value) == settings
    with pytest.raises(MalformedRequestError):
        from_attribute("nothing")
