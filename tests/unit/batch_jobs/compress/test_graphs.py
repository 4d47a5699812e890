"""Graphs written otherwise that answer the same."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.export.names import rename
from batch_jobs.compress.graphs import activate_early, fold, shorten_names


def _build(*, is_pool_shared: bool) -> onnx.ModelProto:
    graph, random = GraphBuilder("pooled"), np.random.default_rng(0)
    values = graph.input("x", TensorProto.FLOAT, ["rows", 2, 6, 6])
    kernels = graph.constant(random.normal(size=(3, 2, 3, 3)), np.float32)
    pooled = graph.node("MaxPool", graph.node("Conv", values, kernels), kernel_shape=[2, 2], strides=[2, 2])
    answer = graph.node("Relu", pooled)
    graph.output(
        graph.node("Add", answer, pooled) if is_pool_shared else answer, "y", TensorProto.FLOAT, ["rows", 3, 2, 2]
    )
    return graph.build()


@pytest.mark.parametrize(
    ("is_pool_shared", "expected"),
    [(False, ["Conv", "Relu", "MaxPool", "Identity"]), (True, ["Conv", "MaxPool", "Relu", "Add", "Identity"])],
)
def test_what_is_cut_off_before_the_largest_are_taken_is_the_same(is_pool_shared: bool, expected: list[str]) -> None:
    model = _build(is_pool_shared=is_pool_shared)
    changed = activate_early(model)
    onnx.checker.check_model(changed, full_check=True)
    assert [node.op_type for node in changed.graph.node] == expected
    rows = np.random.default_rng(1).normal(size=(4, 2, 6, 6)).astype(np.float32)
    first, second = (
        onnxruntime.InferenceSession(each.SerializeToString()).run(None, {"x": rows})[0] for each in (model, changed)
    )
    np.testing.assert_array_equal(first, second)


def test_features_keep_their_name_so_that_what_comes_after_finds_the_network(tmp_path: Path) -> None:
    graph = GraphBuilder("named")
    columns = [graph.input(name, TensorProto.FLOAT, ["rows", 1]) for name in ("a", "b")]
    features = graph.node("Identity", graph.node("Concat", *columns, axis=1))
    graph.output(graph.node("Neg", features), "y", TensorProto.FLOAT, ["rows", 2])
    model = graph.build()
    rename(model.graph, {features: "features"})
    changed = shorten_names(fold(model, tmp_path))
    assert "features" in [name for node in changed.graph.node for name in node.output]
    row = {name: np.full((1, 1), value, np.float32) for name, value in (("a", 1), ("b", 2))}
    found = onnxruntime.InferenceSession(changed.SerializeToString()).run(None, row)[0]
    assert found.tolist() == [[-1, -2]]
