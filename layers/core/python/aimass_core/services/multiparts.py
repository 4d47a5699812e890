"""Objects that come in parts: how large these are, which are missing, and signed requests for the next ones."""

from collections.abc import Sequence

from aimass_core.domain.datasets import PART_BYTES, SignedRequest, UploadPart
from aimass_core.ports import BlobStore, SignedUrl, StoredPart

MAX_PARTS = 1_000
# NOTE: the answer to a POST is kept for its repetition in one item of the registry's size, and a signature with a
# session token takes more than 2 kB.
MAX_SIGNED_PARTS = 50
MAX_PART_BYTES = 5 * 1024**3
_MIB = 1024**2


def part_bytes(num_bytes: int) -> int:
    """The size of the parts, in whole MiB: 16 MiB, more above 15.6 GiB so that there are at most 1,000 of them, and at
    most the 5 GiB that S3 allows (1,024 parts for 5 TiB)."""
    wanted = -(-num_bytes // (MAX_PARTS * _MIB)) * _MIB
    return min(max(PART_BYTES, wanted), MAX_PART_BYTES)


def plan(num_bytes: int, arrived: Sequence[StoredPart], *, size: int) -> list[UploadPart]:
    """All parts of an object; those that have arrived in their full length have an `etag`."""
    lengths = {number: _length(num_bytes, size, number) for number in range(1, -(-num_bytes // size) + 1)}
    etags = {part.number: part.etag for part in arrived if part.num_bytes == lengths.get(part.number)}
    return [
        UploadPart(number=number, offset=(number - 1) * size, num_bytes=length, etag=etags.get(number))
        for number, length in lengths.items()
    ]


def sign_missing(
    store: BlobStore, key: str, multipart_id: str, parts: Sequence[UploadPart], *, expires_seconds: int
) -> list[UploadPart]:
    """The parts, of which the next missing ones carry the request that sends them."""
    missing = [part.number for part in parts if part.etag is None]
    signed_now = set(missing[:MAX_SIGNED_PARTS])
    return [
        part.model_copy(
            update={
                "request": to_request(
                    store.sign_part(
                        key, multipart_id, part.number, num_bytes=part.num_bytes, expires_seconds=expires_seconds
                    )
                )
            }
        )
        if part.number in signed_now
        else part
        for part in parts
    ]


def to_request(signed: SignedUrl) -> SignedRequest:
    """As the API answers it."""
    return SignedRequest(method=signed.method, url=signed.url, headers=dict(signed.headers))


def _length(num_bytes: int, size: int, number: int) -> int:
    return min(size, num_bytes - (number - 1) * size)
