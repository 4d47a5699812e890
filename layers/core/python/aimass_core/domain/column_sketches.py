"""The distribution of each column of a dataset version, small enough to be kept and compared with the next one's."""

from pydantic import Field

from aimass_core.domain.common import Contract
from aimass_core.domain.schemas import ColumnType, ValueCount


class ColumnSketch(Contract):
    """Of numbers: `points`, with the shares of values `below` each and `upto` it (that is, itself included). They are
    all values where those are few, else a percent of the values apart. Of others: how often the commonest occur."""

    name: str
    type: ColumnType
    num_values: int
    num_missing: int
    num_seen: int = Field(description="From so many values it was made: all, or a uniform sample.")
    points: list[float] = []
    below: list[float] = []
    upto: list[float] = []
    counts: list[ValueCount] = []
    num_other: int = Field(default=0, description="Values that are not among the commonest.")


class Sketches(Contract):
    """`sketches.json` of a dataset version; columns that have no distribution worth keeping are left out."""

    columns: list[ColumnSketch]

    def column(self, name: str) -> ColumnSketch | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)
