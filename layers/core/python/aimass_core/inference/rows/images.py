"""Images of requests: PNG or JPEG as base64, or nested lists of pixel values, brought to the model's size."""

import base64
import binascii
import io
import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aimass_core.domain.schemas import ImageShape
from aimass_core.inference.rows.errors import CellError

Array = NDArray[Any]

MAX_PIXELS = 50_000_000
_DATA_URL = re.compile(r"data:image/(png|jpeg);base64,")
_DIMENSIONS = (2, 3)
_MAX_VALUE = 255


def to_pixels(cell: Any, shape: ImageShape) -> Array:
    """uint8 of shape [height, width, channels]; converted and resized (bilinear) exactly as in training.

    Raises:
        CellError: It is no image.
    """
    if isinstance(cell, bytes):
        image = _open(cell)
    elif isinstance(cell, str):
        image = _open(_decode(cell))
    elif isinstance(cell, list):
        image = Image.fromarray(_from_lists(cell))
    else:
        raise CellError("an image is needed: base64 of a PNG or JPEG file, or nested lists of pixel values")
    converted = image.convert("L" if shape.channels == 1 else "RGB")
    if converted.size != (shape.width, shape.height):
        converted = converted.resize((shape.width, shape.height), Image.Resampling.BILINEAR)
    return np.asarray(converted, dtype=np.uint8).reshape(shape.height, shape.width, shape.channels)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(_DATA_URL.sub("", text, count=1), validate=True)
    except binascii.Error as error:
        raise CellError("the image is not base64 of a PNG or JPEG file") from error


def _open(encoded: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # NOTE: our own limit decides, on the size in the file's header, before a pixel is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG"))
        if image.width * image.height > MAX_PIXELS:
            raise CellError(f"the image has {image.width} x {image.height} pixels; at most {MAX_PIXELS} are taken")
        image.load()
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise CellError("the image is neither a PNG nor a JPEG file, or it is damaged") from error
    return image


def _from_lists(cell: list[Any]) -> Array:
    """[height][width], or [height][width][1 or 3], of whole numbers from 0 to 255."""
    try:
        pixels = np.array(cell)
    except ValueError as error:
        raise CellError("the rows of the image differ in length") from error
    if pixels.ndim not in _DIMENSIONS or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3)) or not pixels.size:
        raise CellError(
            f"the image's lists have the shape {list(pixels.shape)}, not [height][width] or [height][width][1 or 3]"
        )
    if pixels.dtype.kind not in "iu" or pixels.min() < 0 or pixels.max() > _MAX_VALUE:
        raise CellError("the image's values must be whole numbers from 0 to 255")
    return (pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).astype(np.uint8)
