"""What graphs of networks for series have in common: numbers of steps, and forecasts that begin at the latest value."""

import numpy as np

from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.data.targets import TargetScale


def count_steps(graph: GraphBuilder, values: str) -> str:
    """0, 1, 2, ... for each step of [rows, steps, ...] there is room for."""
    size = graph.node("Squeeze", graph.node("Shape", values, start=1, end=2), graph.constant([0], np.int64))
    return graph.node("Range", graph.constant(0, np.int64), size, graph.constant(1, np.int64))


def last_values(graph: GraphBuilder, series: str) -> str:
    """The latest values that are not missing [rows, 1, channels]."""
    places = graph.node("Unsqueeze", count_steps(graph, series), graph.constant([0, 2], np.int64))
    known = graph.node("Where", graph.node("IsNaN", series), graph.constant(0, np.int64), places)
    return graph.node("GatherElements", series, graph.node("ReduceMax", known, graph.constant([1], np.int64)), axis=1)


def find_level(graph: GraphBuilder, last: str, *, channel: int, scale: TargetScale) -> str:
    """The target's latest value on the scale of the answers [rows, 1]; 0 where there is none."""
    value = graph.node("Gather", last, graph.constant(channel, np.int64), axis=2)
    level = graph.node("Sub", value, graph.constant(scale.mean, np.float32))
    level = graph.node("Div", level, graph.constant(scale.deviation, np.float32))
    return graph.node("Where", graph.node("IsNaN", level), graph.constant(0.0, np.float32), level)
