"""Blocks of text cells that are plain numbers: found out and converted without a look at each cell."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# NOTE: a cast that fails makes an error message for every cell, so a few cells are tried before all are.
_PROBED_CELLS = 32
_INTEGER_RE2 = r"^[+-]?[0-9]+$"


def to_integers(cells: pa.Array) -> pa.Array | None:
    """Whole numbers in 64 bits; None unless every cell is as Arrow writes it.

    Arrow reads leading zeros, -0 and hexadecimal digits too. The former make a cell longer than it needs to be, so the
    bytes of the whole block are compared with those that its numbers need; the latter are beyond "9".
    """
    try:
        pc.cast(cells.slice(0, _PROBED_CELLS), pa.int64())
        values = pc.cast(cells, pa.int64())
    except pa.ArrowInvalid:
        return None
    # NOTE: a missing cell may have bytes.
    text = _bytes_of(cells.drop_null())
    is_plain = not len(text) or (text.max() <= ord("9") and len(text) == _num_characters(values))
    return values if is_plain else None


def to_numbers(cells: pa.Array) -> tuple[pa.Array, int] | None:
    """Floats, and how many cells are written as whole numbers; None unless Arrow reads all, none is NaN, and the whole
    ones are plain integers."""
    try:
        pc.cast(cells.slice(0, _PROBED_CELLS), pa.float64())
        values = pc.cast(cells, pa.float64())
    except pa.ArrowInvalid:
        return None
    if pc.any(pc.is_nan(values)).as_py():
        return None
    may_be_whole = cells.filter(pc.equal(values, pc.floor(values)))
    whole = may_be_whole.filter(pc.match_substring_regex(may_be_whole, _INTEGER_RE2))
    if len(whole) and to_integers(whole) is None:
        return None
    return values, len(whole)


def _bytes_of(cells: pa.Array) -> npt.NDArray[np.uint8]:
    _, offsets, data = cells.buffers()
    if data is None:
        return np.empty(0, dtype=np.uint8)
    bounds = np.frombuffer(offsets, dtype=np.int32)[[cells.offset, cells.offset + len(cells)]]
    return np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[1]]


def _num_characters(integers: pa.Array) -> int:
    """Of all together, in decimal digits with the least that they need."""
    values = integers.drop_null().to_numpy(zero_copy_only=False)
    sizes = np.abs(values)
    largest, found, bound = int(sizes.max()) if len(sizes) else 0, len(values), 10
    while bound <= largest:
        found += int(np.count_nonzero(sizes >= bound))
        bound *= 10
    return found + int(np.count_nonzero(values < 0))
