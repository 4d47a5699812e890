"""The trees of a booster in ONNX."""

import json
from typing import Any

import numpy as np
import onnx
import xgboost
from numpy.typing import NDArray
from scipy.special import logit

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export import boosters
from batch_jobs.algorithms.export.boosters import Leaves

_LEAF = -1


def to_graph(booster: xgboost.Booster, *, task: Task, num_outputs: int, width: int) -> onnx.ModelProto | None:
    """From `features` to `scores`; None where no leaf says anything.

    NOTE: where none does, ONNX Runtime answers something else than where the sums begin.

    Args:
        booster: of splits by values, with one output a tree: the trees take turns.
        task: what it answers.
        num_outputs: classes, labels, or 1.
        width: of the features.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    nodes, leaves = _to_nodes(learner["gradient_booster"]["model"]["trees"])
    if not leaves.weights.any():
        return None
    begins = np.atleast_1d(np.array(json.loads(learner["learner_model_param"]["base_score"]), dtype=np.float64))
    if task in (Task.BINARY, Task.MULTILABEL):
        begins = logit(begins)
    num_sums = 1 if task is Task.BINARY else num_outputs
    return boosters.to_graph(
        "xgboost",
        nodes,
        leaves,
        task=task,
        num_outputs=num_outputs,
        width=width,
        base_values=np.broadcast_to(begins, num_sums),
    )


def _to_nodes(trees: list[dict[str, Any]]) -> tuple[dict[str, NDArray[Any]], Leaves]:
    sizes = np.array([len(tree["left_children"]) for tree in trees])

    def join(name: str, dtype: Any) -> NDArray[Any]:
        return np.concatenate([np.asarray(tree[name], dtype=dtype) for tree in trees])

    tree_ids, node_ids = np.repeat(np.arange(len(trees)), sizes), np.concatenate([np.arange(size) for size in sizes])
    left, right = join("left_children", np.int64), join("right_children", np.int64)
    # Of a leaf its value, else the threshold.
    values, is_leaf = join("split_conditions", np.float32), left == _LEAF
    nodes = {
        "nodes_treeids": tree_ids,
        "nodes_nodeids": node_ids,
        "nodes_featureids": np.where(is_leaf, 0, join("split_indices", np.int64)),
        "nodes_modes": np.where(is_leaf, b"LEAF", b"BRANCH_LT"),
        "nodes_values": np.where(is_leaf, np.float32(0), values),
        "nodes_truenodeids": np.where(is_leaf, 0, left),
        "nodes_falsenodeids": np.where(is_leaf, 0, right),
        "nodes_missing_value_tracks_true": np.where(is_leaf, 0, join("default_left", np.int64)),
    }
    leaves = Leaves(trees=tree_ids[is_leaf], ids=node_ids[is_leaf], weights=values[is_leaf])
    return nodes, leaves
