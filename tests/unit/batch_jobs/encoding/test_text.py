"""Tokens and their numbers: the graph repeats Python on any text."""

import unicodedata

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimass_core.domain.algorithms.contract import TextReading
from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.frames import Array, Frame
from batch_jobs.encoding.text import TextEncoder, fit_text_encoder
from batch_jobs.encoding.text_tokens import BLANKS, FIELD_MARK, MARKS, tokenize
from batch_jobs.encoding.vocabulary import PADDING, UNKNOWN, fit_vocabulary

TRAINING = [
    "The café is good, the tea is good!",
    "Is the café (really) good? — a tea,\treally",
    "naïve Straße ½ ﬁn 茶",
    "",
]
MAX_TOKENS = 7


def _frame(*columns: list[str]) -> Frame:
    tensors = {f"column {number}": np.array(texts, dtype=object) for number, texts in enumerate(columns)}
    return Frame(columns=tensors, num_rows=len(columns[0]))


def _fit(*columns: list[str], **reading: int) -> TextEncoder:
    frame = _frame(*columns)
    listed = [Column(name=name, type=ColumnType.STRING) for name in frame.columns]
    return fit_text_encoder(frame, listed, TextReading.model_validate({"max_tokens": MAX_TOKENS} | reading))


class Graph:
    """An encoder's graph in ONNX Runtime."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._names = {name: f"in {name}" for name in encoder.columns}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        model = encoder.to_onnx(self._names).SerializeToString()
        self._session = onnxruntime.InferenceSession(model, options)

    def run(self, frame: Frame) -> Array:
        inputs = {self._names[name]: values[:, None] for name, values in frame.columns.items()}
        (found,) = self._session.run(None, inputs)
        return np.asarray(found)


ENCODER = _fit(TRAINING)
GRAPH = Graph(ENCODER)
PAIR = _fit(TRAINING, TRAINING[::-1])
PAIR_GRAPH = Graph(PAIR)
_KNOWN = st.sampled_from(sorted(ENCODER.vocabulary.ids))
_ODD = st.sampled_from(
    [*BLANKS, *MARKS, " ", "\0", "\u2003", "\u0301", "\ufeff", "👩‍👩‍👧", FIELD_MARK, "...", "-", "'", "\x1c"]
)
TEXTS = st.lists(st.one_of(_KNOWN, _ODD, st.text(max_size=6)), max_size=25).map("".join)


@given(st.lists(TEXTS, min_size=1, max_size=6))
@settings(max_examples=300)
def test_the_graph_repeats_python_on_any_texts(texts: list[str]) -> None:
    frame = _frame(texts)
    expected = ENCODER.transform(frame)
    np.testing.assert_array_equal(GRAPH.run(frame), expected)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
@settings(max_examples=100)
def test_several_columns_are_read_as_one_text_with_a_mark_between(rows: list[tuple[str, str]]) -> None:
    frame = _frame([first for first, _ in rows], [second for _, second in rows])
    np.testing.assert_array_equal(PAIR_GRAPH.run(frame), PAIR.transform(frame))


@pytest.mark.parametrize(
    "text",
    ["", " ", "\t\n", "word " * 100_000, "," * 100_000, "\n" * 100_000, "x" * 1_000_000, "a,b" * 50_000, "\0", "a\0b"],
    ids=["empty", "space", "blanks", "words", "commas", "newlines", "one word", "glued", "nul", "nul inside"],
)
def test_texts_of_any_size_are_read_alone_and_beside_others(text: str) -> None:
    for texts in ([text], [text, "the tea", ""]):
        frame = _frame(texts)
        np.testing.assert_array_equal(GRAPH.run(frame), ENCODER.transform(frame))


def test_no_rows_give_no_numbers() -> None:
    assert GRAPH.run(_frame([])).shape[0] == 0


def test_words_and_marks_are_told_apart_and_long_texts_cut() -> None:
    assert tokenize('He said: "Great!"\nOk.', max_tokens=99) == ["He", "said", ":", '"', "Great", "!", '"', "Ok", "."]
    assert tokenize("one two three", max_tokens=2) == ["one", "two"]
    assert tokenize("don't well-made U+00A0:\u00a0here", max_tokens=9)[:2] == ["don't", "well-made"]


def test_case_form_and_glued_marks_do_not_make_another_word() -> None:
    texts = ["café good", "CAFÉ good!", "Café, Good", unicodedata.normalize("NFD", "café good"), "(café) «good"]
    numbers = ENCODER.transform(_frame(texts))
    cafe, good = ENCODER.vocabulary.ids["café"], ENCODER.vocabulary.ids["good"]
    assert all(cafe in row for row in numbers)
    assert all(good in row for row in numbers[:4])
    assert numbers[4].tolist()[3] == UNKNOWN


def test_padding_stands_at_the_end_and_there_is_always_one() -> None:
    numbers = ENCODER.transform(_frame(["", "the tea", "the"]))
    assert numbers.shape == (3, 3)
    assert (numbers == PADDING).tolist() == [[True, True, True], [False, False, True], [False, True, True]]
    assert ENCODER.transform(_frame([""])).tolist() == [[PADDING]]


def test_the_most_frequent_words_are_kept_and_single_ones_left_out() -> None:
    vocabulary = fit_vocabulary([["a", "b", "A", "b", "c"], ["a", "once"], ["c"]], max_words=2)
    assert vocabulary.size == 4
    assert vocabulary.look_up(["a", "A", "b", "c", "once"]) == [2, 2, 3, UNKNOWN, UNKNOWN]
    assert fit_vocabulary([["all", "once"]], max_words=9).num_words == 2


@pytest.mark.parametrize("texts", [["", ""], [" ", "\n\t"]])
def test_texts_without_a_word_are_refused(texts: list[str]) -> None:
    with pytest.raises(InvalidDataError, match="hold no word in any of 2 training rows"):
        _fit(texts)
