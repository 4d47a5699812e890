"""How the rows of a delivery may differ from those of the version before, and how they come together with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aimass_core.domain.schemas import ColumnType

VALID_FROM, VALID_TO = "_valid_from", "_valid_to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """What may change. An upload may change nothing.

    Attributes:
        columns: new columns may come, and known ones may be lacking: both are then missing values.
        types: a column whose cells are not of its type becomes text; else such rows are bad.
        declared: the types of columns where whoever made the rows knows them; they hold for the first version.
    """

    columns: bool = False
    types: bool = False
    declared: Mapping[str, ColumnType] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """New rows take the place of those with the same key; of new rows with the same key the last one holds.

    With `at` they are a history instead (a slowly changing dimension of type 2): a row that differs from the present
    one of its key ends that one, and holds from then on; one that does not differ is left out.
    """

    key: Sequence[str]
    at: datetime | None = None


FROZEN = Evolution()
