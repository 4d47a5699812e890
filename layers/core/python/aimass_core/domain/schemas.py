"""The schema and the profile of a dataset version."""

from enum import StrEnum

from pydantic import Field

from aimass_core.domain.common import Contract

MAX_SERIES_LENGTH = 65_536


class DatasetKind(StrEnum):
    """What the rows are."""

    TABLE = "table"
    IMAGES = "images"


class ColumnType(StrEnum):
    """A column's type. What role it plays (category or text, say) is decided in training.

    Stored in Parquet as: integer int64, number float64, boolean bool, datetime timestamp[us, UTC], string string,
    image binary (encoded PNG or JPEG bytes), series list<float64> (values over time, 1 to 65,536 of them, null where
    one is missing; one column for each channel).
    """

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    STRING = "string"
    IMAGE = "image"
    SERIES = "series"


class Column(Contract):
    """One column; every column is nullable."""

    name: str
    type: ColumnType
    # NOTE: digests of versions from before there was this field must stay as they are.
    written: str | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="How its cells were written where that was not evident: the format of times (%d/%m/%Y), or an "
        "example of numbers (1.234,5€). Cells of requests are read so, too.",
    )


class ImageShape(Contract):
    """Size of the images, where all have the same."""

    height: int
    width: int
    channels: int


class Schema(Contract):
    """`schema.json` of a dataset version, and of every channel of a job."""

    kind: DatasetKind
    columns: list[Column]
    target: str | None = None
    image_shape: ImageShape | None = Field(default=None, description="Null for tables, and where sizes differ.")

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


class ValueCount(Contract):
    """How often a value occurs."""

    value: str
    count: int


class Histogram(Contract):
    """Counts between edges: len(edges) == len(counts) + 1."""

    edges: list[float]
    counts: list[int]


class ColumnProfile(Contract):
    """What a column holds. Of series: extremes, mean and so on of all their values, and how long they are."""

    name: str
    type: ColumnType
    num_missing: int
    num_distinct: int | None = Field(
        description="Exact up to 10,000 distinct values, null above. Not counted of images and series."
    )
    min: float | str | None = None
    max: float | str | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: dict[str, float] = Field(default={}, description="Keys 0.05, 0.25, 0.5, 0.75, 0.95.")
    histogram: Histogram | None = None
    top_values: list[ValueCount] = []
    mean_length: float | None = None
    min_length: int | None = None
    max_length: int | None = None


class Profile(Contract):
    """`profile.json` of a dataset version."""

    num_rows: int
    num_quarantined: int
    num_duplicates: int | None = None
    columns: list[ColumnProfile]
    warnings: list[str] = []
