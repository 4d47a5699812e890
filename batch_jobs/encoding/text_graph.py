"""Tokens and their numbers as an ONNX graph of standard operators, equal to `text_tokens` and `Vocabulary.look_up`.

ONNX replaces no text within a text. A replacement is a StringSplit at what is replaced, and the pieces joined again:
neighbours two by two in a Loop, so that a text of a megabyte is copied a few times and not a few thousand times.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto

from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES
from batch_jobs.encoding.text_tokens import FIELD_MARK, replacements
from batch_jobs.encoding.vocabulary import PADDING, UNKNOWN, Vocabulary

_END = np.iinfo(np.int64).max


def build_text_graph(inputs: Sequence[str], vocabulary: Vocabulary, *, max_tokens: int) -> onnx.ModelProto:
    """Texts of shape [rows, 1] to numbers [rows, 1 + tokens of the longest text]: the last column is padding."""
    graph = GraphBuilder("encoding")
    columns = [graph.input(name, TensorProto.STRING, ["rows", 1]) for name in inputs]
    text = columns[0]
    for column in columns[1:]:
        text = graph.node("StringConcat", text, graph.texts([f" {FIELD_MARK} "]))
        text = graph.node("StringConcat", text, column)
    for old, new in replacements():
        text = _replace(graph, text, old, new, max_count=max_tokens)
    flat = graph.node("Squeeze", text, graph.constant([1], np.int64))
    # Without a delimiter it splits at runs of spaces, and at no other white space.
    pieces, _ = graph.nodes("StringSplit", flat, num_outputs=2, maxsplit=max_tokens)
    tokens = _columns(graph, pieces, 0, max_tokens)
    nothing = graph.node("Expand", graph.texts([""]), graph.node("Shape", text))
    numbers = graph.node(
        "LabelEncoder",
        graph.node("Concat", tokens, nothing, axis=1),
        domain="ai.onnx.ml",
        keys_strings=["", *vocabulary.ids],
        values_int64s=[PADDING, *vocabulary.ids.values()],
        default_int64=UNKNOWN,
    )
    graph.output(numbers, FEATURES, TensorProto.INT64, ["rows", "length"])
    return graph.build()


def _replace(graph: GraphBuilder, text: str, old: str, new: str, *, max_count: int) -> str:
    """`text.replace(old, new, max_count)` of every text in [rows, 1]. Where no text has `old`, nothing is done."""
    flat = graph.node("Squeeze", text, graph.constant([1], np.int64))
    pieces, counts = graph.nodes("StringSplit", flat, num_outputs=2, delimiter=old, maxsplit=max_count)
    width = graph.node("Shape", pieces, start=1, end=2)
    is_found = graph.node("Squeeze", graph.node("Greater", width, graph.constant([1], np.int64)))
    found, missed = graph.branch(), graph.branch()
    _add_output(found, _join(found, _separate(found, pieces, counts, width, new), is_found))
    _add_output(missed, text)
    return graph.node("If", is_found, then_branch=found.to_inner_graph(), else_branch=missed.to_inner_graph())


def _separate(graph: GraphBuilder, pieces: str, counts: str, width: str, between: str) -> str:
    """Every piece but the first of a row with `between` in front. Beyond a row's count there is nothing."""
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    position = graph.node("Range", zero, graph.node("Squeeze", width), one)
    is_piece = graph.node("Less", position, graph.node("Unsqueeze", counts, graph.constant([1], np.int64)))
    has_left = graph.node("And", is_piece, graph.node("Greater", position, zero))
    return graph.node("StringConcat", graph.node("Where", has_left, graph.texts([between]), graph.texts([""])), pieces)


def _join(graph: GraphBuilder, pieces: str, is_more_than_one: str) -> str:
    """[rows, pieces] to [rows, 1]: as long as there is more than one column, neighbours are joined."""
    body = graph.branch()
    body.input(body.new_name("round"), TensorProto.INT64, [])
    body.input(body.new_name("goes_on"), TensorProto.BOOL, [])
    row = body.input(body.new_name("pieces"), TensorProto.STRING, ["rows", None])
    left, right = _columns(body, row, 0, _END, step=2), _columns(body, row, 1, _END, step=2)
    first = _columns(body, row, 0, 1)
    nothing = body.node("Expand", body.texts([""]), body.node("Shape", first))
    width = body.node("Shape", left, start=1, end=2)
    filled = body.node("Concat", right, nothing, axis=1)
    right = body.node("Slice", filled, body.constant([0], np.int64), width, body.constant([1], np.int64))
    goes_on = body.node("Squeeze", body.node("Greater", width, body.constant([1], np.int64)))
    body.output(goes_on, body.new_name("goes_on"), TensorProto.BOOL, [])
    _add_output(body, body.node("StringConcat", left, right))
    return graph.node("Loop", "", is_more_than_one, pieces, body=body.to_inner_graph())


def _add_output(graph: GraphBuilder, texts: str) -> None:
    graph.output(texts, graph.new_name("texts"), TensorProto.STRING, ["rows", None])


def _columns(graph: GraphBuilder, matrix: str, start: int, end: int, *, step: int = 1) -> str:
    bounds = [graph.constant([value], np.int64) for value in (start, end, 1, step)]
    return graph.node("Slice", matrix, *bounds)
