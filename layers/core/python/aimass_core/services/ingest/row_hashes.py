"""64-bit hashes of rows, to find equal ones without keeping them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def hash_rows(columns: Sequence[pa.Array]) -> npt.NDArray[np.uint64]:
    """64-bit hashes that are equal for equal rows of these columns (within this process), encoded or not."""
    combined = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        combined *= np.uint64(0x9E3779B97F4A7C15)
        combined += _hash_values(column)
        combined ^= combined >> np.uint64(29)
    return combined


def _hash_values(column: pa.Array) -> npt.NDArray[np.uint64]:
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        column = column.dictionary_encode()
    if pa.types.is_dictionary(column.type):
        values = [*column.dictionary.to_pylist(), None]
        hashes = np.array([hash(value) for value in values], dtype=np.int64)
        indices: npt.NDArray[np.int32] = pc.fill_null(column.indices, len(values) - 1).to_numpy(zero_copy_only=False)
        return hashes.view(np.uint64)[indices]
    if pa.types.is_list(column.type):
        return _hash_lists(column)
    numbers = column.cast(pa.int64()) if not pa.types.is_floating(column.type) else column
    bits = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False).view(np.uint64)
    mixed: npt.NDArray[np.uint64] = bits ^ (bits >> np.uint64(31))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    if column.null_count:
        mixed[column.is_null().to_numpy(zero_copy_only=False)] = np.uint64(0xD6E8FEB86659FD93)
    return mixed


def _hash_lists(column: pa.Array) -> npt.NDArray[np.uint64]:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    values = column.flatten()
    places = np.arange(len(values), dtype=np.uint64) - np.repeat(starts, lengths).astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (_hash_values(values) ^ places) * np.uint64(0x9E3779B97F4A7C15)
        sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed ^ (mixed >> np.uint64(29)))])
        found: npt.NDArray[np.uint64] = sums[ends] - sums[starts] + lengths.astype(np.uint64)
    return found
