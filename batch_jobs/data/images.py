"""Decodes image columns into one uint8 array, in parallel threads (Pillow releases the GIL)."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from PIL import Image

from aimass_core.domain.schemas import ImageShape
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel
from batch_jobs.data.frames import Array, Frame

DEFAULT_MAX_SIZE = 64
_SAMPLE = 200
_GREY_MODES = frozenset({"1", "L", "LA", "I", "F", "I;16"})


def choose_image_shape(
    channel: Channel, column: str, *, image_size: int | None, message: Callable[[str], None]
) -> ImageShape:
    """The size that all images are brought to: `image_size` square, or their own size where it is at most 64."""
    declared = channel.schema.image_shape or _sample_shape(channel.table.column(column))
    height, width = declared.height, declared.width
    if image_size is not None:
        height = width = image_size
    elif max(height, width) > DEFAULT_MAX_SIZE or channel.schema.image_shape is None:
        height = width = min(max(height, width), DEFAULT_MAX_SIZE)
    if (height, width) != (declared.height, declared.width) or channel.schema.image_shape is None:
        message(f"images are resized to {height} x {width}")
    return ImageShape(height=height, width=width, channels=1 if declared.channels <= 2 else 3)


def image_frame(channel: Channel, column: str, *, shape: ImageShape, num_threads: int) -> Frame:
    """All images as uint8 [rows, height, width, channels].

    Raises:
        InvalidDataError: The channel has no such column, or a cell is empty or not an image.
    """
    if channel.schema.column(column) is None:
        raise InvalidDataError(f"channel {channel.name} lacks the image column {column!r} of the training channel")
    cells = channel.table.column(column)
    images = np.empty((channel.num_rows, shape.height, shape.width, shape.channels), dtype=np.uint8)

    def decode(row: int) -> None:
        try:
            images[row] = to_pixels(cells[row].as_py(), shape)
        except (OSError, TypeError, Image.DecompressionBombError) as error:
            number = channel.rows[row].as_py()
            raise InvalidDataError(f"channel {channel.name}: the image in row {number} cannot be decoded") from error

    with ThreadPoolExecutor(max_workers=num_threads) as pool:
        for _ in pool.map(decode, range(channel.num_rows)):
            pass
    return Frame(columns={column: images}, num_rows=channel.num_rows)


def to_pixels(encoded: bytes, shape: ImageShape) -> Array:
    """One image, converted to grey or RGB and resized (bilinear) where its size differs."""
    with Image.open(io.BytesIO(encoded)) as image:
        converted = image.convert("L" if shape.channels == 1 else "RGB")
    if converted.size != (shape.width, shape.height):
        converted = converted.resize((shape.width, shape.height), Image.Resampling.BILINEAR)
    return np.asarray(converted, dtype=np.uint8).reshape(shape.height, shape.width, shape.channels)


def _sample_shape(cells: pa.ChunkedArray) -> ImageShape:
    """The median size of some images; in colour where one of them is."""
    sizes, is_colour = [], False
    for row in np.linspace(0, len(cells) - 1, num=min(_SAMPLE, len(cells))).astype(int):
        try:
            with Image.open(io.BytesIO(cells[int(row)].as_py())) as image:
                sizes.append((image.height, image.width))
                is_colour |= image.mode not in _GREY_MODES
        except (OSError, TypeError) as error:
            raise InvalidDataError(f"the image in row {row} cannot be decoded") from error
    height, width = np.median(np.asarray(sizes), axis=0).astype(int).tolist()
    return ImageShape(height=height, width=width, channels=3 if is_colour else 1)
