"""Decompositions whose gate and experts answer apart: as the one graph does, and what is told where one is missing."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aimass_core.adapters.memory import MemoryPredictor
from aimass_core.domain.common import new_id
from aimass_core.domain.endpoint_settings import EndpointSettings, FanOut
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.engines import Engine, EngineKind
from aimass_core.domain.expert_graphs import ExpertGraph
from aimass_core.domain.jobs import ModelRef
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.signatures import Signature
from aimass_core.errors import UnavailableError
from aimass_core.services import hosting, records
from tests.factories.hosts import Containers
from tests.factories.served_models import add_model_version, serve, to_served
from tests.unit.batch_jobs.channel_files import Columns
from tests.unit.batch_jobs.decompose.conftest import Decompose, Decomposed, class_columns, season_columns, value_columns
from tests.unit.predictions.bench import Bench

IN_FUNCTIONS = Engine(kind=EngineKind.DISTRIBUTED)
ON_MACHINES = Engine(kind=EngineKind.DISTRIBUTED, instance_type="ml.c5.large")
CASCADE = {
    "method": "cascade",
    "expert": {"algorithm": "xgboost", "hyperparameters": {"num_rounds": 60, "max_depth": 3}},
}
HIERARCHY = {"method": "hierarchy", "num_experts": 3, "num_active": 1}


@dataclass(kw_only=True)
class World:
    """A decomposition that is registered with its parts, and served twice: as one graph (`whole`) and apart."""

    folder: Path
    bench: Bench = field(default_factory=Bench)

    def __post_init__(self) -> None:
        self.containers = Containers(self.bench.ports, self.folder / "models")
        self.bench.ports.predictor = MemoryPredictor(self.containers.answer_invocation)  # type: ignore[arg-type]

    def register(self, done: Decomposed) -> ModelVersion:
        """The parts are the versions 1, 2, ... of models of their own."""
        parts = {}
        for number, path in enumerate(sorted((done.model_path.parent / "parts").iterdir()), start=1):
            version = self._add(path, number)
            parts[path.name] = ModelRef(model_id=version.model_id, model_name=version.model_name, number=number)
        whole = self._add(done.model_path, 9, experts=(done.model_path / "experts.json").read_bytes())
        return records.save(self.bench.ports, whole, whole.model_id, whole.number, parts=parts)

    def _add(self, path: Path, number: int, **files: Any) -> ModelVersion:
        signature = Signature.model_validate_json((path / "signature.json").read_bytes())
        model = (path / "model.onnx").read_bytes()
        return add_model_version(
            self.bench.ports,
            self.bench.workspace_id,
            model=model,
            signature=signature,
            number=number,
            model_id=new_id("mdl"),
            **files,
        )

    def serve(self, version: ModelVersion, engine: Engine, **changes: Any) -> Endpoint:
        """As `whole` and as `apart`; all hosts are up."""
        ports = self.bench.ports
        serve(ports, self.bench.workspace_id, version, name="whole")
        endpoint = serve(ports, self.bench.workspace_id, version, name="apart").endpoint
        placed = hosting.place(ports, self.bench.workspace_id, endpoint.id, to_served(version), engine)
        assert hosting.find_fault(ports, self.bench.workspace_id, placed) is None
        self.containers.start_all()
        return records.save(ports, endpoint, endpoint.id, serving=placed, **changes)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path)


def to_rows(columns: Columns, num_rows: int = 40) -> list[dict[str, Any]]:
    names = [name for name in columns if name != "target"]
    return [{name: columns[name][1][row] for name in names} for row in range(num_rows)]


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        (class_columns(), {"method": "hierarchy", "num_experts": 3, "num_active": 2}),
        (class_columns(), {"method": "output_codes"}),
        (class_columns(), {"method": "feature_groups", "num_experts": 2}),
        (class_columns(), CASCADE),
        (value_columns(), {"method": "clusters", "num_experts": 3, "num_active": 2}),
    ],
    ids=lambda value: value.get("method", "") if isinstance(value, dict) else "",
)
def test_parts_apart_answer_as_the_one_graph_does(
    world: World, run_job: Decompose, columns: Columns, options: dict[str, Any]
) -> None:
    version = world.register(run_job(columns, **options))
    world.serve(version, IN_FUNCTIONS)
    rows = to_rows(columns)
    whole, apart = (world.bench.predict(*rows, name=name) for name in ("whole", "apart"))
    assert apart.status == 200, apart.body
    assert apart.json["warnings"] == []
    for one, other in zip(apart.json["predictions"], whole.json["predictions"], strict=True):
        assert one.get("label") == other.get("label")
        assert numbers_of(one) == pytest.approx(numbers_of(other), rel=1e-5, abs=1e-5)


def numbers_of(prediction: dict[str, Any]) -> dict[str, float]:
    return prediction["probabilities"] or {"value": prediction["value"]}


def test_the_gate_is_asked_first_and_then_only_the_experts_that_it_chooses(world: World, run_job: Decompose) -> None:
    columns = class_columns()
    version = world.register(run_job(columns, **HIERARCHY))
    endpoint = world.serve(version, ON_MACHINES)
    assert endpoint.serving is not None
    hosts = {member.part: member.host for member in endpoint.serving.members}
    assert len(set(hosts.values())) == len(hosts) == 4
    assert all(hosts.values())
    assert world.bench.predict(to_rows(columns)[0], name="apart").status == 200
    first, *others = world.containers.asked
    assert first == hosts["gate"]
    assert len(others) == 1, "a row that one expert answers asks no other"

    moved = hosting.place(
        world.bench.ports, world.bench.workspace_id, endpoint.id, endpoint.serving, Engine(kind=EngineKind.LAMBDA)
    )
    assert moved.members == [], "as one graph again"


def test_an_answer_without_an_expert_is_marked_and_one_without_the_gate_is_none(
    world: World, run_job: Decompose
) -> None:
    columns = class_columns()
    version = world.register(run_job(columns, **HIERARCHY))
    world.serve(version, IN_FUNCTIONS, settings=EndpointSettings(fan_out=FanOut(quorum=1)))
    rows = to_rows(columns)
    numbers = {part: ref.number for part, ref in version.parts.items()}
    complete = world.bench.predict(*rows, name="apart").json["predictions"]
    world.containers.faults[numbers["expert-2"]] = UnavailableError("nobody is there")
    answered = world.bench.predict(*rows, name="apart")
    assert answered.status == 200, answered.body
    assert answered.json["warnings"] == ["answered without the expert expert-2: nobody is there"]
    same = [one == other for one, other in zip(answered.json["predictions"], complete, strict=True)]
    assert any(same), "rows of other experts are answered as before"
    assert not all(same), "rows of the one that is missing by how frequent its classes are"

    strict = records.find(world.bench.ports, Endpoint, world.bench.workspace_id, "apart")
    records.save(world.bench.ports, strict, strict.id, settings=EndpointSettings())
    world.bench.time.now += 3
    refused = world.bench.predict(*rows, name="apart")
    assert (refused.status, refused.code) == (503, "unavailable")
    assert "of 3 experts answered, and 3 have to. expert-2: nobody is there" in refused.json["detail"]

    world.containers.faults = {numbers["gate"]: UnavailableError("it is gone")}
    refused = world.bench.predict(*rows, name="apart")
    assert refused.status == 503
    assert "The gate, which chooses the experts, did not answer: it is gone" in refused.json["detail"]


def test_a_cascade_asks_the_next_expert_about_hard_rows_and_keeps_what_was_said_where_it_is_missing(
    world: World, run_job: Decompose
) -> None:
    columns = class_columns()
    done = run_job(columns, **CASCADE)
    version = world.register(done)
    numbers = {part: ref.number for part, ref in version.parts.items()}
    world.serve(version, IN_FUNCTIONS, settings=EndpointSettings(fan_out=FanOut(quorum=1)))
    rows = to_rows(columns)
    complete = world.bench.predict(*rows, name="apart").json["predictions"]

    world.containers.faults = {numbers["expert-2"]: UnavailableError("nobody is there")}
    answered = world.bench.predict(*rows, name="apart")
    assert answered.status == 200, answered.body
    assert answered.json["warnings"] == ["answered without the expert expert-2: nobody is there"]
    same = [one == other for one, other in zip(answered.json["predictions"], complete, strict=True)]
    assert any(same), "rows that the first is sure of are answered as before"
    assert not all(same)
    graph = ExpertGraph.model_validate_json((done.model_path / "experts.json").read_bytes())
    (limit,) = graph.combination.limits  # type: ignore[union-attr]
    sure = [max(one["probabilities"].values()) >= limit for one in answered.json["predictions"]]
    assert sure == same

    world.containers.faults = {numbers["expert-1"]: UnavailableError("it is gone")}
    refused = world.bench.predict(*rows, name="apart")
    assert (refused.status, refused.code) == (503, "unavailable")


def test_a_sum_knows_no_term_that_is_missing(world: World, run_job: Decompose) -> None:
    quick = {"algorithm": "nlinear", "hyperparameters": {"epochs": 2}}
    done = run_job(season_columns(), method="components", expert=quick, target="target", horizon=6, window=36)
    graph = ExpertGraph.model_validate_json((done.model_path / "experts.json").read_bytes())
    version = world.register(done)
    world.serve(version, IN_FUNCTIONS, settings=EndpointSettings(fan_out=FanOut(quorum=1)))
    signature = Signature.model_validate_json((done.model_path / "signature.json").read_bytes())
    row = {str(spec.column): [float(step % 12) for step in range(spec.shape[1])] for spec in signature.inputs}
    whole, apart = (world.bench.predict(row, name=name) for name in ("whole", "apart"))
    assert apart.status == 200, apart.body
    assert apart.json["predictions"][0]["values"] == pytest.approx(whole.json["predictions"][0]["values"], rel=1e-4)
    world.containers.faults[version.parts[graph.experts[0].part].number] = UnavailableError("nobody is there")
    assert world.bench.predict(row, name="apart").status == 503
