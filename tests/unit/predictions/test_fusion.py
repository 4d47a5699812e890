"""Fusions whose members are loaded for themselves."""

import math
from typing import Any

import pytest

from aimass_core.domain import keys
from aimass_core.domain.endpoints import Endpoint
from aimass_core.domain.models import ArtifactName, ModelVersion
from aimass_core.ports import Delete
from aimass_core.services import endpoint_weights, records
from tests.factories.served_models import TABLE, Deployed, add_fusion, add_model_version, serve, table_model
from tests.unit.predictions.bench import Bench

ROWS: list[dict[str, Any]] = [{"age": 40, "city": "Rome"}, {"age": None, "city": "Oslo"}]
SCALES = (100.0, 10.0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def members(bench: Bench) -> list[ModelVersion]:
    return [
        add_model_version(
            bench.ports, bench.workspace_id, model=table_model(scale=scale), signature=TABLE, number=number
        )
        for number, scale in enumerate(SCALES, start=1)
    ]


def expected(row: dict[str, Any], weights: tuple[float, float]) -> float:
    """Of `yes`."""
    scores = [(row["age"] or 0) / scale + (row["city"] == "Rome") for scale in SCALES]
    chances = [1 / (1 + math.exp(-score)) for score in scores]
    return sum(weight * chance for weight, chance in zip(weights, chances, strict=True)) / sum(weights)


def answer(bench: Bench) -> list[float]:
    answered = bench.predict(*ROWS)
    assert answered.status == 200, answered.body
    return [found["probabilities"]["yes"] for found in answered.json["predictions"]]


def change(bench: Bench, deployed: Deployed, weights: dict[str, float] | None) -> None:
    endpoint = records.find(bench.ports, Endpoint, bench.workspace_id, deployed.endpoint.name)
    records.save(bench.ports, endpoint, endpoint.id, weights=weights)


def test_members_answer_together_and_count_what_the_endpoint_says(bench: Bench, members: list[ModelVersion]) -> None:
    deployed = serve(
        bench.ports, bench.workspace_id, add_fusion(bench.ports, bench.workspace_id, members, weights=[0.75, 0.25])
    )
    assert answer(bench) == pytest.approx([expected(row, (3, 1)) for row in ROWS], abs=1e-6)

    # From here nothing can be loaded any more: what changes the answers is the endpoint's row alone.
    for version in (*members, deployed.version):
        for artifact in version.artifacts:
            key = keys.model_object(version.workspace_id, version.model_id, version.number, artifact.name)
            bench.ports.lake.delete(key)
    change(bench, deployed, {"adult@1": 1.0, "adult@2": 4.0})
    bench.time.now += 3
    assert answer(bench) == pytest.approx([expected(row, (1, 4)) for row in ROWS], abs=1e-6)
    change(bench, deployed, None)
    bench.time.now += 3
    assert answer(bench) == pytest.approx([expected(row, (3, 1)) for row in ROWS], abs=1e-6)


def test_a_member_that_counts_nothing_is_not_asked(bench: Bench, members: list[ModelVersion]) -> None:
    deployed = serve(
        bench.ports, bench.workspace_id, add_fusion(bench.ports, bench.workspace_id, members, weights=[0.5, 0.5])
    )
    change(bench, deployed, {"adult@1": 0.0, "adult@2": 2.0})
    assert answer(bench) == pytest.approx([expected(row, (0, 1)) for row in ROWS], abs=1e-6)


def test_a_fusion_without_weights_is_served_too(bench: Bench, members: list[ModelVersion]) -> None:
    serve(bench.ports, bench.workspace_id, add_fusion(bench.ports, bench.workspace_id, members, weights=None))
    found = answer(bench)
    pairs = [expected(row, (1, 0)) for row in ROWS], [expected(row, (0, 1)) for row in ROWS]
    odds = [math.prod(chance / (1 - chance) for chance in both) for both in zip(*pairs, strict=True)]
    assert found == pytest.approx([each / (1 + each) for each in odds], abs=1e-6)


def test_the_open_inference_protocol_sees_one_model(bench: Bench, members: list[ModelVersion]) -> None:
    serve(bench.ports, bench.workspace_id, add_fusion(bench.ports, bench.workspace_id, members, weights=[0.5, 0.5]))
    told = bench.get("/v2/models/adult").json
    assert [spec["name"] for spec in told["inputs"]] == ["age", "city"]
    age = {"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [40.0]}
    city = {"name": "city", "datatype": "BYTES", "shape": [1, 1], "data": ["Rome"]}
    found = bench.infer(age, city).json["outputs"]
    assert found[1]["data"][1] == pytest.approx(expected(ROWS[0], (1, 1)), abs=1e-6)


def test_the_golden_request_goes_through_all_members(bench: Bench, members: list[ModelVersion]) -> None:
    version = add_fusion(bench.ports, bench.workspace_id, members, weights=[0.5, 0.5])
    payload = {
        "workspace_id": bench.workspace_id,
        "model_id": version.model_id,
        "number": version.number,
        "digest": version.digest,
        "inputs": {"age": [[40.0]], "city": [["Rome"]]},
    }
    found = bench.handler(payload, bench.context)["outputs"]  # type: ignore[arg-type]
    assert found["probabilities"][0][1] == pytest.approx(expected(ROWS[0], (1, 1)), abs=1e-6)
    key = keys.row(bench.workspace_id, ModelVersion.resource, members[1].model_id, members[1].number)
    bench.ports.registry.write(Delete(key=key, expected=members[1].revision))
    fresh = Bench(ports=bench.ports, workspace_id=bench.workspace_id)
    error = fresh.handler(payload, fresh.context)["error"]  # type: ignore[arg-type]
    assert "adult@2" in error["message"]
    assert "deleted" in error["message"]


def test_f8_a_member_that_was_replaced_is_refused(bench: Bench, members: list[ModelVersion]) -> None:
    serve(bench.ports, bench.workspace_id, add_fusion(bench.ports, bench.workspace_id, members, weights=[0.5, 0.5]))
    other = members[1]
    key = keys.model_object(other.workspace_id, other.model_id, other.number, ArtifactName.MODEL)
    bench.ports.lake.put(key, table_model(scale=1.0))
    answered = bench.predict(*ROWS)
    assert answered.status == 503
    assert "model.onnx was changed after its registration" in answered.json["detail"]


def test_members_are_found_by_the_versions_parents(bench: Bench, members: list[ModelVersion]) -> None:
    version = add_fusion(bench.ports, bench.workspace_id, members, weights=[0.75, 0.25])
    found = endpoint_weights.find_members(bench.ports, version)
    assert [(member.model_id, member.number, member.weight) for member in found] == [
        (members[0].model_id, 1, 0.75),
        (members[1].model_id, 2, 0.25),
    ]
    assert endpoint_weights.find_members(bench.ports, members[0]) == []
