"""Writes ensembles as the operator that takes fewest bytes: that of version 5."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from batch_jobs.algorithms.export.builder import ML_DOMAIN, ML_OPSET, OPSET, finish
from batch_jobs.algorithms.export.names import defined_names, used_names
from batch_jobs.algorithms.export.trees import reading
from batch_jobs.algorithms.export.trees.arrays import Ints, Mode, Trees
from batch_jobs.algorithms.export.trees.numbering import look_up, number
from batch_jobs.algorithms.export.trees.packing import pack
from batch_jobs.algorithms.export.trees.reading import ENSEMBLE, TREE_OPERATORS, Ensemble, Found
from batch_jobs.algorithms.export.trees.snippets import Snippet, find_prefix
from batch_jobs.algorithms.learning import FEATURES, SCORES


def write(
    model: onnx.ModelProto, ensembles: Sequence[tuple[Found, Ensemble]], *, is_packed: bool = False
) -> onnx.ModelProto:
    """A new model with these ensembles in the place of those that were found. All others stay, written anew.

    Raises ValueError for what cannot be written so.
    """
    new = onnx.ModelProto()
    new.CopyFrom(model)
    del new.graph.node[:], new.graph.value_info[:]
    names = {*defined_names(model.graph)}
    by_position = {found.position: (found, ensemble) for found, ensemble in ensembles}
    gone = {name for found, _ in ensembles if found.outputs_within for name in (*found.outputs_within, *found.outputs)}
    write_trees = pack if is_packed else _write_operator
    for position, node in enumerate(model.graph.node):
        if position not in by_position:
            if not gone.intersection(node.output):
                new.graph.node.append(node)
            continue
        found, ensemble = by_position[position]
        snippet = Snippet(find_prefix("t", names))
        sums = write_trees(snippet, found.features, ensemble)
        _write_answer(snippet, found.outputs, ensemble, sums)
        new.graph.node.extend(snippet.nodes)
        new.graph.initializer.extend(snippet.constants)
        names.update(defined_names(new.graph))
    _drop_unused_constants(new.graph)
    _set_version(new)
    return new


def renew(model: onnx.ModelProto) -> onnx.ModelProto:
    """With the operator of version 5 for all trees. Raises ValueError where they cannot be written so."""
    return write(model, [(found, found.ensemble) for found in reading.find(model.graph)])


def build(name: str, ensemble: Ensemble, *, width: int) -> onnx.ModelProto:
    """A graph of nothing else.

    Args:
        name: of the graph.
        ensemble: from `features` to `scores`; where it has labels these are not put out.
        width: of the features.
    """
    snippet = Snippet("t0")
    _write_answer(snippet, (SCORES,), ensemble, _write_operator(snippet, FEATURES, ensemble))
    num_outputs = len(ensemble.labels) if ensemble.labels is not None else ensemble.num_outputs
    features = helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["rows", width])
    scores = helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, ["rows", num_outputs])
    graph = helper.make_graph(snippet.nodes, name, [features], [scores], snippet.constants)
    return finish(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)]))


def _drop_unused_constants(graph: onnx.GraphProto) -> None:
    """Tables that an ensemble had that was written anew."""
    used = {*used_names(graph)}
    kept = [constant for constant in graph.initializer if constant.name in used]
    if len(kept) < len(graph.initializer):
        del graph.initializer[:]
        graph.initializer.extend(kept)


def _set_version(model: onnx.ModelProto) -> None:
    """NOTE: a model of version 5 may have no operator of lists any more, and one of version 4 none of tensors."""
    kinds = {node.op_type for node in model.graph.node}.intersection(TREE_OPERATORS)
    if ENSEMBLE in kinds and len(kinds) > 1:
        raise ValueError("trees that were written anew beside others that cannot be")
    opset = next((opset for opset in model.opset_import if opset.domain == ML_DOMAIN), None)
    if kinds and opset is None:
        opset = model.opset_import.add(domain=ML_DOMAIN, version=1)
    if ENSEMBLE in kinds and opset is not None:
        opset.version = max(opset.version, ML_OPSET)


def _write_operator(snippet: Snippet, features: str, ensemble: Ensemble) -> str:
    trees = ensemble.trees.without_orphans()
    leaves = np.flatnonzero(trees.is_leaf)
    values = trees.leaf_values[leaves]
    if (np.count_nonzero(values, axis=1) > 1).any():
        table, numbers = number(trees)
        attributes = _to_tensors(trees, _number_trees(trees)[leaves], numbers, num_outputs=len(trees.roots))
        sums = look_up(
            snippet, snippet.add(ENSEMBLE, features, domain=ML_DOMAIN, **attributes), table, len(trees.roots)
        )
    else:
        outputs = np.abs(values).argmax(axis=1)
        weights = values[np.arange(len(values)), outputs]
        attributes = _to_tensors(trees, outputs, weights, num_outputs=values.shape[1])
        sums = snippet.add(ENSEMBLE, features, domain=ML_DOMAIN, **attributes)
    if ensemble.is_mean:
        sums = snippet.add("Div", sums, snippet.constant(np.float32(len(trees.roots))))
    return sums


def _to_tensors(trees: Trees, outputs: Ints, weights: NDArray[Any], *, num_outputs: int) -> dict[str, Any]:
    """Attributes of version 5; each leaf adds a weight to one output. A tree that is one leaf is a branch whose two
    sides are that leaf."""
    branches, leaves = trees.branches, np.flatnonzero(trees.is_leaf)
    position = np.empty(len(trees.feature), dtype=np.int64)
    position[branches], position[leaves] = np.arange(len(branches)), np.arange(len(leaves))
    lone = trees.roots[trees.is_leaf[trees.roots]]
    true_node = np.concatenate([trees.true_node[branches], lone])
    false_node = np.concatenate([trees.false_node[branches], lone])
    roots = position[trees.roots].copy()
    roots[trees.is_leaf[trees.roots]] = len(branches) + np.arange(len(lone))
    padding = np.zeros(len(lone), dtype=np.int64)
    modes = np.concatenate([trees.mode[branches], padding]).astype(np.uint8)
    splits = np.concatenate([trees.threshold[branches], padding]).astype(np.float32)
    attributes: dict[str, Any] = {
        "n_targets": num_outputs,
        "tree_roots": roots,
        "nodes_featureids": np.concatenate([trees.feature[branches], padding]),
        "nodes_modes": numpy_helper.from_array(modes),
        "nodes_splits": numpy_helper.from_array(np.where(modes == Mode.MEMBER, np.float32(0), splits)),
        "nodes_truenodeids": position[true_node],
        "nodes_falsenodeids": position[false_node],
        "nodes_trueleafs": trees.is_leaf[true_node].astype(np.int64),
        "nodes_falseleafs": trees.is_leaf[false_node].astype(np.int64),
        "leaf_targetids": outputs,
        "leaf_weights": numpy_helper.from_array(weights.astype(np.float32)),
    }
    if trees.sends_missing_true[branches].any():
        missing = np.concatenate([trees.sends_missing_true[branches], padding])
        attributes["nodes_missing_value_tracks_true"] = missing.astype(np.int64)
    if (modes == Mode.MEMBER).any():
        members = splits[modes == Mode.MEMBER].astype(np.int64)
        values = [value for number in members for value in (*trees.sets[number], np.nan)]
        attributes["membership_values"] = numpy_helper.from_array(np.asarray(values, dtype=np.float32))
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


def _write_answer(snippet: Snippet, outputs: Sequence[str], ensemble: Ensemble, sums: str) -> None:
    """From the sums to these outputs: scores, or a label and scores."""
    if ensemble.base.any():
        sums = snippet.add("Add", sums, snippet.constant(ensemble.base.astype(np.float32)))
    is_of_two = ensemble.labels is not None and len(ensemble.labels) == 2 and ensemble.num_outputs == 1
    scores = sums if is_of_two and ensemble.is_share else _transform(snippet, ensemble.transform, sums)
    if is_of_two:
        is_complement = ensemble.is_share or ensemble.transform == "LOGISTIC"
        one = snippet.constant(np.float32(1))
        other = snippet.add("Sub", one, scores) if is_complement else snippet.add("Neg", scores)
        scores = snippet.add("Concat", other, scores, axis=1)
    snippet.add("Identity", scores, output=outputs[-1])
    if ensemble.labels is not None and len(outputs) > 1 and outputs[0]:
        best = snippet.add("ArgMax", scores, axis=1, keepdims=0)
        snippet.add("Gather", _labels(snippet, ensemble.labels), best, output=outputs[0])


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
