"""Writes ensembles as the operator that takes fewest bytes: that of version 5, unless a leaf has several values."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from batch_jobs.algorithms.export.names import defined_names
from batch_jobs.algorithms.export.trees.arrays import Mode, Trees
from batch_jobs.algorithms.export.trees.packing import pack
from batch_jobs.algorithms.export.trees.reading import ENSEMBLE, ML_DOMAIN, REGRESSOR, TREE_OPERATORS, Ensemble
from batch_jobs.algorithms.export.trees.snippets import Snippet, find_prefix

ML_OPSET = 5


def write(model: onnx.ModelProto, ensembles: dict[int, Ensemble], *, is_packed: bool = False) -> onnx.ModelProto:
    """A new model with these ensembles in the place of the nodes of these positions. All others stay, written anew.

    Raises ValueError for what cannot be written so.
    """
    new = onnx.ModelProto()
    new.CopyFrom(model)
    del new.graph.node[:], new.graph.value_info[:]
    names = {*defined_names(model.graph)}
    for position, node in enumerate(model.graph.node):
        if position not in ensembles:
            new.graph.node.append(node)
            continue
        ensemble = ensembles[position]
        snippet = Snippet(find_prefix("t", names))
        sums = pack(snippet, node.input[0], ensemble) if is_packed else _write_operator(snippet, node, ensemble)
        _write_answer(snippet, node, ensemble, sums)
        new.graph.node.extend(snippet.nodes)
        new.graph.initializer.extend(snippet.constants)
        names.update(defined_names(new.graph))
    _set_version(new)
    return new


def _set_version(model: onnx.ModelProto) -> None:
    """NOTE: a model of version 5 may have no operator of lists any more, and one of version 4 none of tensors."""
    kinds = {node.op_type for node in model.graph.node}.intersection(TREE_OPERATORS)
    if ENSEMBLE in kinds and len(kinds) > 1:
        raise ValueError("trees whose leaves have several values beside others whose leaves have one")
    opset = next((opset for opset in model.opset_import if opset.domain == ML_DOMAIN), None)
    if kinds and opset is None:
        opset = model.opset_import.add(domain=ML_DOMAIN, version=1)
    if ENSEMBLE in kinds and opset is not None:
        opset.version = max(opset.version, ML_OPSET)


def _write_operator(snippet: Snippet, node: onnx.NodeProto, ensemble: Ensemble) -> str:
    trees = ensemble.trees.without_orphans()
    if (np.count_nonzero(trees.leaf_values, axis=1) > 1).any():
        sums = snippet.add(REGRESSOR, node.input[0], domain=ML_DOMAIN, **_to_lists(trees))
    else:
        sums = snippet.add(ENSEMBLE, node.input[0], domain=ML_DOMAIN, **_to_tensors(trees))
    if ensemble.is_mean:
        sums = snippet.add("Div", sums, snippet.constant(np.float32(len(trees.roots))))
    return sums


def _to_tensors(trees: Trees) -> dict[str, Any]:
    """Attributes of version 5. A tree that is one leaf is a branch whose two sides are that leaf."""
    branches, leaves = trees.branches, np.flatnonzero(trees.is_leaf)
    position = np.empty(len(trees.feature), dtype=np.int64)
    position[branches], position[leaves] = np.arange(len(branches)), np.arange(len(leaves))
    lone = trees.roots[trees.is_leaf[trees.roots]]
    true_node = np.concatenate([trees.true_node[branches], lone])
    false_node = np.concatenate([trees.false_node[branches], lone])
    roots = position[trees.roots].copy()
    roots[trees.is_leaf[trees.roots]] = len(branches) + np.arange(len(lone))
    outputs = np.abs(trees.leaf_values[leaves]).argmax(axis=1)
    padding = np.zeros(len(lone), dtype=np.int64)
    modes = np.concatenate([trees.mode[branches], padding]).astype(np.uint8)
    splits = np.concatenate([trees.threshold[branches], padding]).astype(np.float32)
    attributes: dict[str, Any] = {
        "n_targets": trees.leaf_values.shape[1],
        "tree_roots": roots.tolist(),
        "nodes_featureids": np.concatenate([trees.feature[branches], padding]).tolist(),
        "nodes_modes": numpy_helper.from_array(modes),
        "nodes_splits": numpy_helper.from_array(np.where(modes == Mode.MEMBER, np.float32(0), splits)),
        "nodes_truenodeids": position[true_node].tolist(),
        "nodes_falsenodeids": position[false_node].tolist(),
        "nodes_trueleafs": trees.is_leaf[true_node].astype(np.int64).tolist(),
        "nodes_falseleafs": trees.is_leaf[false_node].astype(np.int64).tolist(),
        "leaf_targetids": outputs.tolist(),
        "leaf_weights": numpy_helper.from_array(trees.leaf_values[leaves, outputs].astype(np.float32)),
    }
    if trees.sends_missing_true[branches].any():
        missing = np.concatenate([trees.sends_missing_true[branches], padding])
        attributes["nodes_missing_value_tracks_true"] = missing.astype(np.int64).tolist()
    if (modes == Mode.MEMBER).any():
        members = splits[modes == Mode.MEMBER].astype(np.int64)
        values = [value for number in members for value in (*trees.sets[number], np.nan)]
        attributes["membership_values"] = numpy_helper.from_array(np.asarray(values, dtype=np.float32))
    return attributes


def _to_lists(trees: Trees) -> dict[str, Any]:
    """Attributes of version 3, as a regressor."""
    if trees.sets:
        raise ValueError("trees that have both tests of sets and several values in a leaf")
    is_leaf = trees.is_leaf
    tree = _number_trees(trees)
    nodes, outputs = np.nonzero(trees.leaf_values)
    # A leaf that says nothing has to be in the list too.
    silent = np.flatnonzero(is_leaf & ~trees.leaf_values.any(axis=1))
    nodes, outputs = np.concatenate([nodes, silent]), np.concatenate([outputs, np.zeros(len(silent), dtype=np.int64)])
    attributes: dict[str, Any] = {
        "n_targets": trees.leaf_values.shape[1],
        "nodes_treeids": tree.tolist(),
        "nodes_nodeids": np.arange(len(is_leaf)).tolist(),
        "nodes_featureids": np.where(is_leaf, 0, trees.feature).tolist(),
        "nodes_modes": [
            "LEAF" if leaf else f"BRANCH_{Mode(mode).name}" for leaf, mode in zip(is_leaf, trees.mode, strict=True)
        ],
        "nodes_values": np.where(is_leaf, 0, trees.threshold).astype(np.float32).tolist(),
        "nodes_truenodeids": np.where(is_leaf, 0, trees.true_node).tolist(),
        "nodes_falsenodeids": np.where(is_leaf, 0, trees.false_node).tolist(),
        "target_treeids": tree[nodes].tolist(),
        "target_nodeids": nodes.tolist(),
        "target_ids": outputs.tolist(),
        "target_weights": trees.leaf_values[nodes, outputs].astype(np.float32).tolist(),
    }
    if trees.sends_missing_true.any():
        attributes["nodes_missing_value_tracks_true"] = trees.sends_missing_true.astype(np.int64).tolist()
    return attributes


def _number_trees(trees: Trees) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Of each node its tree. Nodes are in the order of `without_orphans`: parents come first."""
    tree = np.empty(len(trees.feature), dtype=np.int64)
    tree[trees.roots] = np.arange(len(trees.roots))
    level = trees.roots
    while len(level := level[trees.feature[level] >= 0]):
        for side in (trees.true_node, trees.false_node):
            tree[side[level]] = tree[level]
        level = np.concatenate([trees.true_node[level], trees.false_node[level]])
    return tree


def _write_answer(snippet: Snippet, node: onnx.NodeProto, ensemble: Ensemble, sums: str) -> None:
    """From the sums to what the node puts out."""
    if ensemble.base.any():
        sums = snippet.add("Add", sums, snippet.constant(ensemble.base.astype(np.float32)))
    is_of_two = ensemble.labels is not None and len(ensemble.labels) == 2 and ensemble.num_outputs == 1
    scores = sums if is_of_two and ensemble.is_share else _transform(snippet, ensemble.transform, sums)
    if is_of_two:
        is_complement = ensemble.is_share or ensemble.transform == "LOGISTIC"
        one = snippet.constant(np.float32(1))
        other = snippet.add("Sub", one, scores) if is_complement else snippet.add("Neg", scores)
        scores = snippet.add("Concat", other, scores, axis=1)
    snippet.add("Identity", scores, output=node.output[-1])
    if ensemble.labels is not None and len(node.output) > 1 and node.output[0]:
        best = snippet.add("ArgMax", scores, axis=1, keepdims=0)
        snippet.add("Gather", _labels(snippet, ensemble.labels), best, output=node.output[0])


def _transform(snippet: Snippet, name: str, sums: str) -> str:
    if name == "NONE":
        return sums
    if name == "LOGISTIC":
        return snippet.add("Sigmoid", sums)
    if name == "SOFTMAX":
        return snippet.add("Softmax", sums, axis=1)
    raise ValueError(f"trees with the transform {name}")


def _labels(snippet: Snippet, labels: tuple[bytes, ...] | tuple[int, ...]) -> str:
    if isinstance(labels[0], int):
        return snippet.constant(np.asarray(labels, dtype=np.int64))
    return snippet.tensor(helper.make_tensor("", TensorProto.STRING, [len(labels)], list(labels)))
