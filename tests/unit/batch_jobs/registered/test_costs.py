"""What models cost: measured in turns, in fresh processes, and counted in the graph."""

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import TensorProto, helper

from aimass_core.domain.model_jobs import Cost, Device
from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.data.frames import Frame
from batch_jobs.registered import costs, operations

WIDTH = 64


@pytest.mark.parametrize(
    ("device", "num_threads"),
    [
        (Device.LAMBDA_512MB, 1),
        (Device.LAMBDA_1024MB, 1),
        (Device.LAMBDA_1769MB, 1),
        (Device.LAMBDA_3008MB, 2),
        (Device.CONTAINER, 7),
        (Device.MOBILE, 1),
    ],
)
def test_threads_of_a_device(device: Device, num_threads: int) -> None:
    assert costs.resolve_threads(device, num_cpus=7) == num_threads


def test_larger_models_cost_more() -> None:
    models = [_dense([2048, 2048]), _dense([4])]

    large, small = costs.measure_all(models, _signature(), _rows(), num_threads=1, seconds=0.05)

    assert [large.model_bytes, small.model_bytes] == [len(model) for model in models]
    assert large.latency_p50_ms > small.latency_p50_ms > 0
    assert large.latency_p95_ms >= large.latency_p50_ms
    assert large.memory_bytes is not None
    assert small.memory_bytes is not None
    assert large.memory_bytes > 2048 * 2048 * 4 > small.memory_bytes
    assert large.cold_start_ms is not None
    assert small.cold_start_ms is not None
    assert large.cold_start_ms > small.cold_start_ms > 0


def test_of_what_was_measured_before_only_the_latency_is_measured_again() -> None:
    model = _dense([4])
    before = Cost(latency_p50_ms=1e6, latency_p95_ms=1e6, model_bytes=5, memory_bytes=6, num_operations=7)

    again, new = costs.measure_all(
        [model, model], _signature(), _rows(), num_threads=1, seconds=0.05, known=[before, None]
    )

    assert 0 < again.latency_p50_ms <= again.latency_p95_ms < 1e6
    measured = {"latency_p50_ms", "latency_p95_ms"}
    assert again.model_dump(exclude=measured) == before.model_dump(exclude=measured)
    assert new.model_bytes == len(model)
    assert new.cold_start_ms is not None


def test_texts_reach_the_fresh_process() -> None:
    graph = GraphBuilder("texts")
    words = graph.input("words", TensorProto.STRING, ["rows", 1])
    known = graph.node("Equal", words, graph.texts(["ham"]))
    graph.output(graph.node("Cast", known, to=TensorProto.FLOAT), "value", TensorProto.FLOAT, ["rows", 1])
    signature = _signature(TensorSpec(name="words", datatype=Datatype.BYTES, shape=[-1, 1]))
    rows = Frame(columns={"words": np.asarray(["ham", "spam"], dtype=object)}, num_rows=2)

    cost = costs.measure(graph.build().SerializeToString(), signature, rows, num_threads=1, seconds=0.01)

    assert cost.cold_start_ms is not None


def test_counts_multiplications_and_additions() -> None:
    assert _count(_dense([10])) == 2 * WIDTH * 10 + 2 * 10 * 1


def test_of_branches_only_what_a_row_takes_is_counted() -> None:
    graph = GraphBuilder("gate")
    value = graph.input("x", TensorProto.FLOAT, ["rows", WIDTH])
    is_large = graph.node("Greater", graph.node("ReduceMax", value, keepdims=0), graph.constant(1, np.float32))
    branches = {}
    for name, width in (("then_branch", 100), ("else_branch", 10)):
        branch = graph.branch()
        weights = branch.constant(np.ones((WIDTH, width)), np.float32)
        branch.output(branch.node("MatMul", value, weights), name, TensorProto.FLOAT, ["rows", width])
        branches[name] = branch.to_inner_graph()
    graph.output(graph.node("If", is_large, **branches), "y", TensorProto.FLOAT, ["rows", None])
    model = graph.build().SerializeToString()
    gate = WIDTH + 1

    small, large = (np.full((1, WIDTH), size, dtype=np.float32) for size in (0, 2))

    assert operations.count(model, [{"x": small}]) == gate + 2 * WIDTH * 10
    assert operations.count(model, [{"x": large}]) == gate + 2 * WIDTH * 100
    assert operations.count(model, [{"x": small}, {"x": large}]) == gate + 2 * WIDTH * 55


def test_of_trees_the_nodes_that_are_visited_are_counted() -> None:
    # x0 <= 0 ? leaf : (x1 <= 0 ? leaf : leaf)
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0] * 5,
        nodes_nodeids=[*range(5)],
        nodes_featureids=[0, 0, 1, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_values=[0.0] * 5,
        nodes_truenodeids=[1, 0, 3, 0, 0],
        nodes_falsenodeids=[2, 0, 4, 0, 0],
        target_treeids=[0] * 3,
        target_nodeids=[1, 3, 4],
        target_ids=[0] * 3,
        target_weights=[1.0, 2.0, 3.0],
    )
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 1])],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()

    short, long = (np.full((1, WIDTH), value, dtype=np.float32) for value in (-1, 1))

    assert operations.count(model, [{"x": short}]) == 1 + 1
    assert operations.count(model, [{"x": long}]) == 2 + 1


def _count(model: bytes) -> int:
    return operations.count(model, [{"x": np.ones((1, WIDTH), dtype=np.float32)}])


def _dense(widths: Sequence[int]) -> bytes:
    graph = GraphBuilder("dense")
    value, width = graph.input("x", TensorProto.FLOAT, ["rows", WIDTH]), WIDTH
    for size in [*widths, 1]:
        value = graph.node("MatMul", value, graph.constant(np.full((width, size), 1e-3), np.float32))
        width = size
    graph.output(value, "value", TensorProto.FLOAT, ["rows", 1])
    return bytes(graph.build().SerializeToString())


def _signature(spec: TensorSpec | None = None) -> Signature:
    return Signature(
        kind=DatasetKind.TABLE,
        task=Task.REGRESSION,
        target="value",
        inputs=[spec or TensorSpec(name="x", datatype=Datatype.FP32, shape=[-1, WIDTH])],
        outputs=[TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1])],
    )


def _rows() -> Frame:
    return Frame(columns={"x": np.ones((3, WIDTH), dtype=np.float32)}, num_rows=3)
