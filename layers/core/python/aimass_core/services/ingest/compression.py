"""Unpacks gzip, checked to the last byte: bombs, damage and rubbish after the end are refused."""

import zlib
from pathlib import Path

from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.limits import Limits

_CHUNK_BYTES = 1024**2
_PIECE_BYTES = 4 * 1024**2
_GZIP_BITS = 31
_MAGIC = b"\x1f\x8b"
_AGAIN = "Compress the file again and upload that."


def gunzip(path: Path, target: Path, *, limits: Limits) -> None:
    """Unpacks a gzip file of one or more members. Raises FileRejectedError with the byte at which it is damaged."""
    num_source, num_read, num_written = path.stat().st_size, 0, 0
    stream = zlib.decompressobj(_GZIP_BITS)
    with path.open("rb") as source, target.open("wb") as sink:
        while data := source.read(_CHUNK_BYTES):
            num_read += len(data)
            while data:
                if stream.eof:
                    stream = _next_member(data, num_read - len(data))
                try:
                    piece = stream.decompress(data, _PIECE_BYTES)
                except zlib.error as error:
                    raise FileRejectedError(
                        f"The gzip file is damaged near byte {num_read - len(data):,} ({error}). {_AGAIN}"
                    ) from error
                sink.write(piece)
                num_written += len(piece)
                limits.check_expanded(num_written, from_bytes=num_source)
                data = stream.unused_data if stream.eof else stream.unconsumed_tail
        if not stream.eof:
            sink.write(stream.flush())
    if not stream.eof:
        raise FileRejectedError(f"The gzip file ends too early, at byte {num_read:,}. {_AGAIN}")


def _next_member(data: bytes, offset: int) -> "zlib._Decompress":
    if not data.startswith(_MAGIC[: len(data)]):
        raise FileRejectedError(f"The gzip file has other data after its end, from byte {offset:,} on. {_AGAIN}")
    return zlib.decompressobj(_GZIP_BITS)
