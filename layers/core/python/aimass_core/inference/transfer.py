"""Bodies on their way in and out: what is refused before it is parsed, and compression (RFC 9110, section 8.4)."""

import gzip
import zlib
from dataclasses import replace

from aimass_core.errors import MalformedRequestError, PayloadTooLargeError, UnsupportedMediaTypeError
from aimass_core.inference.limits import MAX_UNPACKED_BYTES
from aimass_core.inference.messages import PredictionAnswer

# zlib's window bits: 16 more for gzip. HTTP's "deflate" is zlib's format.
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_MIN_COMPRESSED_BYTES = 1_400
_LEVEL = 1


def check_media_type(content_type: str | None) -> None:
    """Raises UnsupportedMediaTypeError for a multi-part body: its boundary would have to be searched for."""
    if (content_type or "").lstrip().lower().startswith("multipart/"):
        raise UnsupportedMediaTypeError(
            "Multi-part bodies are not taken. Send JSON, CSV or one image as it is, with its own Content-Type."
        )


def unpack(body: bytes, content_encoding: str | None, *, max_bytes: int = MAX_UNPACKED_BYTES) -> bytes:
    """The body as it was before it was compressed. Never more than `max_bytes` are unpacked to find that out.

    Raises:
        UnsupportedMediaTypeError: Another encoding than gzip or deflate.
        PayloadTooLargeError: It would have more bytes.
        MalformedRequestError: It is damaged or ends early.
    """
    name = (content_encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name not in _WINDOW_BITS:
        raise UnsupportedMediaTypeError(
            f"The Content-Encoding {name[:40]!r} is not understood. Send the body as it is, or with gzip or deflate."
        )
    unpacking = zlib.decompressobj(_WINDOW_BITS[name])
    try:
        # NOTE: one byte more than is allowed tells a body that fits exactly from one that does not.
        found = unpacking.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise MalformedRequestError(f"The body is not {name}, or it is damaged. Send it again.") from error
    if len(found) > max_bytes:
        raise PayloadTooLargeError(
            f"The body would have more than {max_bytes} bytes once it is unpacked. Send fewer rows per request."
        )
    if not unpacking.eof or unpacking.unused_data:
        raise MalformedRequestError(f"The body is not one whole {name} stream. Send it again.")
    return found


def pack(answer: PredictionAnswer, accept_encoding: str | None) -> PredictionAnswer:
    """The answer compressed, where the client takes that and it is worth it."""
    name = _choose(accept_encoding or "")
    if name is None or len(answer.content) < _MIN_COMPRESSED_BYTES:
        return answer
    compress = gzip.compress if name == "gzip" else zlib.compress
    headers = {**answer.headers, "content-encoding": name, "vary": "Accept-Encoding"}
    return replace(answer, content=compress(answer.content, _LEVEL), headers=headers)


def _choose(accept_encoding: str) -> str | None:
    accepted = set()
    for part in accept_encoding.lower().split(","):
        name, _, parameters = part.partition(";")
        if parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(name.strip())
    return next((name for name in ("gzip", "deflate") if name in accepted), None)
