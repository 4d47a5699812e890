"""Texts that are nearly those of an earlier row, by MinHash signatures and locality-sensitive hashing.

Everything is done on whole batches: the runs of five bytes of all texts are hashed at once, and of each of 64 orders of
the hashes the smallest of every text is kept. Texts that agree in all four of one of 16 bands are compared by how many
of the 64 they share, which estimates the Jaccard similarity of their runs (Broder 1997).
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from aimass_core.domain.quality import NearDuplicatesExpected
from aimass_core.domain.schemas import ColumnType, Schema
from aimass_core.services.quality.findings import MAX_EXAMPLES, Check, Facts, Finding, of_share, to_example
from aimass_core.services.quality.row_checks import Refused

MAX_TEXTS = 1_000_000
_RUN = 5
_NUM_ORDERS, _NUM_BANDS = 64, 16
_ROWS_OF_BAND = _NUM_ORDERS // _NUM_BANDS
_CHUNK = 5_000
_MAX_TEXT = 2_000
_EMPTY = np.uint32(2**32 - 1)

Signatures = npt.NDArray[np.uint32]


class NearDuplicates:
    """Keeps 256 bytes for each of the first million texts."""

    def __init__(self, expected: NearDuplicatesExpected) -> None:
        self._expected = expected
        self._signatures: list[Signatures] = []
        self._starts: list[str] = []
        self._num_texts = self._num_left_out = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """See Check."""
        texts = batch.column(self._expected.column).drop_null()
        room = MAX_TEXTS - self._num_texts
        self._num_left_out += max(len(texts) - room, 0)
        texts = texts.slice(0, max(room, 0))
        for first in range(0, len(texts), _CHUNK):
            chunk = texts.slice(first, _CHUNK)
            self._signatures.append(sign(chunk))
            self._starts += [to_example(text) for text in pc.utf8_slice_codeunits(chunk, 0, 100).to_pylist()]
            self._num_texts += len(chunk)

    def finish(self, _facts: Facts, /) -> Finding:
        """See Check."""
        if not self._num_texts:
            return of_share(0, 0, self._expected.max_share, what="nearly an earlier one")
        repeats = find_repeats(np.concatenate(self._signatures), self._expected.similarity)
        examples = [self._starts[index] for index in repeats[:MAX_EXAMPLES]]
        what = "nearly an earlier one"
        if self._num_left_out:
            what += f" (of the first {MAX_TEXTS:,}; {self._num_left_out:,} more were not looked at)"
        return of_share(len(repeats), self._num_texts, self._expected.max_share, what=what, examples=examples)


def build(expected: NearDuplicatesExpected, schema: Schema) -> Check:
    """Of a column of texts."""
    column = schema.column(expected.column)
    if column is None:
        return Refused(f"There is no column {expected.column!r}.")
    if column.type is not ColumnType.STRING:
        return Refused(f"The column {expected.column!r} is {column.type} and has no texts.")
    return NearDuplicates(expected)


def sign(texts: pa.Array) -> Signatures:
    """One row of 64 minima for each text; texts that differ in case, marks and spaces only have the same."""
    plain = pc.replace_substring_regex(pc.utf8_lower(texts), r"[^\p{L}\p{N}]+", " ")
    plain = pc.utf8_slice_codeunits(pc.utf8_trim_whitespace(plain), 0, _MAX_TEXT)
    # Spaces around it, so that a text has a run for each of its bytes and an empty one is a run too.
    before, after, nothing = (pa.scalar(" " * num, pa.large_string()) for num in (1, _RUN - 1, 0))
    padded = pc.binary_join_element_wise(before, plain.cast(pa.large_string()), after, nothing)
    _, offsets_buffer, data = padded.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[padded.offset : padded.offset + len(padded) + 1]
    letters = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]].astype(np.uint64)
    starts = offsets[:-1] - offsets[0]
    runs = np.zeros(len(letters) - _RUN + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for place in range(_RUN):
            runs = (runs << np.uint64(8)) | letters[place : len(letters) - _RUN + 1 + place]
        # NOTE: runs that begin in the last four bytes of a text reach into the next one, and do not count.
        ends = np.append(starts[1:], len(letters)) - _RUN
        is_inside = np.zeros(len(runs) + 1, dtype=np.int64)
        np.add.at(is_inside, starts, 1)
        np.add.at(is_inside, np.minimum(ends + 1, len(runs)), -1)
        mixed = _mix(runs)
        outside = np.cumsum(is_inside[:-1]) == 0
        found = np.empty((len(texts), _NUM_ORDERS), dtype=np.uint32)
        for order in range(_NUM_ORDERS):
            hashes = ((mixed * _FACTORS[order]) >> np.uint64(32)).astype(np.uint32)
            hashes[outside] = _EMPTY
            found[:, order] = np.minimum.reduceat(hashes, starts)
    return found


def find_repeats(signatures: Signatures, similarity: float) -> list[int]:
    """Which texts are similar to an earlier one, in order."""
    is_repeat = np.zeros(len(signatures), dtype=bool)
    for band in range(_NUM_BANDS):
        part = np.ascontiguousarray(signatures[:, band * _ROWS_OF_BAND : (band + 1) * _ROWS_OF_BAND])
        pairs = part.view(np.uint64)
        keys = _mix(_mix(pairs[:, 0]) ^ pairs[:, 1])
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        earliest = first[inverse]
        candidates = np.flatnonzero((earliest != np.arange(len(keys))) & ~is_repeat)
        if len(candidates):
            same = (signatures[candidates] == signatures[earliest[candidates]]).mean(axis=1)
            is_repeat[candidates[same >= similarity]] = True
    return [int(index) for index in np.flatnonzero(is_repeat)]


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of splitmix64."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


# Odd, so that each is a permutation (multiply-shift: Dietzfelbinger 1997).
_FACTORS = _mix(np.arange(1, _NUM_ORDERS + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)
