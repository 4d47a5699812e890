"""Models that divide the space of the features into regions, or say one thing everywhere: each satisfies `Fitted`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.export.trees import writing
from batch_jobs.algorithms.export.trees.arrays import Mode, Trees
from batch_jobs.algorithms.export.trees.reading import Ensemble
from batch_jobs.algorithms.learning import FEATURES, SCORES
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target
from batch_jobs.decompose.vectors import Vectors

Floats = NDArray[np.float32]
_NUM_STARTS = 3
_MIN_LEAF_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One answer to every row. `element_type` and `rank` are those of the features, which it does not look at."""

    answer: Floats
    element_type: int
    rank: int
    num_steps: int = 1

    def predict(self, features: Array) -> Floats:
        """See Fitted."""
        answers = np.tile(self.answer, (len(features), 1))
        return answers if len(self.answer) > 1 else answers[:, 0]

    def to_onnx(self) -> onnx.ModelProto:
        """See Fitted."""
        graph = GraphBuilder("constant")
        shape: list[int | str] = ["rows", *(f"dimension {number}" for number in range(1, self.rank))]
        features = graph.input(FEATURES, self.element_type, shape)
        num_rows = graph.node("Shape", features, start=0, end=1)
        size = graph.node("Concat", num_rows, graph.constant([len(self.answer)], np.int64), axis=0)
        answer = graph.node("Expand", graph.constant(self.answer[None], np.float32), size)
        graph.output(answer, SCORES, TensorProto.FLOAT, ["rows", len(self.answer)])
        return graph.build()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """k-means: a row is of the cluster whose centre is nearest. The others' shares fall with the squared distance, in
    units of that which rows have from their own centre."""

    vectors: Vectors
    centres: Floats
    inverse_spread: float
    num_steps: int = 1

    def predict(self, features: Array) -> Floats:
        """See Fitted."""
        found = self.vectors.transform(features)
        return np.asarray(softmax(found @ self._weights().T + self._offsets(), axis=1), dtype=np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """See Fitted."""
        graph = GraphBuilder("clusters")
        width = len(self.vectors.means) + len(self.vectors.codes)
        found = self.vectors.write(graph, graph.input(FEATURES, TensorProto.FLOAT, ["rows", width]))
        nearness = graph.node("MatMul", found, graph.constant(self._weights().T, np.float32))
        shares = graph.node("Softmax", graph.node("Add", nearness, graph.constant(self._offsets(), np.float32)), axis=1)
        graph.output(shares, SCORES, TensorProto.FLOAT, ["rows", len(self.centres)])
        return graph.build()

    def _weights(self) -> Floats:
        """Of the distance |x - c|^2 only what differs among centres: |c|^2 - 2 x c."""
        return np.asarray(2 * self.inverse_spread * self.centres, dtype=np.float32)

    def _offsets(self) -> Floats:
        return np.asarray(-self.inverse_spread * (self.centres.astype(np.float64) ** 2).sum(axis=1), dtype=np.float32)


def fit_clusters(vectors: Vectors, features: Array, *, num_clusters: int, seed: int) -> Clusters:
    """Of training rows."""
    found = vectors.transform(features)
    fitted = KMeans(n_clusters=num_clusters, n_init=_NUM_STARTS, random_state=seed).fit(found)
    spread = max(float(fitted.inertia_) / max(len(found), 1), 1e-6)
    return Clusters(
        vectors=vectors,
        centres=fitted.cluster_centers_.astype(np.float32),
        inverse_spread=1 / spread,
        num_steps=int(fitted.n_iter_),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaves:
    """A shallow tree: a row is of the leaf that it falls into. Arrays have an entry for each node, -1 for no child."""

    columns: NDArray[np.int64]
    thresholds: Floats
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_goes_left: NDArray[np.bool_]
    width: int
    num_steps: int = 1

    @property
    def leaves(self) -> list[int]:
        """Their nodes, in order."""
        return np.flatnonzero(self.left < 0).tolist()

    def predict(self, features: Array) -> Floats:
        """See Fitted."""
        nodes = np.zeros(len(features), dtype=np.int64)
        while (is_inner := self.left[nodes] >= 0).any():
            rows = np.flatnonzero(is_inner)
            at = nodes[rows]
            values = features[rows, self.columns[at]]
            goes_left = np.where(np.isnan(values), self.missing_goes_left[at], values <= self.thresholds[at])
            nodes[rows] = np.where(goes_left, self.left[at], self.right[at])
        return np.asarray(nodes[:, None] == np.asarray(self.leaves), dtype=np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """See Fitted."""
        is_leaf, leaves = self.left < 0, self.leaves
        shares = np.zeros((len(self.left), len(leaves)))
        shares[leaves, np.arange(len(leaves))] = 1
        trees = Trees(
            roots=np.zeros(1, dtype=np.int64),
            feature=np.where(is_leaf, -1, self.columns),
            threshold=np.where(is_leaf, 0, self.thresholds),
            mode=np.full(len(is_leaf), Mode.LEQ),
            true_node=self.left,
            false_node=self.right,
            sends_missing_true=self.missing_goes_left,
            leaf_values=shares,
        )
        return writing.build("leaves", Ensemble(trees=trees, base=np.zeros(len(leaves))), width=self.width)

    def conditions(self, names: list[str]) -> list[str]:
        """Of each leaf, what is true of its rows."""
        found: dict[int, list[str]] = {0: []}
        for node in range(len(self.left)):
            if self.left[node] < 0:
                continue
            name, limit = names[self.columns[node]], f"{self.thresholds[node]:.4g}"
            found[int(self.left[node])] = [*found[node], f"{name} <= {limit}"]
            found[int(self.right[node])] = [*found[node], f"{name} > {limit}"]
        return [" and ".join(found[leaf]) or "all rows" for leaf in self.leaves]


def fit_leaves(features: Array, truth: Array, target: Target, *, num_leaves: int, min_rows: int, seed: int) -> Leaves:
    """A tree that was grown to tell the target, leaf by leaf."""
    is_classes = target.task in (Task.BINARY, Task.MULTICLASS)
    grow: Any = DecisionTreeClassifier if is_classes else DecisionTreeRegressor
    smallest = max(min_rows, int(_MIN_LEAF_SHARE * len(features)))
    tree = grow(max_leaf_nodes=num_leaves, min_samples_leaf=smallest, random_state=seed).fit(features, truth).tree_
    # NOTE: x is float32, so that x <= t is x <= the largest float32 that is no larger than t.
    thresholds = tree.threshold.astype(np.float32)
    above = thresholds.astype(np.float64) > tree.threshold
    thresholds[above] = np.nextafter(thresholds[above], np.float32(-np.inf))
    return Leaves(
        columns=tree.feature.astype(np.int64),
        thresholds=thresholds,
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        missing_goes_left=tree.missing_go_to_left.astype(bool),
        width=features.shape[1],
    )
