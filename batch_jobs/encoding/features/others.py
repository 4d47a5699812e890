"""Recipes of dates and of texts."""

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from aimass_core.domain.features import DatePart, TextStatistic
from batch_jobs.encoding.features.blocks import Block, Sources
from batch_jobs.encoding.table_graph import add_date_parts, add_words
from batch_jobs.encoding.table_matrix import Words

_CALENDAR = (DatePart.YEAR, DatePart.MONTH, DatePart.DAY, DatePart.WEEKDAY, DatePart.HOUR)
_CHARACTERS = {
    TextStatistic.DIGITS: "0123456789",
    TextStatistic.UPPER_CASE: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    TextStatistic.MARKS: "!?.",
}


def date_block(column: str, parts: Sequence[DatePart]) -> Block:
    """The parts of a date, in this order."""

    def build(sources: Sources) -> str:
        seconds = sources.date(column)
        found = dict(zip(_CALENDAR, add_date_parts(sources.graph, seconds.name), strict=True))
        found[DatePart.DAYS] = (seconds // 86_400.0).to_float32()
        return sources.graph.node("Concat", *(found[part] for part in parts), axis=1)

    return Block(names=tuple(f"{column} {part}" for part in parts), columns=(column,), build=build)


def text_block(column: str, statistics: Sequence[TextStatistic]) -> Block:
    """Counts, by splitting the text at what is counted: ONNX has no operator that looks at single characters."""

    def build(sources: Sources) -> str:
        graph, text = sources.graph, sources.text(column)
        # A text of nothing splits into no piece, others into one more than there are separators.
        is_empty = graph.node("Cast", graph.node("Equal", text, graph.texts([""])), to=TensorProto.INT64)
        one = graph.constant(1, np.int64)
        found: list[str] = []
        for statistic in statistics:
            if statistic is TextStatistic.WORDS:
                counts = [graph.nodes("StringSplit", text, num_outputs=2)[1]]
            else:
                counts = []
                for character in _CHARACTERS[statistic]:
                    _, pieces = graph.nodes("StringSplit", text, num_outputs=2, delimiter=character)
                    counts.append(graph.node("Add", graph.node("Sub", pieces, one), is_empty))
            found.append(graph.node("Cast", _add(sources, counts), to=TensorProto.FLOAT))
        return graph.node("Concat", *found, axis=1)

    return Block(names=tuple(f"{column} {part}" for part in statistics), columns=(column,), build=build)


def words_block(words: Words) -> Block:
    """Which words a text has."""

    def build(sources: Sources) -> str:
        return add_words(sources.graph, sources.text(words.column), words)

    return Block(names=words.names, columns=(words.column,), build=build)


def _add(sources: Sources, counts: Sequence[str]) -> str:
    total = counts[0]
    for count in counts[1:]:
        total = sources.graph.node("Add", total, count)
    return total
