"""Pixels as data URIs, small enough to lie in a page."""

import base64
import io

import numpy as np
from PIL import Image

from batch_jobs.data.frames import Array

_MAX_SIDE = 96
_LOSSLESS_SIDE = 48


def to_picture(pixels: Array) -> str:
    """uint8 [height, width, 1 or 3], shrunk to 96 pixels."""
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    return _encode(image, is_lossless=max(image.size) <= _LOSSLESS_SIDE)


def to_grid(rows: list[Array]) -> str:
    """One picture of rows of images that are alike in shape, with a gap between them; each row is [images, ...]."""
    num_columns = max(len(row) for row in rows)
    _, height, width, depth = rows[0].shape
    step = max(_MAX_SIDE // max(height, width), 1)
    gap = 4
    cell = (height * step + gap, width * step + gap)
    canvas = np.zeros((len(rows) * cell[0], num_columns * cell[1], 4), dtype=np.uint8)
    for at_row, row in enumerate(rows):
        for at_column, pixels in enumerate(row):
            large = pixels.repeat(step, axis=0).repeat(step, axis=1)
            top, left = at_row * cell[0], at_column * cell[1]
            area = canvas[top : top + large.shape[0], left : left + large.shape[1]]
            area[..., :3] = large if depth == 3 else np.repeat(large, 3, axis=2)
            area[..., 3] = 255
    return _encode(Image.fromarray(canvas), is_lossless=True)


def _encode(image: Image.Image, *, is_lossless: bool) -> str:
    output = io.BytesIO()
    if is_lossless:
        image.save(output, "PNG", optimize=True)
    else:
        image.save(output, "JPEG", quality=85)
    kind = "png" if is_lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(output.getvalue()).decode()}"
