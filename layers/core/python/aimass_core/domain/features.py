"""Feature engineering as a job declares it: a recipe for a column, columns made from several, and which are kept."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from aimass_core.domain.common import Request

ColumnName = Annotated[str, Field(min_length=1, max_length=500)]
Pair = tuple[ColumnName, ColumnName]


class FeatureMode(StrEnum):
    """What becomes of what has no recipe. AUTO: recipes are tried, and kept where they help; see docs/FEATURES.md."""

    PLAIN = "plain"
    AUTO = "auto"


class Encode(StrEnum):
    """What becomes of a category.

    CODE: a code for the algorithm's own treatment of categories. ORDINAL: its place in `order`, or in the order of the
    values. TARGET: the mean target of its training rows, smoothed, and out of fold for the training rows themselves
    (Micci-Barreca 2001, as scikit-learn's TargetEncoder). FREQUENCY: its share of the training rows.
    """

    CODE = "code"
    ONE_HOT = "one_hot"
    ORDINAL = "ordinal"
    TARGET = "target"
    FREQUENCY = "frequency"


class DatePart(StrEnum):
    """UTC. DAYS: since 1970, a quantity that keeps growing."""

    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    WEEKDAY = "weekday"
    HOUR = "hour"
    DAYS = "days"


class TextStatistic(StrEnum):
    """Counts in a text: words (parts between spaces), digits 0-9, letters A-Z, and the marks `!`, `?` and `.`."""

    WORDS = "words"
    DIGITS = "digits"
    UPPER_CASE = "upper_case"
    MARKS = "marks"


class ColumnRecipe(Request):
    """What becomes of one column. Which fields fit depends on its type; absent ones leave it as it is."""

    drop: bool = False
    impute: Literal["median", "mean", "most_frequent"] | float | None = Field(
        default=None, description="Numbers: what is put for a missing value; a number is put as it is."
    )
    indicator: bool = Field(default=False, description="Numbers: another column says which values were missing.")
    transform: Literal["yeo_johnson", "quantile_uniform", "quantile_normal"] | None = Field(
        default=None, description="Numbers: brings the distribution into shape."
    )
    scale: Literal["standard", "robust", "minmax"] | None = Field(default=None, description="Numbers, the last step.")
    encode: list[Encode] | None = Field(default=None, min_length=1, description="Texts and booleans.")
    order: list[str] | None = Field(default=None, min_length=2, max_length=10_000, description="For encode: ordinal.")
    parts: list[DatePart] | None = Field(default=None, min_length=1, description="Dates.")
    statistics: list[TextStatistic] | None = Field(default=None, min_length=1, description="Texts.")

    @model_validator(mode="after")
    def _check(self) -> "ColumnRecipe":
        if self.drop and self != ColumnRecipe.model_construct(drop=True):
            raise ValueError("drop excludes everything else")
        if self.order is not None and Encode.ORDINAL not in (self.encode or ()):
            raise ValueError("order needs encode: [ordinal]")
        return self


class Cross(Request):
    """Two categories as one: each pair of values that occurs is a value."""

    columns: Pair
    encode: list[Encode] = Field(default=[Encode.TARGET], min_length=1)

    @model_validator(mode="after")
    def _check(self) -> "Cross":
        if Encode.ORDINAL in self.encode:
            raise ValueError("the pairs of a cross have no order: use code, one_hot, target or frequency")
        return self


class Polynomial(Request):
    """All products of the columns up to a degree, as in scikit-learn's PolynomialFeatures."""

    columns: list[ColumnName] = Field(min_length=1, max_length=50)
    degree: int = Field(default=2, ge=2, le=4)
    interaction_only: bool = False


class Selection(Request):
    """Which of the made features are kept, judged on the training rows.

    variance: those that vary. mutual_information: those that share most with the target. permutation: those whose
    shuffling harms a small LightGBM model. l1: those that an L1-penalised linear model keeps. recursive: the least
    important for a small LightGBM model are left out, a tenth at a time.
    """

    method: Literal["variance", "mutual_information", "permutation", "l1", "recursive"]
    keep: int | None = Field(default=None, ge=1, description="So many, the best; null: as the method itself decides.")

    @model_validator(mode="after")
    def _check(self) -> "Selection":
        if self.keep is None and self.method == "recursive":
            raise ValueError("recursive needs keep: how many are to be left")
        return self


class FeatureSpec(Request):
    """How raw columns become features; all of it ends in the model's graph."""

    default: FeatureMode = FeatureMode.PLAIN
    columns: dict[ColumnName, ColumnRecipe] = Field(default={}, max_length=10_000)
    crosses: list[Cross] = Field(default=[], max_length=200)
    products: list[Pair] = Field(default=[], max_length=1_000, description="a * b")
    ratios: list[Pair] = Field(default=[], max_length=1_000, description="a / b; missing where b is 0.")
    polynomial: Polynomial | None = None
    select: Selection | None = None
    max_seconds: int = Field(default=60, ge=1, le=86_400, description="Of auto, for trying recipes.")
