"""Which model answers, and which never does."""

import contextlib
import hashlib
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from aimass_core.domain import graph_check, keys
from aimass_core.domain.endpoints import Endpoint, EndpointStatus
from aimass_core.domain.graph_check import GraphError
from aimass_core.domain.models import ArtifactName
from aimass_core.errors import UnavailableError
from aimass_core.inference.serving.endpoints import ModelCache
from aimass_core.inference.serving.store import ModelAddress, ModelRefusedError, ModelStore
from aimass_core.services import records
from tests.factories.served_models import (
    IMAGES,
    TABLE,
    Deployed,
    add_external_data,
    add_model_version,
    deploy,
    finish,
    table_model,
    to_served,
)
from tests.unit.predictions.bench import Bench, age, city

ASKED = (age(39), city("Oslo"))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def address_of(deployed: Deployed) -> ModelAddress:
    version = deployed.version
    return ModelAddress(
        workspace_id=version.workspace_id, model_id=version.model_id, number=version.number, digest=version.digest
    )


def switch(bench: Bench, deployed: Deployed, **changes: object) -> Endpoint:
    endpoint = records.get(bench.ports, Endpoint, bench.workspace_id, deployed.endpoint.id)
    return records.save(bench.ports, endpoint, endpoint.id, **changes)  # type: ignore[arg-type]


def test_update_is_seen_once_the_endpoint_has_aged(bench: Bench) -> None:
    deployed = deploy(bench.ports, bench.workspace_id)
    assert bench.infer(*ASKED).json["model_version"] == "1"
    second = add_model_version(bench.ports, bench.workspace_id, model=table_model(scale=1.0), signature=TABLE, number=2)
    switch(bench, deployed, serving=to_served(second))
    assert bench.infer(*ASKED).json["model_version"] == "1"
    bench.time.now += 2.1
    answer = bench.infer(*ASKED).json
    assert answer["model_version"] == "2"
    assert answer["outputs"][1]["data"][1] == pytest.approx(1.0, abs=1e-6)


def test_endpoint_that_serves_nothing_says_why(bench: Bench) -> None:
    deployed = deploy(bench.ports, bench.workspace_id)
    switch(bench, deployed, serving=None, status=EndpointStatus.FAILED, status_reason="The golden answer was wrong.")
    answer = bench.infer(*ASKED)
    assert answer.status == 503
    assert "The golden answer was wrong." in answer.error
    ready = bench.get("/v2/models/adult/ready")
    assert ready.status == 503
    assert ready.json["ready"] is False
    entries = bench.post("/v2/repository/index", {}).json
    assert entries == [{"name": "adult", "state": "UNAVAILABLE", "reason": "The golden answer was wrong."}]


@pytest.mark.parametrize("name", [ArtifactName.MODEL, ArtifactName.SIGNATURE])
def test_artifact_that_was_replaced_after_registration_is_refused(bench: Bench, name: ArtifactName) -> None:
    deployed = deploy(bench.ports, bench.workspace_id)
    version = deployed.version
    key = keys.model_object(version.workspace_id, version.model_id, version.number, name)
    body = bench.ports.lake.get(key)
    bench.ports.lake.put(key, table_model(scale=2.0) if name is ArtifactName.MODEL else body.replace(b"90", b"99"))
    answer = bench.infer(*ASKED)
    assert answer.status == 503
    assert "was changed after its registration" in answer.error
    assert bench.get("/v2/models/adult/ready").status == 503


def test_loaded_model_keeps_answering_when_its_file_vanishes(bench: Bench) -> None:
    deployed = deploy(bench.ports, bench.workspace_id)
    bench.infer(*ASKED)
    bench.ports.lake.delete(deployed.model_key)
    assert bench.infer(*ASKED).status == 200


def test_model_on_disk_is_checked_and_fetched_again_where_it_is_damaged(bench: Bench) -> None:
    deployed = deploy(bench.ports, bench.workspace_id)
    store = ModelStore(bench.ports, bench.folder)
    store.load(address_of(deployed))
    path = bench.folder / deployed.version.digest / "model.onnx"
    good = path.read_bytes()
    assert hashlib.sha256(good).hexdigest() == deployed.version.digest
    path.write_bytes(good[:-1] + b"\x00")
    store.load(address_of(deployed))
    assert path.read_bytes() == good
    bench.ports.lake.delete(deployed.model_key)
    assert store.load(address_of(deployed)).num_bytes == len(good)


def test_disk_that_cannot_be_written_does_not_hinder_serving(bench: Bench, tmp_path: Path) -> None:
    deployed = deploy(bench.ports, bench.workspace_id)
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert ModelStore(bench.ports, blocked / "models").load(address_of(deployed)).num_bytes > 0


def test_model_that_is_refused_is_not_fetched_with_every_request(bench: Bench) -> None:
    deployed = deploy(bench.ports, bench.workspace_id)
    good = bench.ports.lake.get(deployed.model_key)
    bench.ports.lake.delete(deployed.model_key)
    assert bench.infer(*ASKED).status == 503
    bench.ports.lake.put(deployed.model_key, good)
    assert bench.infer(*ASKED).status == 503
    bench.time.now += 6
    assert bench.infer(*ASKED).status == 200


def test_lake_that_is_away_is_asked_again_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(bench.ports, bench.workspace_id)

    def away(key: str) -> bytes:
        raise UnavailableError("The blob store is busy. Try again.")

    with monkeypatch.context() as patched:
        patched.setattr(bench.ports.lake, "get", away)
        assert bench.infer(*ASKED).status == 503
    assert bench.infer(*ASKED).status == 200


def test_least_recently_used_models_leave_the_memory(bench: Bench) -> None:
    addresses = [
        address_of(deploy(bench.ports, bench.workspace_id, name=f"model-{number}", model=table_model(scale=number)))
        for number in (1, 2, 3)
    ]
    size = len(table_model())
    cache = ModelCache(ModelStore(bench.ports, bench.folder), max_bytes=2 * size + 10)
    first = cache.get(addresses[0])
    cache.get(addresses[1])
    assert cache.get(addresses[0]) is first
    cache.get(addresses[2])
    assert len(cache) == 2
    assert cache.get(addresses[0]) is first


def test_equal_models_of_two_workspaces_stay_apart(bench: Bench) -> None:
    mine = deploy(bench.ports, bench.workspace_id)
    theirs = deploy(bench.ports, "ws_other")
    cache = ModelCache(ModelStore(bench.ports, bench.folder))
    assert cache.get(address_of(mine)) is not cache.get(address_of(theirs))


# --- files that are never run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["initializer", "subgraph"])
@pytest.mark.parametrize("location", ["../../etc/passwd", "/etc/passwd", "weights.bin"])
def test_external_data_is_refused(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, where: str
) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path)
    deploy(bench.ports, bench.workspace_id, model=add_external_data(table_model(), location, where=where))
    answer = bench.infer(*ASKED)
    assert answer.status == 503
    assert "refers to data outside of the file" in answer.error
    assert location not in answer.error


def custom_operator(*, in_function: bool) -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Run", ["x"], ["y"], domain="evil" if not in_function else "local")],
        "custom",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    model = onnx.load_model_from_string(finish(graph, domains=() if in_function else ("evil",)))
    if in_function:
        node = helper.make_node("Exec", ["x"], ["y"], domain="evil")
        imports = [helper.make_opsetid("evil", 1)]
        model.functions.append(helper.make_function("local", "Run", ["x"], ["y"], [node], imports))
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("in_function", [False, True])
def test_operators_of_other_domains_are_refused(in_function: bool) -> None:
    with pytest.raises(GraphError, match=r"operators of the domain '(evil|local)'"):
        graph_check.check(custom_operator(in_function=in_function))


@pytest.mark.parametrize(
    ("op_type", "domain", "is_run"),
    [
        ("DynamicQuantizeLSTM", "com.microsoft", True),
        ("FusedMatMul", "com.microsoft", False),
        ("DynamicQuantizeLSTM", "com.microsoft.nchwc", False),
        ("DynamicQuantizeLSTM", "evil", False),
        ("", "com.microsoft", False),
    ],
)
@pytest.mark.parametrize("is_inner", [False, True])
def test_of_onnx_runtimes_own_operators_those_are_run_that_are_named(
    op_type: str, domain: str, is_run: bool, is_inner: bool
) -> None:
    node = helper.make_node(op_type, ["x"], ["y"], domain=domain)
    if is_inner:
        graph = helper.make_graph([node], "inner", [], [])
        node = helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph([node], "g", [], []), opset_imports=imports).SerializeToString()
    if is_run:
        graph_check.check(model)
        return
    with pytest.raises(GraphError, match=f"operators of the domain '{domain}'"):
        graph_check.check(model)


def test_of_a_field_that_is_there_twice_the_last_one_is_what_is_run() -> None:
    """As protobuf reads it: what comes first is no disguise."""
    for first, last, is_run in (("com.microsoft", "evil", False), ("evil", "", True)):
        node = b"".join(_field(7, each) for each in (first, last)) + _field(4, "Add")
        graph = _field(7, _field(1, node))
        assert onnx.load_model_from_string(graph).graph.node[0].domain == last
        with contextlib.nullcontext() if is_run else pytest.raises(GraphError, match="'evil'"):
            graph_check.check(graph)


def _field(number: int, value: str | bytes) -> bytes:
    """Of less than 128 bytes."""
    body = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(body)]) + body


@pytest.mark.parametrize(
    ("model", "word"),
    [
        (b"", "ONNX Runtime refuses it"),
        (b"\x80\x04\x95pickle.", "not an ONNX file"),
        (b"PK\x03\x04" + bytes(100), "not an ONNX file"),
        (finish(onnx.load_model_from_string(table_model()).graph, opset=9999), "ONNX Runtime refuses it"),
        (table_model()[:-50], "cut off"),
    ],
    ids=["empty", "pickle", "zip", "opset-9999", "cut"],
)
def test_what_is_no_servable_model_is_refused(bench: Bench, model: bytes, word: str) -> None:
    version = add_model_version(bench.ports, bench.workspace_id, model=model, signature=TABLE)
    address = ModelAddress(workspace_id=bench.workspace_id, model_id=version.model_id, number=1, digest=version.digest)
    with pytest.raises(ModelRefusedError, match=word):
        ModelStore(bench.ports, bench.folder).load(address)


def test_f6_cyclic_graph_is_refused(bench: Bench) -> None:
    model = onnx.load_model_from_string(table_model())
    model.graph.node[2].input[0] = "probabilities"
    version = add_model_version(
        bench.ports, bench.workspace_id, model=bytes(model.SerializeToString()), signature=TABLE
    )
    address = ModelAddress(workspace_id=bench.workspace_id, model_id=version.model_id, number=1, digest=version.digest)
    with pytest.raises(ModelRefusedError, match="ONNX Runtime refuses it"):
        ModelStore(bench.ports, bench.folder).load(address)


def test_signature_of_another_model_is_refused(bench: Bench) -> None:
    deploy(bench.ports, bench.workspace_id, signature=IMAGES)
    assert "its input 'image' is missing" in bench.infer(*ASKED).error


def test_f3_no_flip_or_cut_of_a_model_gets_past_the_digest(bench: Bench) -> None:
    model = table_model()
    deployed = deploy(bench.ports, bench.workspace_id, model=model)
    store = ModelStore(bench.ports, bench.folder)
    for position in range(0, len(model), 7):
        for damaged in (model[:position], model[:position] + bytes([model[position] ^ 1]) + model[position + 1 :]):
            bench.ports.lake.put(deployed.model_key, damaged)
            with pytest.raises(ModelRefusedError, match="was changed after its registration"):
                store.load(address_of(deployed))


def test_f3_walk_over_any_bytes_ends_in_an_answer_or_a_graph_error() -> None:
    model = table_model()
    reasons = set()
    for position in range(len(model)):
        for damaged in (model[:position], model[:position] + bytes([model[position] ^ 0xFF]) + model[position + 1 :]):
            try:
                graph_check.check(damaged)
            except GraphError as error:
                reasons.add(str(error)[:20])
    assert len(reasons) > 3
