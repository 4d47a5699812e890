"""Pieces of combining graphs that several methods have: each mirrors a function of `answers`."""

import numpy as np

from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.fuse.answers import SMALLEST


def add_logits(graph: GraphBuilder, probabilities: str, task: Task) -> str:
    """As `answers.to_logits`."""
    low = graph.constant(SMALLEST, np.float64)
    if task is not Task.MULTILABEL:
        return graph.node("Log", graph.node("Max", probabilities, low))
    clipped = graph.node("Min", graph.node("Max", probabilities, low), graph.constant(1 - SMALLEST, np.float64))
    against = graph.node("Sub", graph.constant(1.0, np.float64), clipped)
    return graph.node("Log", graph.node("Div", clipped, against))


def add_link(graph: GraphBuilder, logits: str, task: Task) -> str:
    """As `answers.from_logits`."""
    return graph.node("Sigmoid", logits) if task is Task.MULTILABEL else graph.node("Softmax", logits, axis=-1)


def add_weighted_sum(graph: GraphBuilder, scores: str, weights: str) -> str:
    """Over members: [members, rows, outputs] becomes [rows, outputs]."""
    return graph.node("ReduceSum", graph.node("Mul", scores, weights), graph.constant([0], np.int64), keepdims=0)
