"""The trees of a multi-label booster in ONNX."""

import json
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from scipy.special import logit

from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES


def to_labels_graph(converted: onnx.ModelProto, booster: Any, *, num_labels: int, width: int) -> onnx.ModelProto:
    """The graph that the converter should have written.

    NOTE: onnxmltools 1.16 takes the trees of all labels for those of one binary answer. Its nodes are right; which
    label a leaf is for, and where the sums begin, are not.

    Args:
        converted: What onnxmltools made of the booster.
        booster: One output for each tree: the trees take turns.
        num_labels: So many.
        width: Of the features.
    """
    (trees,) = (node for node in converted.graph.node if node.op_type == "TreeEnsembleClassifier")
    found = {attribute.name: helper.get_attribute_value(attribute) for attribute in trees.attribute}
    parameters = json.loads(booster.save_config())["learner"]["learner_model_param"]
    begins = logit(np.broadcast_to(json.loads(parameters["base_score"]), num_labels))
    graph = GraphBuilder("xgboost")
    sums = graph.node(
        "TreeEnsembleRegressor",
        graph.input(FEATURES, TensorProto.FLOAT, ["rows", width]),
        domain="ai.onnx.ml",
        **{name: value for name, value in found.items() if name.startswith("nodes_")},
        target_treeids=found["class_treeids"],
        target_nodeids=found["class_nodeids"],
        target_ids=[tree % num_labels for tree in found["class_treeids"]],
        target_weights=found["class_weights"],
        n_targets=num_labels,
        base_values=begins.astype(np.float32).tolist(),
    )
    graph.output(graph.node("Sigmoid", sums), SCORES, TensorProto.FLOAT, ["rows", num_labels])
    return graph.build()
