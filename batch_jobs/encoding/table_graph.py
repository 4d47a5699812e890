"""`Encoding.transform` as an ONNX graph: raw columns in, the float32 feature matrix out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from batch_jobs.algorithms.export.builder import GraphBuilder, finite_or_nan
from batch_jobs.algorithms.learning import FEATURES
from batch_jobs.data.words import MAX_TOKENS
from batch_jobs.encoding.doubles import Doubles
from batch_jobs.encoding.table_matrix import OTHER_CODE, Category, Encoding, Words


def build_table_graph(encoding: Encoding, input_names: Mapping[str, str]) -> onnx.ModelProto:
    """Each input has the shape [rows, 1]; `input_names` maps raw columns to inputs."""
    graph = GraphBuilder("encoding")
    parts: list[str] = []
    if encoding.numbers:
        inputs = [graph.input(input_names[name], TensorProto.FLOAT, ["rows", 1]) for name in encoding.numbers]
        parts.append(finite_or_nan(graph, graph.node("Concat", *inputs, axis=1)))
    for name in encoding.dates:
        parts += add_date_parts(graph, graph.input(input_names[name], TensorProto.DOUBLE, ["rows", 1]))
    for words in encoding.words:
        source = graph.input(input_names[words.column], TensorProto.STRING, ["rows", 1])
        parts.append(add_words(graph, source, words))
    for category in encoding.categories:
        source = graph.input(input_names[category.column], TensorProto.STRING, ["rows", 1])
        parts.append(add_codes(graph, source, category))
    width = encoding.num_numeric + len(encoding.categories)
    graph.output(graph.node("Concat", *parts, axis=1), FEATURES, TensorProto.FLOAT, ["rows", width])
    return graph.build()


def add_codes(graph: GraphBuilder, values: str, category: Category) -> str:
    """Codes as float32, from texts."""
    return graph.node(
        "LabelEncoder",
        values,
        domain="ai.onnx.ml",
        keys_strings=list(category.values),
        values_floats=[float(code) for code in range(1, len(category.values) + 1)],
        default_float=float(OTHER_CODE),
    )


def add_words(graph: GraphBuilder, texts: str, words: Words) -> str:
    """float32 [rows, words]: 1 where a text has the word. As `words.split` does, it splits at spaces alone."""
    first, axis = graph.constant([0], np.int64), graph.constant([1], np.int64)
    flat = graph.node("Squeeze", texts, axis)
    pieces, _ = graph.nodes("StringSplit", flat, num_outputs=2, maxsplit=MAX_TOKENS)
    pieces = graph.node("Slice", pieces, first, graph.constant([MAX_TOKENS], np.int64), axis)
    # Where no text has a word there would be no column.
    nothing = graph.node("Expand", graph.texts([""]), graph.node("Shape", texts))
    numbers = graph.node(
        "LabelEncoder",
        graph.node("Concat", pieces, nothing, axis=1),
        domain="ai.onnx.ml",
        keys_strings=list(words.values),
        values_int64s=list(range(len(words.values))),
        default_int64=-1,
    )
    known = graph.constant(np.arange(len(words.values)), np.int64)
    is_there = graph.node("Equal", graph.node("Unsqueeze", numbers, graph.constant([2], np.int64)), known)
    return graph.node("ReduceMax", graph.node("Cast", is_there, to=TensorProto.FLOAT), axis, keepdims=0)


def add_date_parts(graph: GraphBuilder, name: str) -> list[str]:
    """The same calendar as `table_matrix.date_parts`, line by line."""
    seconds: Any = Doubles(graph, name)
    days = seconds // 86_400.0
    hour = (seconds - days * 86_400.0) // 3_600.0
    weekday = (days + 3.0) % 7.0
    shifted = days + 719_468.0
    era = shifted // 146_097.0
    day_of_era = shifted - era * 146_097.0
    leaps = day_of_era // 1_460.0 - day_of_era // 36_524.0 + day_of_era // 146_096.0
    year_of_era = (day_of_era - leaps) // 365.0
    day_of_year = day_of_era - (year_of_era * 365.0 + year_of_era // 4.0 - year_of_era // 100.0)
    month_from_march = (day_of_year * 5.0 + 2.0) // 153.0
    day = day_of_year - (month_from_march * 153.0 + 2.0) // 5.0 + 1.0
    month = (month_from_march + 2.0) % 12.0 + 1.0
    year = year_of_era + era * 400.0 + (month * -1.0 + 14.0) // 12.0
    return [part.to_float32() for part in (year, month, day, weekday, hour)]
