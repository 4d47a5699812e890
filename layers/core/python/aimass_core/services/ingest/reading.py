"""What every reader gets beside its file: the dataset's policy, the limits, and where bad rows go."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aimass_core.domain.datasets import DatasetPolicy
from aimass_core.domain.schemas import ColumnType
from aimass_core.services.ingest.issues import Quarantine
from aimass_core.services.ingest.limits import Limits

_TINY_BYTES = 4 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The circumstances of reading one file.

    `types`: None while other files have a say in the types of the columns. Else the file is alone: its columns are of
    these types, and those that are not named of whichever they have. Then cells need not be kept as text.
    `is_one_of_many`: there are others, and not more than have room in memory together if they are tiny.
    """

    display_name: str
    policy: DatasetPolicy
    quarantine: Quarantine
    limits: Limits
    types: Mapping[str, ColumnType] | None = None
    is_one_of_many: bool = False

    def is_tiny(self, num_bytes: int) -> bool:
        """Whether what a quick reader and a file of its own cost is more than the rows of such a file do."""
        return self.is_one_of_many and num_bytes < _TINY_BYTES

    def bad_row(
        self, *, line: int | None = None, column: str | None = None, reason: str, text: str | None = None
    ) -> None:
        """Keeps a row of this file apart."""
        self.quarantine.add(file=self.display_name, line=line, column=column, reason=reason, text=text)

    def of_member(self, name: str) -> "Reading":
        """The same for a member of this archive."""
        return replace(self, display_name=f"{self.display_name}/{name}", types=None)
