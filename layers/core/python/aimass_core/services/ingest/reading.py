"""What every reader gets beside its file: the dataset's policy, the limits, and where bad rows go."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aimass_core.domain.datasets import DatasetPolicy
from aimass_core.domain.schemas import ColumnType
from aimass_core.services.ingest.issues import Quarantine
from aimass_core.services.ingest.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The circumstances of reading one file.

    `types`: None while other files have a say in the types of the columns. Else the file is alone: its columns are of
    these types, and those that are not named of whichever they have. Then cells need not be kept as text.
    """

    display_name: str
    policy: DatasetPolicy
    quarantine: Quarantine
    limits: Limits
    types: Mapping[str, ColumnType] | None = None

    def bad_row(
        self, *, line: int | None = None, column: str | None = None, reason: str, text: str | None = None
    ) -> None:
        """Keeps a row of this file apart."""
        self.quarantine.add(file=self.display_name, line=line, column=column, reason=reason, text=text)

    def of_member(self, name: str) -> "Reading":
        """The same for a member of this archive."""
        return replace(self, display_name=f"{self.display_name}/{name}", types=None)
