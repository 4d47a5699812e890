"""What SQL has no word for: functions of one cell, which both engines call."""

import hashlib
import io
import unicodedata

from PIL import Image, ImageOps

from aimass_core.domain.recipe_steps import Fit, Images
from aimass_core.domain.schemas import ColumnType
from aimass_core.services.recipes.engine import ScalarFunction

_MAX_PIXELS = 50_000_000
_JPEG_QUALITY = 92


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _strip_accents(text: str) -> str:
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(each for each in parts if unicodedata.category(each) != "Mn"))


NFKC = ScalarFunction(name="aimass_nfkc", call=_nfkc, type=ColumnType.STRING)
STRIP_ACCENTS = ScalarFunction(name="aimass_strip_accents", call=_strip_accents, type=ColumnType.STRING)


def image_function(step: Images) -> ScalarFunction:
    """The image in the form that the step asks for; None where it cannot be read to its end or is too small."""

    def convert(encoded: bytes) -> bytes | None:
        try:
            with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as image:
                if image.width * image.height > _MAX_PIXELS:
                    return None
                image.load()
                return _convert(image, bytes(encoded), step)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            # NOTE: Pillow raises any of these where the bytes are not as they should be.
            return None

    name = hashlib.sha256(step.model_dump_json().encode()).hexdigest()[:16]
    return ScalarFunction(name=f"aimass_image_{name}", call=convert, type=ColumnType.IMAGE)


def _convert(image: Image.Image, encoded: bytes, step: Images) -> bytes | None:
    if image.width < step.min_width or image.height < step.min_height:
        return None
    kind = "JPEG" if image.format == "JPEG" else "PNG"
    made: Image.Image = image
    if step.channels is not None:
        mode = "L" if step.channels == 1 else "RGB"
        made = made if made.mode == mode else made.convert(mode)
    if step.width is not None and step.height is not None:
        made = _resize(made, (step.width, step.height), step.fit)
    if made is image:
        return encoded
    buffer = io.BytesIO()
    made.save(buffer, kind, **({"quality": _JPEG_QUALITY} if kind == "JPEG" else {}))
    return buffer.getvalue()


def _resize(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    if image.size == size:
        return image
    if image.mode == "P":
        image = image.convert("RGB")
    match fit:
        case Fit.STRETCH:
            return image.resize(size)
        case Fit.CROP:
            return ImageOps.fit(image, size)
        case Fit.PAD:
            return ImageOps.pad(image, size)
        case Fit.WITHIN:
            return image if image.width <= size[0] and image.height <= size[1] else ImageOps.contain(image, size)
