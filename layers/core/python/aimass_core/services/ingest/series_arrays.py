"""Series of an `.npz` file: [rows, steps] or [rows, steps, channels], filled up with NaN where one is shorter."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aimass_core.domain.schemas import MAX_SERIES_LENGTH
from aimass_core.services.ingest import series
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.reading import Reading

AnyArray = npt.NDArray[Any]
_BLOCK_VALUES = 4 * 1024**2


def channel_names(num_channels: int) -> list[str]:
    """`x`, or `x0`, `x1`, ... where there are several."""
    return ["x"] if num_channels == 1 else [f"x{index}" for index in range(num_channels)]


def check(x: AnyArray, *, limits: Limits) -> list[str]:
    """The names of its channels. Raises FileRejectedError."""
    num_channels = 1 if x.ndim == 2 else x.shape[2]
    if x.dtype.kind not in "iuf":
        raise FileRejectedError(f"The series are {x.dtype}; numbers are read. Convert them: x.astype('float32').")
    if not 0 < num_channels <= limits.max_columns:
        raise FileRejectedError(
            f"The array x of shape {x.shape} has {num_channels:,} channels; 1 to {limits.max_columns:,} are read. "
            "Its shape must be (rows, steps, channels)."
        )
    if not 0 < x.shape[1] <= MAX_SERIES_LENGTH:
        raise FileRejectedError(
            f"The array x of shape {x.shape}, which is (rows, steps, channels): {series.explain_length(x.shape[1])}"
        )
    return channel_names(num_channels)


def blocks(x: AnyArray, *, first: int, reading: Reading) -> Iterator[tuple[npt.NDArray[np.int64], list[pa.Array]]]:
    """Positions of rows with their channels, block by block. Rows without a value are kept apart.

    Args:
        x: As `check` has taken it.
        first: The number of its first row.
        reading: Where bad rows go.
    """
    size = max(_BLOCK_VALUES // max(x[0].size, 1), 1)
    for begin in range(0, len(x), size):
        part = x[begin : begin + size]
        block = np.asarray(part, dtype=np.float64).reshape(*part.shape[:2], -1)
        is_step: AnyArray = np.asarray(~np.isnan(block).all(axis=2))
        lengths = np.where(is_step.any(axis=1), x.shape[1] - is_step[:, ::-1].argmax(axis=1), 0)
        for row in np.flatnonzero(lengths == 0).tolist():
            reading.bad_row(line=first + begin + row, reason="Every value of the series is NaN. Leave the row out.")
        good = np.flatnonzero(lengths)
        is_kept = np.arange(x.shape[1]) < lengths[good][:, None]
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths[good])]), pa.int32())
        yield (
            good + begin,
            [
                pa.ListArray.from_arrays(offsets, pa.array(block[good, :, channel][is_kept], from_pandas=True))
                for channel in range(block.shape[2])
            ],
        )
