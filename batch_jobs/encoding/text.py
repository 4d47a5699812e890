"""Texts: one column or several to the numbers of their words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from aimass_core.domain.algorithms.contract import TextReading
from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.domain.signatures import Datatype, TensorSpec
from aimass_core.errors import InvalidDataError
from batch_jobs.data.frames import MISSING_TEXT, Frame
from batch_jobs.encoding.text_graph import build_text_graph
from batch_jobs.encoding.text_tokens import join_columns, tokenize
from batch_jobs.encoding.vocabulary import PADDING, Vocabulary, fit_vocabulary

_UNSEEN = "(Wörter,\tdie im Training nie vorkamen!)\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoder:
    """An `Encoder` of texts; `max_tokens` of each row are read."""

    columns: tuple[str, ...]
    vocabulary: Vocabulary
    max_tokens: int
    num_numeric: int = 0

    @property
    def cardinalities(self) -> tuple[int]:
        """How many numbers there are."""
        return (self.vocabulary.size,)

    def transform(self, frame: Frame) -> NDArray[np.int64]:
        """[rows, 1 + tokens of the longest text], padded at the end: never less than one column."""
        rows = [self.vocabulary.look_up(tokens) for tokens in _tokenize(frame, self.columns, self.max_tokens)]
        numbers = np.full((len(rows), 1 + max(map(len, rows), default=0)), PADDING, dtype=np.int64)
        for row, found in zip(numbers, rows, strict=True):
            row[: len(found)] = found
        return numbers

    def to_onnx(self, input_names: Mapping[str, str]) -> onnx.ModelProto:
        """See `Encoder.to_onnx`."""
        names = [input_names[column] for column in self.columns]
        return build_text_graph(names, self.vocabulary, max_tokens=self.max_tokens)

    def describe_inputs(self, input_names: Mapping[str, str]) -> list[TensorSpec]:
        """See `Encoder.describe_inputs`."""
        return [
            TensorSpec(
                name=input_names[column],
                datatype=Datatype.BYTES,
                shape=[-1, 1],
                column=column,
                column_type=ColumnType.STRING,
            )
            for column in self.columns
        ]

    def hard_rows(self, frame: Frame) -> Frame:
        """No text, words that training never saw, and more of them than are read."""
        rows = frame.take(np.zeros(3, dtype=int))
        for values in rows.columns.values():
            values[:] = [MISSING_TEXT, _UNSEEN, "so, " * self.max_tokens]
        return rows


def fit_text_encoder(frame: Frame, columns: Sequence[Column], reading: TextReading) -> TextEncoder:
    """Learns the vocabulary from training rows.

    Raises:
        InvalidDataError: There is not one word.
    """
    names = tuple(column.name for column in columns)
    texts = _tokenize(frame, names, reading.max_tokens)
    vocabulary = fit_vocabulary(texts, max_words=reading.max_words)
    if not vocabulary.num_words:
        raise InvalidDataError(f"the text columns {list(names)} hold no word in any of {frame.num_rows} training rows")
    return TextEncoder(columns=names, vocabulary=vocabulary, max_tokens=reading.max_tokens)


def _tokenize(frame: Frame, columns: Sequence[str], max_tokens: int) -> Iterator[list[str]]:
    texts = join_columns([frame.columns[column] for column in columns])
    return (tokenize(text, max_tokens=max_tokens) for text in texts)
