"""Texts to tokens, with Python's own string methods. `text_graph` does the same in ONNX, operation by operation.

Letters keep their case here: ONNX's lower-casing depends on the locales of the machine. The vocabulary knows each word
in the cases that it comes in.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

SPACE: Final = " "
# NOTE: ONNX Runtime's StringSplit splits at the space alone, so other white space is made one first.
BLANKS: Final = "\t\n\r\u00a0\u3000"
MARKS: Final = '.,!?;:()"\u201c\u201d\u2014/'
FIELD_MARK: Final = "\u241e"
"""A token that stands between the columns where several are read."""


def replacements() -> Iterable[tuple[str, str]]:
    """What is replaced, in this order, and by what: white space by a space, and marks stand apart as tokens."""
    yield from ((blank, SPACE) for blank in BLANKS)
    yield from ((mark, f" {mark} ") for mark in MARKS)


def tokenize(text: str, *, max_tokens: int) -> list[str]:
    """The first tokens of a text. Of each blank and mark, only so many are looked at as there may be tokens."""
    for old, new in replacements():
        text = text.replace(old, new, max_tokens)
    return [token for token in text.split(SPACE) if token][:max_tokens]


def join_columns(columns: Sequence[Iterable[str]]) -> list[str]:
    """Of each row one text."""
    join = partial(str.join, f" {FIELD_MARK} ")
    return [join(cells) for cells in zip(*columns, strict=True)]
