"""The steps of a recipe: each says what becomes of the rows and columns of a table."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from aimass_core.domain.common import Request, VersionRef
from aimass_core.domain.schemas import ColumnType

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Columns = Annotated[list[ColumnName], Field(min_length=1, max_length=10_000)]
Expression = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2_000),
    Field(
        description="Of one row, as in SQL: operators, CASE, CAST and the functions of docs/RECIPES.md.",
        examples=["age >= 18 AND hours < 80"],
    ),
]
PartName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,19}$")]
_ONE_UNIT = r"[A-Za-zµ°%_]{1,40}((\*\*|\^)-?[1-9])?"
Unit = Annotated[str, StringConstraints(max_length=200, pattern=rf"^{_ONE_UNIT}([*/]{_ONE_UNIT}){{0,8}}$")]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]


class OnError(StrEnum):
    """What becomes of what a step cannot use: the cell is left empty, the row is kept apart with the reason, the row is
    left out, or the job fails."""

    MISSING = "missing"
    QUARANTINE = "quarantine"
    DROP = "drop"
    STOP = "stop"


class PlainType(StrEnum):
    """The types that one cell of text can have."""

    INTEGER = ColumnType.INTEGER.value
    NUMBER = ColumnType.NUMBER.value
    BOOLEAN = ColumnType.BOOLEAN.value
    DATETIME = ColumnType.DATETIME.value
    STRING = ColumnType.STRING.value


class Trim(Request):
    """Takes the white space around texts away; what is empty then is missing."""

    do: Literal["trim"]
    columns: Columns | None = Field(default=None, description="Null: all texts.")


class Text(Request):
    """Brings texts into one form."""

    do: Literal["text"]
    columns: Columns | None = Field(default=None, description="Null: all texts.")
    unicode: bool = Field(default=True, description="Unicode's NFKC: one code for what looks the same.")
    lower: bool = False
    strip_accents: bool = False
    strip_html: bool = False
    strip_urls: bool = False
    collapse_spaces: bool = Field(default=True, description="A run of white space becomes one blank.")
    max_characters: int | None = Field(default=None, ge=1)


class Parse(Request):
    """Reads numbers, times and truths as people write them."""

    do: Literal["parse"]
    columns: Columns
    to: PlainType
    formats: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(
        default=[], max_length=20, description="Of times, as strptime's, the first that fits.", examples=[["%d.%m.%Y"]]
    )
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    strip: str = Field(default="", max_length=50, description="Characters that are left out, such as €$%.")
    on_error: OnError = OnError.QUARANTINE

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.to is PlainType.STRING:
            raise ValueError("parse reads numbers, times and truths: to change a column into text, use cast")
        if self.formats and self.to is not PlainType.DATETIME:
            raise ValueError(f"formats are of times, not of {self.to}: leave them out, or write to: datetime")
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}: only one of them can be")
        return self


class Cast(Request):
    """Gives columns another type. A number becomes an integer only where it is one."""

    do: Literal["cast"]
    columns: dict[ColumnName, PlainType] = Field(min_length=1, max_length=10_000)
    on_error: OnError = OnError.QUARANTINE


class Units(Request):
    """Converts quantities: `unit: mile/hour, to: km/hour`, `unit: degF, to: degC`."""

    do: Literal["units"]
    columns: Columns
    unit: Unit
    to: Unit


class Rename(Request):
    """Old names to new ones."""

    do: Literal["rename"]
    columns: dict[ColumnName, ColumnName] = Field(min_length=1, max_length=10_000)


class Drop(Request):
    """Leaves columns out."""

    do: Literal["drop"]
    columns: Columns


class Filter(Request):
    """Keeps the rows for which the expression is true."""

    do: Literal["filter"]
    where: Expression


class Derive(Request):
    """Makes columns of others; one that there is becomes another. All see the row as it was before the step."""

    do: Literal["derive"]
    columns: dict[ColumnName, Expression] = Field(min_length=1, max_length=1_000)


class Keep(StrEnum):
    """Which of several rows stays."""

    FIRST = "first"
    LAST = "last"


class Dedupe(Request):
    """Leaves one of the rows that are equal."""

    do: Literal["dedupe"]
    columns: Columns | None = Field(default=None, description="That have to be equal. Null: all.")
    keep: Keep = Keep.FIRST
    order_by: ColumnName | None = Field(default=None, description="Null: as they came.")


class DedupeNear(Request):
    """Leaves the first of the rows whose texts are nearly the same: the shingles (runs of characters) of both and of
    either, compared (Jaccard's index). They are found by MinHash (Broder 1997), so some near the threshold are missed;
    what is found is compared exactly. Rows that are alike by way of others count as alike."""

    do: Literal["dedupe_near"]
    columns: Columns
    threshold: float = Field(default=0.8, ge=0.3, le=1)
    shingle: int = Field(default=5, ge=2, le=20, description="Characters.")
    seed: Seed = 0


class OutlierMethod(StrEnum):
    """What is too far out: so many interquartile ranges beyond the quartiles, so many deviations from the mean, or
    beyond the quantiles `factor` and 1 - `factor`."""

    IQR = "iqr"
    ZSCORE = "zscore"
    QUANTILE = "quantile"


class OutlierAction(StrEnum):
    """What becomes of them: brought to the bound, left empty, the row left out, or the row kept apart."""

    CLIP = "clip"
    MISSING = "missing"
    DROP = "drop"
    QUARANTINE = "quarantine"


_FACTORS = {OutlierMethod.IQR: 1.5, OutlierMethod.ZSCORE: 4.0, OutlierMethod.QUANTILE: 0.001}


class Outliers(Request):
    """Treats numbers that are too far out."""

    do: Literal["outliers"]
    columns: Columns | None = Field(default=None, description="Null: all numbers.")
    method: OutlierMethod = OutlierMethod.IQR
    factor: float | None = Field(default=None, gt=0, le=100, description="Null: 1.5, 4 and 0.001.")
    action: OutlierAction = OutlierAction.CLIP

    @property
    def strength(self) -> float:
        """The factor, or the method's."""
        return _FACTORS[self.method] if self.factor is None else self.factor

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.method is OutlierMethod.QUANTILE and self.strength >= 0.5:
            raise ValueError(f"the factor of quantile is {self.strength:g}: it has to be less than 0.5")
        return self


class ImputeStrategy(StrEnum):
    """What stands in for a missing value."""

    MEAN = "mean"
    MEDIAN = "median"
    MODE = "mode"
    CONSTANT = "constant"


class Impute(Request):
    """Fills in missing values."""

    do: Literal["impute"]
    columns: Columns | None = Field(default=None, description="Null: all that the strategy fits.")
    strategy: ImputeStrategy
    value: str | float | int | bool | None = Field(default=None, description="Of the strategy constant.")
    indicator: bool = Field(default=False, description="Also a column `<name>_missing` that says where.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.strategy is ImputeStrategy.CONSTANT) != (self.value is not None):
            raise ValueError("the strategy constant needs a value, and the others take none")
        if self.strategy is ImputeStrategy.CONSTANT and self.columns is None:
            raise ValueError("the strategy constant needs the names of its columns")
        return self


class How(StrEnum):
    """Which rows stay: those that have a partner, or all of them."""

    INNER = "inner"
    LEFT = "left"


class Join(Request):
    """Adds the columns of another dataset's rows that have the same key."""

    do: Literal["join"]
    dataset: VersionRef
    keys: Columns | dict[ColumnName, ColumnName] = Field(description="Columns of both, or: ours to theirs.")
    how: How = How.LEFT
    columns: Columns | None = Field(default=None, description="Of the other. Null: all but its key.")
    prefix: str = Field(default="", max_length=100, description="Before their names.")
    many: bool = Field(default=False, description="Whether a row may have several partners, and then comes so often.")

    @property
    def pairs(self) -> dict[str, str]:
        """Our columns to theirs."""
        return self.keys if isinstance(self.keys, dict) else {name: name for name in self.keys}


class Sample(Request):
    """Keeps some of the rows, drawn without repetition; the same seed draws the same ones."""

    do: Literal["sample"]
    fraction: float | None = Field(default=None, gt=0, lt=1)
    num_rows: int | None = Field(default=None, ge=1, strict=True)
    by: Columns | None = Field(default=None, description="Draw from each group of rows that are equal in these.")
    seed: Seed = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.fraction is None) == (self.num_rows is None):
            raise ValueError("name either a fraction or num_rows")
        return self


class SplitBy(StrEnum):
    """How rows are dealt out: at random; the earliest first; groups as a whole; each stratum in the same shares."""

    RANDOM = "random"
    TIME = "time"
    GROUP = "group"
    STRATUM = "stratum"


class Split(Request):
    """Deals the rows out to datasets `<output>-<part>`. Only the last step can be this one."""

    do: Literal["split"]
    parts: dict[PartName, Annotated[float, Field(gt=0, lt=1)]] = Field(
        min_length=2, max_length=10, examples=[{"train": 0.8, "validation": 0.1, "test": 0.1}]
    )
    by: SplitBy = SplitBy.RANDOM
    column: ColumnName | None = Field(default=None, description="The time, the group or the stratum.")
    seed: Seed = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        total = sum(self.parts.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the parts sum up to {total:g}: they have to be 1 together")
        if (self.by is SplitBy.RANDOM) != (self.column is None):
            raise ValueError("a split by time, group or stratum needs a column, and one at random takes none")
        return self


class Fit(StrEnum):
    """How an image comes to its size: stretched, filled and cut, put on black, or made smaller to fit in."""

    STRETCH = "stretch"
    CROP = "crop"
    PAD = "pad"
    WITHIN = "within"


class Images(Request):
    """Reads every image to its end, and brings those that can be read to one size and form."""

    do: Literal["images"]
    column: ColumnName = "image"
    min_width: int = Field(default=1, ge=1)
    min_height: int = Field(default=1, ge=1)
    width: int | None = Field(default=None, ge=1, le=8_192)
    height: int | None = Field(default=None, ge=1, le=8_192)
    fit: Fit = Fit.STRETCH
    channels: Literal[1, 3] | None = Field(default=None, description="Grey or colour. Null: as it is.")
    on_error: OnError = OnError.QUARANTINE

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("a size has a width and a height: name both or none")
        return self


AnyStep = (
    Trim
    | Text
    | Parse
    | Cast
    | Units
    | Rename
    | Drop
    | Filter
    | Derive
    | Dedupe
    | DedupeNear
    | Outliers
    | Impute
    | Join
    | Sample
    | Split
    | Images
)
RecipeStep = Annotated[AnyStep, Field(discriminator="do")]
