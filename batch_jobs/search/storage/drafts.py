"""What this process has set on a trial that it runs: kept together for a moment, so that one ask is one request."""

from collections.abc import Iterator, Mapping

from aimass_core.adapters.storable import MAX_ROW_BYTES
from aimass_core.errors import InvalidRequestError
from batch_jobs.search.storage import items
from batch_jobs.search.storage.expressions import AttributeValue, Expression, Item

_RESERVED_BYTES = 8 * 1024  # for what ends the trial: it must always fit
_MAX_ENTRIES = 100  # of one request: an expression has at most 4 KB


class Draft:
    """The entries of a running trial that are not sent yet, and the size that its item will have."""

    def __init__(self, item: Item) -> None:
        self.number = int(item["sk"]["S"])
        self._num_bytes = items.item_bytes(item)
        self._sizes: dict[tuple[str, str], int] = {}
        self._entries: dict[tuple[str, str], AttributeValue] = {}
        self._maps: dict[str, AttributeValue] = {}

    def __bool__(self) -> bool:
        return bool(self._entries or self._maps)

    def set(self, section: str, key: str, value: AttributeValue) -> None:
        """Notes an entry of one of the item's maps.

        Raises:
            InvalidRequestError: the item would be larger than DynamoDB allows; nothing is noted.
        """
        size = items.entry_bytes(key, value)
        num_bytes = self._num_bytes + size - self._sizes.get((section, key), 0)
        if num_bytes > MAX_ROW_BYTES - _RESERVED_BYTES:
            raise InvalidRequestError(
                f"Trial {self.number} cannot take {key!r} ({size:,} bytes) among its {section}: one trial holds at "
                "most 400 KB. Keep large data elsewhere, such as in S3, and only its address here."
            )
        self._num_bytes, self._sizes[section, key] = num_bytes, size
        self._entries[section, key] = value

    def replace(self, section: str, entries: Mapping[str, AttributeValue]) -> None:
        """Notes a whole map, which is smaller than what was there."""
        for noted in [noted for noted in self._sizes if noted[0] == section]:
            self._num_bytes -= self._sizes.pop(noted)
            self._entries.pop(noted, None)
        for key, value in entries.items():
            self._sizes[section, key] = items.entry_bytes(key, value)
            self._num_bytes += self._sizes[section, key]
        self._maps[section] = {"M": dict(entries)}

    def parts(self) -> Iterator[Expression]:
        """One expression for each request that it takes. The last of them has room for what ends the trial."""
        maps, entries = list(self._maps.items()), list(self._entries.items())
        for begin in range(0, max(1, len(entries)), _MAX_ENTRIES):
            expression = Expression()
            # NOTE: one expression may not set a map and an entry of it.
            if maps and begin == 0:
                for section, value in maps:
                    expression.assign([section], value)
                if entries:
                    yield expression
                    expression = Expression()
            for (section, key), value in entries[begin : begin + _MAX_ENTRIES]:
                expression.assign([section, key], value)
            yield expression

    def clear(self) -> None:
        """All of it was sent."""
        self._entries.clear()
        self._maps.clear()
