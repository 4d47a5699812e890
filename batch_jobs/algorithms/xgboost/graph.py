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
from batch_jobs.algorithms.export.trees.arrays import Mode, Trees

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
    num_sums = 1 if task is Task.BINARY else num_outputs
    trees = _to_trees(learner["gradient_booster"]["model"]["trees"], num_sums)
    if not trees.leaf_values.any():
        return None
    begins = np.atleast_1d(np.array(json.loads(learner["learner_model_param"]["base_score"]), dtype=np.float64))
    if task in (Task.BINARY, Task.MULTILABEL):
        begins = logit(begins)
    base = np.broadcast_to(begins, num_sums)
    return boosters.to_graph("xgboost", trees, task=task, num_outputs=num_outputs, width=width, base=base)


def _to_trees(trees: list[dict[str, Any]], num_sums: int) -> Trees:
    sizes = np.array([len(tree["left_children"]) for tree in trees])
    roots = np.cumsum(sizes) - sizes

    def join(name: str, dtype: Any) -> NDArray[Any]:
        return np.concatenate([np.asarray(tree[name], dtype=dtype) for tree in trees])

    left, right, root = join("left_children", np.int64), join("right_children", np.int64), np.repeat(roots, sizes)
    # Of a leaf its value, else the threshold.
    values, is_leaf = join("split_conditions", np.float32), left == _LEAF
    return Trees(
        roots=roots,
        feature=np.where(is_leaf, -1, join("split_indices", np.int64)),
        threshold=np.where(is_leaf, np.float32(0), values),
        mode=np.full(len(left), Mode.LT),
        true_node=np.where(is_leaf, -1, root + left),
        false_node=np.where(is_leaf, -1, root + right),
        sends_missing_true=join("default_left", np.bool_) & ~is_leaf,
        leaf_values=boosters.take_turns(
            np.where(is_leaf, values, np.float32(0)), np.repeat(np.arange(len(trees)), sizes), num_sums
        ),
    )
