"""Images of any size and mode become one array."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aimass_core.domain.schemas import ColumnType, ImageShape
from aimass_core.errors import InvalidDataError
from batch_jobs.data.channels import Channel
from batch_jobs.data.images import choose_image_shape, image_frame, to_pixels
from tests.unit.batch_jobs.channel_files import build_channel, encode_png


def _channel(path: Path, cells: list[bytes | None]) -> Channel:
    return build_channel(path, {"image": (ColumnType.IMAGE, cells)})


def _grey(height: int, width: int, value: int = 7) -> bytes:
    return encode_png(np.full((height, width), value, np.uint8))


def test_images_of_one_size_are_taken_as_they_are(tmp_path: Path) -> None:
    channel = _channel(tmp_path, [_grey(10, 12, 7), _grey(10, 12, 9)])
    frame = image_frame(channel, "image", shape=ImageShape(height=10, width=12, channels=1), num_threads=2)
    assert frame.columns["image"].shape == (2, 10, 12, 1)
    assert frame.columns["image"][:, 0, 0, 0].tolist() == [7, 9]


@pytest.mark.parametrize(
    ("sizes", "image_size", "expected"),
    [([(20, 30), (20, 30)], None, 30), ([(300, 200)], None, 64), ([(28, 28)], 16, 16)],
)
def test_mixed_and_large_images_are_brought_to_one_square(
    tmp_path: Path, sizes: list[tuple[int, int]], image_size: int | None, expected: int
) -> None:
    messages: list[str] = []
    channel = _channel(tmp_path, [_grey(*size) for size in sizes])
    shape = choose_image_shape(channel, "image", image_size=image_size, message=messages.append)
    assert shape == ImageShape(height=expected, width=expected, channels=1)
    assert messages == [f"images are resized to {expected} x {expected}"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "CMYK"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_is_read(mode: str, channels: int, tmp_path: Path) -> None:
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    Image.new("RGB", (9, 8), (255, 255, 255)).convert(mode).save(path)
    pixels = to_pixels(path.read_bytes(), ImageShape(height=8, width=9, channels=channels))
    assert pixels.shape == (8, 9, channels)
    assert pixels.min() == 255


def test_a_set_with_one_colour_image_is_read_in_colour(tmp_path: Path) -> None:
    channel = _channel(tmp_path, [_grey(8, 8), encode_png(np.zeros((8, 8, 3), np.uint8))])
    assert choose_image_shape(channel, "image", image_size=None, message=print).channels == 3


@pytest.mark.parametrize("cell", [b"no image", None, _grey(8, 8)[:40]])
def test_a_cell_that_is_no_image_is_refused_with_its_row(tmp_path: Path, cell: Any) -> None:
    channel = _channel(tmp_path, [_grey(8, 8), cell])
    with pytest.raises(InvalidDataError, match="the image in row 1 cannot be decoded"):
        image_frame(channel, "image", shape=ImageShape(height=8, width=8, channels=1), num_threads=1)
