"""Checks encoded images: real, small enough to decode, whole; and brings them into PNG or JPEG."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from aimass_core.domain.schemas import ImageShape
from aimass_core.services.ingest.limits import Limits

_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
_KEPT_FORMATS = ("PNG", "JPEG")
_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_CONVERSIONS = {"1": "L", "P": "RGB", "PA": "RGBA", "LA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB"}
_FAULTS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, MemoryError)


class BadImageError(Exception):
    """An image cannot be used. The message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedImage:
    """The bytes of a PNG or JPEG with 1, 3 or 4 channels of 8 bits, and its shape."""

    body: bytes
    shape: ImageShape


def is_image(head: bytes) -> bool:
    """Whether bytes begin like an image of a known format."""
    return head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def check_image(body: bytes, *, limits: Limits) -> CheckedImage:
    """Decodes an image once, so that no job meets a broken one. Raises BadImageError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(body), formats=_FORMATS)
        if image.width * image.height > limits.max_pixels:
            raise BadImageError(_too_large(f"{image.width} x {image.height}", limits))
        image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadImageError(_too_large("far more", limits)) from error
    except UnidentifiedImageError as error:
        raise BadImageError("The image's beginning is damaged. Replace it.") from error
    except _FAULTS as error:
        raise BadImageError(f"The image is damaged ({error}). Replace it.") from error
    if image.mode in _CHANNELS and image.format in _KEPT_FORMATS:
        return CheckedImage(body=body, shape=_shape(image))
    mode = image.mode if image.mode in _CHANNELS else _CONVERSIONS.get(image.mode)
    if mode is None:
        raise BadImageError(f"The image has pixels of the kind {image.mode!r}. Save it with 8 bits per channel.")
    converted = image.convert(mode)
    return CheckedImage(body=to_png(converted), shape=_shape(converted))


def to_png(image: Image.Image) -> bytes:
    """Encoded without loss, quickly."""
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _too_large(size: str, limits: Limits) -> str:
    return f"The image has {size} pixels; at most {limits.max_pixels:,} are decoded. Scale it down."


def _shape(image: Image.Image) -> ImageShape:
    return ImageShape(height=image.height, width=image.width, channels=_CHANNELS[image.mode])
