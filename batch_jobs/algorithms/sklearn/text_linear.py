"""Logistic and ridge regression on the words and word pairs of texts, in float64 throughout.

A word or pair weighs its inverse document frequency (Sparck Jones 1972) each time it occurs, and a text is divided by
the root of the summed squares of what occurs in it. Where nothing occurs twice, that is TF-IDF of one length; unlike
the length of a TF-IDF vector it needs no histogram of the text, so that in ONNX a text costs a few look-ups a word, and
no vector as long as the vocabulary.

The length is the root of ten, and not one: the penalty of 1 that suits columns of unit deviation, of which a row has a
length of about the root of their number, is far too strict for rows of length one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from scipy import sparse

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES, Problem

Doubles = NDArray[np.float64]
Ids = NDArray[np.int64]

_LENGTH = 10.0**0.5
_MAX_PAIRS = 50_000
_MIN_TEXTS = 2
_FIRST_WORD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDesign:
    """How ids become the regression's columns: one for each word id, then one for each known pair.

    `pairs` are sorted numbers, `first * num_ids + second`; `weights` are inverse document frequencies, zero for padding
    and the unknown word, and last a zero for every pair that is not known.
    """

    num_ids: int
    pairs: Ids
    weights: Doubles

    @property
    def num_columns(self) -> int:
        """Words and pairs."""
        return self.num_ids + len(self.pairs)

    def columns_of(self, ids: Ids) -> Ids:
        """The column of each word and of each pair in a text: [rows, 2 * length - 1]; `num_columns` is no column."""
        numbers = ids[:, :-1] * self.num_ids + ids[:, 1:]
        position = np.searchsorted(self.pairs, numbers)
        found = np.append(self.pairs, -1)[position] == numbers
        return np.concatenate([ids, np.where(found, self.num_ids + position, self.num_columns)], axis=1)

    def transform(self, ids: Ids) -> Any:
        """A sparse matrix [rows, num_columns]."""
        columns = self.columns_of(ids)
        values = self.weights[columns]
        lengths = np.sqrt((values**2).sum(axis=1, keepdims=True))
        values = values * (_LENGTH / np.where(lengths > 0, lengths, 1.0))
        rows = np.broadcast_to(np.arange(len(ids))[:, None], columns.shape)
        is_some = values > 0
        entries = (values[is_some], (rows[is_some], columns[is_some]))
        return sparse.csr_matrix(entries, shape=(len(ids), self.num_columns))


def fit_text_design(ids: Ids, problem: Problem) -> TextDesign:
    """Knows the pairs that occur in two texts, the 50,000 most frequent where there are more."""
    (num_ids,) = problem.cardinalities
    is_pair = (ids[:, :-1] >= _FIRST_WORD) & (ids[:, 1:] >= _FIRST_WORD)
    numbers = np.where(is_pair, ids[:, :-1] * num_ids + ids[:, 1:], -1)
    found, counts = np.unique(_first_occurrences(numbers), return_counts=True)
    order = np.lexsort((found, -counts))
    known = order[(counts[order] >= _MIN_TEXTS) & (found[order] >= 0)][:_MAX_PAIRS]
    pairs = np.sort(found[known])
    design = TextDesign(num_ids=num_ids, pairs=pairs, weights=np.zeros(num_ids + len(pairs) + 1))
    columns, frequencies = np.unique(_first_occurrences(design.columns_of(ids)), return_counts=True)
    is_known = (columns >= _FIRST_WORD) & (columns < design.num_columns)
    design.weights[columns[is_known]] = np.log((1 + len(ids)) / (1 + frequencies[is_known])) + 1
    return design


def _first_occurrences(numbers: Ids) -> Ids:
    """Each number once a row, all rows in one array."""
    ordered = np.sort(numbers, axis=1)
    is_first = np.ones(ordered.shape, dtype=bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return np.asarray(ordered[is_first])


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedTextLinear:
    """Weights of shape [columns, outputs] on the design matrix; two classes have one."""

    problem: Problem
    design: TextDesign
    model: Any
    weights: Doubles
    biases: Doubles
    num_steps: int = 1

    def predict(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """See `Fitted.predict`; scikit-learn's own answer."""
        columns = self.design.transform(features)
        answer = self.model.predict if self.problem.task is Task.REGRESSION else self.model.predict_proba
        return np.asarray(answer(columns), dtype=np.float32)

    def to_onnx(self) -> onnx.ModelProto:
        """See `Fitted.to_onnx`."""
        graph = GraphBuilder("linear")
        ids = graph.input(FEATURES, TensorProto.INT64, ["rows", "length"])
        columns = graph.node("Concat", ids, self._pair_columns(graph, ids), axis=1)
        values = graph.node("Gather", graph.constant(self.design.weights, np.float64), columns)
        squares = graph.node("ReduceSum", graph.node("Mul", values, values), graph.constant([1], np.int64))
        is_some = graph.node("Greater", squares, graph.constant(0, np.float64))
        length = graph.node("Sqrt", graph.node("Where", is_some, squares, graph.constant(1, np.float64)))
        factor = graph.node("Div", graph.constant(_LENGTH, np.float64), length)
        shares = graph.node("Unsqueeze", graph.node("Mul", values, factor), graph.constant([1], np.int64))
        weights = np.concatenate([self.weights, np.zeros((1, self.weights.shape[1]))])
        gathered = graph.node("Gather", graph.constant(weights, np.float64), columns)
        sums = graph.node("Squeeze", graph.node("MatMul", shares, gathered), graph.constant([1], np.int64))
        scores = graph.node("Add", sums, graph.constant(self.biases, np.float64))
        if self.problem.task is Task.BINARY:
            # One logit is the same as two of which the first is zero.
            scores = graph.node("Concat", graph.node("Mul", scores, graph.constant(0, np.float64)), scores, axis=1)
        single = graph.node("Cast", add_link(graph, scores, self.problem), to=TensorProto.FLOAT)
        graph.output(single, SCORES, TensorProto.FLOAT, ["rows", self.problem.num_outputs])
        return graph.build()

    def _pair_columns(self, graph: GraphBuilder, ids: str) -> str:
        first = graph.node("Slice", ids, *(graph.constant([value], np.int64) for value in (0, -1, 1)))
        last = np.iinfo(np.int64).max
        second = graph.node("Slice", ids, *(graph.constant([value], np.int64) for value in (1, last, 1)))
        scaled = graph.node("Mul", first, graph.constant(self.design.num_ids, np.int64))
        # No pair has the number -1: the list of keys is never empty.
        known: Mapping[int, int] = {-1: self.design.num_columns} | {
            int(pair): column for column, pair in enumerate(self.design.pairs, start=self.design.num_ids)
        }
        return graph.node(
            "LabelEncoder",
            graph.node("Add", scaled, second),
            domain="ai.onnx.ml",
            keys_int64s=list(known),
            values_int64s=list(known.values()),
            default_int64=self.design.num_columns,
        )


def add_link(graph: GraphBuilder, logits: str, problem: Problem) -> str:
    """From logits to probabilities; values are what they are."""
    if problem.task is Task.REGRESSION:
        return logits
    return graph.node("Sigmoid", logits) if problem.task is Task.MULTILABEL else graph.node("Softmax", logits, axis=1)
