"""What a file may cost before it is refused: sizes, ratios and counts that stop bombs and mistakes early."""

from dataclasses import dataclass
from pathlib import Path

from aimass_core.services.ingest.issues import FileRejectedError


class ExpandedTooLargeError(Exception):
    """A file unpacks to more than fits here, or takes too long. In a Lambda it is handed over to an ingest job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one conversion. `max_expanded_bytes` bounds what may be unpacked to the local disk,
    `max_slow_bytes` a file that has to be read row by row."""

    max_expanded_bytes: int = 200 * 1024**3
    max_slow_bytes: int = 200 * 1024**3
    max_ratio: int = 300
    # Columns compress further than text does: what is a bomb as CSV may be a sparse table as Parquet.
    max_columnar_ratio: int = 3_000
    ratio_floor_bytes: int = 32 * 1024**2
    max_members: int = 2_000_000
    max_tables: int = 2_000
    max_columns: int = 10_000
    max_line_bytes: int = 16 * 1024**2
    max_name_characters: int = 500
    max_pixels: int = 50_000_000
    max_nesting: int = 16

    def clean_name(self, name: str) -> str:
        """A column's name without what cannot be seen (control characters, marks that turn the reading direction)."""
        return "".join(character for character in name if character.isprintable())[: self.max_name_characters]

    def check_slow(self, path: Path) -> None:
        """Raises ExpandedTooLargeError for a file that is too large to be read row by row."""
        num_bytes = path.stat().st_size
        if num_bytes > self.max_slow_bytes:
            raise ExpandedTooLargeError(f"{num_bytes:,} bytes, row by row")

    def check_expanded(self, num_bytes: int, *, from_bytes: int, ratio: int | None = None) -> None:
        """Raises FileRejectedError for a bomb, ExpandedTooLargeError for what is only large."""
        max_ratio = ratio or self.max_ratio
        if num_bytes > self.ratio_floor_bytes and num_bytes > max_ratio * max(from_bytes, 1):
            raise FileRejectedError(
                f"The file unpacks to more than {max_ratio:,} times its {from_bytes:,} bytes, as bombs "
                "do. Upload it uncompressed if it is genuine."
            )
        if num_bytes > self.max_expanded_bytes:
            raise ExpandedTooLargeError(f"{num_bytes:,} bytes")
