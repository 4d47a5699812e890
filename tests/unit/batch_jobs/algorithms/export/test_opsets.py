"""Graphs of different origins in one."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from batch_jobs.algorithms.export.builder import OPSETS
from batch_jobs.algorithms.export.ensembles import Member, merge, weighted_mean
from batch_jobs.algorithms.export.opsets import to_common
from batch_jobs.data.targets import Target

VALUES = Target(column="y", task=Task.REGRESSION, labels=None)
SIGNATURE = Signature(
    kind=DatasetKind.TABLE,
    task=Task.REGRESSION,
    target="y",
    inputs=[TensorSpec(name="x", datatype=Datatype.FP32, shape=[-1, 1], column="x", column_type=ColumnType.NUMBER)],
    outputs=[TensorSpec(name="value", datatype=Datatype.FP32, shape=[-1])],
)


def _model(nodes: list[onnx.NodeProto], *, opset: int, ml: int = 3, ir_version: int = 9, **parts: Any) -> Member:
    """From `x` to `value`."""
    graph = helper.make_graph(
        nodes,
        "imported",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1]), *parts.pop("inputs", [])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["n"])],
        parts.pop("constants", []),
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml), *parts.pop("imports", [])]
    model = helper.make_model(graph, opset_imports=imports, ir_version=ir_version, **parts)
    onnx.checker.check_model(model)
    return Member(model=model, signature=SIGNATURE)


def _old() -> Member:
    """Opset 11: axes of Squeeze were attributes, and constants inputs too."""
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["more"]),
        helper.make_node("Squeeze", ["more"], ["value"], axes=[1]),
    ]
    two = helper.make_tensor("two", TensorProto.FLOAT, [1], [2.0])
    shown = [helper.make_tensor_value_info("two", TensorProto.FLOAT, [1])]
    return _model(nodes, opset=11, ml=2, ir_version=3, inputs=shown, constants=[two])


def _new(opset: int = 22) -> Member:
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    return _model([helper.make_node("Squeeze", ["x", "axis"], ["value"])], opset=opset, constants=[axis])


def _trees(ml: int, *, aggregate: str = "SUM") -> Member:
    """1 below 0, else 5: as operators of ai.onnx.ml 3, or as that which replaced them."""
    if ml == 3:
        nodes = [
            helper.make_node(
                "TreeEnsembleRegressor",
                ["x"],
                ["both"],
                domain="ai.onnx.ml",
                n_targets=1,
                aggregate_function=aggregate,
                nodes_treeids=[0, 0, 0],
                nodes_nodeids=[0, 1, 2],
                nodes_featureids=[0, 0, 0],
                nodes_modes=["BRANCH_LT", "LEAF", "LEAF"],
                nodes_values=[0.0, 0.0, 0.0],
                nodes_truenodeids=[1, 0, 0],
                nodes_falsenodeids=[2, 0, 0],
                target_treeids=[0, 0],
                target_nodeids=[1, 2],
                target_ids=[0, 0],
                target_weights=[1.0, 5.0],
            )
        ]
    else:
        nodes = [
            helper.make_node(
                "TreeEnsemble",
                ["x"],
                ["both"],
                domain="ai.onnx.ml",
                n_targets=1,
                tree_roots=[0],
                nodes_featureids=[0],
                nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [1], [1]),
                nodes_splits=helper.make_tensor("splits", TensorProto.FLOAT, [1], [0.0]),
                nodes_truenodeids=[0],
                nodes_trueleafs=[1],
                nodes_falsenodeids=[1],
                nodes_falseleafs=[1],
                leaf_targetids=[0, 0],
                leaf_weights=helper.make_tensor("weights", TensorProto.FLOAT, [2], [1.0, 5.0]),
            )
        ]
    nodes.append(helper.make_node("Squeeze", ["both", "axis"], ["value"]))
    return _model(nodes, opset=20, ml=ml, constants=[helper.make_tensor("axis", TensorProto.INT64, [1], [1])])


def _functions() -> Member:
    """`value` by a function of the model's own."""
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    twice = helper.make_function("own", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 20)])
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    nodes = [helper.make_node("Twice", ["x"], ["more"], domain="own"), _squeeze("more")]
    own = [helper.make_opsetid("own", 1)]
    return _model(nodes, opset=20, imports=own, functions=[twice], constants=[axis])


def _squeeze(name: str) -> onnx.NodeProto:
    return helper.make_node("Squeeze", [name, "axis"], ["value"])


def _answer(model: onnx.ModelProto, values: list[float]) -> list[float]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[float] = session.run(["value"], {"x": np.array(values, dtype=np.float32)[:, None]})[0].tolist()
    return found


@pytest.mark.parametrize(
    ("members", "opset", "expected"),
    [
        ([_old(), _new(20)], 20, [(2 + 1) / 2, (-6 - 3) / 2]),
        ([_old(), _new(22)], 22, [(2 + 1) / 2, (-6 - 3) / 2]),
        ([_functions(), _new(20)], 20, [(2 + 1) / 2, (-6 - 3) / 2]),
        ([_trees(3), _old()], 20, [(5 + 2) / 2, (1 - 6) / 2]),
        ([_trees(5), _new(20)], 20, [(5 + 1) / 2, (1 - 3) / 2]),
        ([_trees(3), _trees(5)], 20, [5, 1]),
    ],
    ids=["old", "old and new", "functions", "trees and old", "new trees", "trees and new trees"],
)
def test_graphs_of_other_versions_join(members: list[Member], opset: int, expected: list[float]) -> None:
    merged = merge(members, weighted_mean([1, 1]), VALUES)
    assert _answer(merged, [1.0, -3.0]) == pytest.approx(expected)
    assert {own.domain: own.version for own in merged.opset_import}[""] == opset
    assert not merged.functions


def test_operators_that_mean_something_else_in_the_common_version_are_refused() -> None:
    with pytest.raises(ValueError, match=r"TreeEnsembleRegressor of ai.onnx.ml 3 mean something else in version 5"):
        merge([_trees(3, aggregate="MIN"), _trees(5)], weighted_mean([1, 1]), VALUES)


def test_our_own_graphs_stay_as_they_are() -> None:
    models, opsets = to_common([_new(20).model])
    assert opsets == OPSETS
    assert models[0] == _new(20).model


def test_random_numbers_are_not_shared() -> None:
    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["noise"], mean=0.0, scale=1.0),
        helper.make_node("Add", ["x", "noise"], ["noisy"]),
        _squeeze("noisy"),
    ]
    merged = merge([_model(nodes, opset=20, constants=[axis])] * 2, weighted_mean([1, 1]), VALUES)
    assert [node.op_type for node in merged.graph.node].count("RandomNormalLike") == 2
