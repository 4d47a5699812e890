"""Pixels as data URIs, small enough to lie in a page."""

import base64
import io
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from batch_jobs.data.frames import Array

_MAX_SIDE = 96
_MAX_LOSSLESS_PIXELS = 48 * 48
_GAP = 2
_PLOT_SIZE = (96, 60)
_FRAME = "#d5dbdb"
_COLOURS = ("#0972d3", "#d91515", "#037f0c", "#8d6605")


def to_picture(pixels: Array) -> str:
    """uint8 [height, width, 1 or 3], shrunk to 96 pixels."""
    return _encode(_shrink(pixels))


def to_grid(rows: Sequence[Array]) -> str:
    """One picture of rows of images that are alike in shape, with a transparent gap; a row is [images, ...]."""
    pictures = [[_shrink(pixels) for pixels in row] for row in rows]
    width, height = pictures[0][0].size
    num_columns = max(len(row) for row in pictures)
    canvas = Image.new("RGBA", (num_columns * (width + _GAP) - _GAP, len(pictures) * (height + _GAP) - _GAP))
    for at_row, row in enumerate(pictures):
        for at_column, picture in enumerate(row):
            canvas.paste(picture, (at_column * (width + _GAP), at_row * (height + _GAP)))
    return _encode(canvas)


def draw_series(series: Array, *, low: Array, high: Array) -> Array:
    """float32 [steps, channels] as lines, uint8 [height, width, 3]: the first four channels between these bounds."""
    scale = 4
    width, height = (scale * side for side in _PLOT_SIZE)
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, width - 1, height - 1), outline=_FRAME, width=scale)
    last = max(len(series) - 1, 1)
    for values, bottom, top, colour in zip(series.T, low, high, _COLOURS, strict=False):
        heights = height * (0.95 - 0.9 * (values - bottom) / max(float(top - bottom), 1e-12))
        points = [(step * width / last, float(y)) for step, y in enumerate(heights.clip(-height, 2 * height))]
        for one, other in pairwise(points):
            if not (np.isnan(one[1]) or np.isnan(other[1])):
                draw.line([one, other], fill=colour, width=scale)
    return np.asarray(canvas.resize(_PLOT_SIZE, Image.Resampling.LANCZOS))


def _shrink(pixels: Array) -> Image.Image:
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    return image


def _encode(image: Image.Image) -> str:
    """Without loss where that is small: a few pixels are looked at one by one."""
    output = io.BytesIO()
    kind = "png" if image.width * image.height <= _MAX_LOSSLESS_PIXELS else "webp"
    image.save(output, kind, quality=85)
    return f"data:image/{kind};base64,{base64.b64encode(output.getvalue()).decode()}"
