"""A hostile file: what it is called, and whether it has to be refused."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """`is_refused`: None where either is right, as long as it ends."""

    name: str
    body: bytes
    is_refused: bool | None = None


Family = Callable[[], Iterable[Sample]]


def cuts(name: str, body: bytes, shares: Iterable[float]) -> Iterator[Sample]:
    """A file of which so much has arrived."""
    for share in shares:
        yield Sample(f"{name} cut at {share:.0%}", body[: int(len(body) * share)])


def flips(name: str, body: bytes, shares: Iterable[float]) -> Iterator[Sample]:
    """A file with one byte that is another."""
    for share in shares:
        place = min(int(len(body) * share), len(body) - 1)
        yield Sample(
            f"{name} with byte {place} flipped", body[:place] + bytes([body[place] ^ 0xFF]) + body[place + 1 :]
        )
