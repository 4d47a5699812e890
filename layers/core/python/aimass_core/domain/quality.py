"""What is expected of every new version of a dataset, and what the checks found."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints, model_validator

from aimass_core.domain.common import Contract, Request, VersionRef
from aimass_core.domain.schemas import ColumnType

MAX_EXPECTATIONS = 100

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Share = Annotated[float, Field(ge=0, le=1)]


class Severity(StrEnum):
    """What a miss does: the version is REJECTED and the former one stays, or it is only told."""

    BLOCKING = "blocking"
    WARNING = "warning"


class _Expected(Request):
    severity: Severity = Severity.WARNING

    @property
    def subject(self) -> str:
        """What it is about: a column, or the rows."""
        return str(getattr(self, "column", None) or "rows")

    @property
    def name(self) -> str:
        """What it is called among those of its dataset: `range age`."""
        return f"{getattr(self, 'check')} {self.subject}"  # noqa: B009 - each subclass has it


class TypeExpected(_Expected):
    """The column is there and has this type."""

    check: Literal["type"]
    column: ColumnName
    type: ColumnType


class ColumnsExpected(_Expected):
    """There are these columns and, unless `allows_more`, no others: a source that changed is noticed."""

    check: Literal["columns"]
    names: list[ColumnName] = Field(min_length=1, max_length=1_000)
    allows_more: bool = Field(default=False, strict=True)

    @property
    def subject(self) -> str:
        """See _Expected."""
        return "all"


class RangeExpected(_Expected):
    """Numbers lie within the limits, which are included; at most `max_share` of the rows are outside."""

    check: Literal["range"]
    column: ColumnName
    min: float | None = None
    max: float | None = None
    max_share: Share = 0.0

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a range needs min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min is {self.min:g} and above max, which is {self.max:g}")
        return self


class ValuesExpected(_Expected):
    """Texts, whole numbers or booleans (true, false) are among these; at most `max_share` of the rows are not."""

    check: Literal["values"]
    column: ColumnName
    allowed: list[Annotated[str, StringConstraints(max_length=500)]] = Field(min_length=1, max_length=1_000)
    max_share: Share = 0.0


class PatternExpected(_Expected):
    """Texts match a regular expression (RE2) as a whole; at most `max_share` of the rows do not."""

    check: Literal["pattern"]
    column: ColumnName
    pattern: str = Field(min_length=1, max_length=500, examples=[r"[A-Z]{2}\d{6}"])
    max_share: Share = 0.0


class MissingExpected(_Expected):
    """At most this share of the rows has no value."""

    check: Literal["missing"]
    column: ColumnName
    max_share: Share


class UniqueExpected(_Expected):
    """No two rows have the same values in these columns (null: in all); at most `max_share` are repetitions."""

    check: Literal["unique"]
    columns: list[ColumnName] | None = Field(default=None, min_length=1, max_length=20)
    max_share: Share = 0.0

    @property
    def subject(self) -> str:
        """See _Expected."""
        return "rows" if self.columns is None else ", ".join(self.columns)


class RowCountExpected(_Expected):
    """How many rows a version has. `max_change` compares what this version brings with what those before it brought:
    0.5 lets it be half as many to one and a half times as many as their median."""

    check: Literal["row_count"]
    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)
    max_change: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _check_any(self) -> Self:
        if self.min is None and self.max is None and self.max_change is None:
            raise ValueError("a row count needs min, max or max_change")
        return self


class FreshnessExpected(_Expected):
    """The newest time in the column is at most so old, and not in the future."""

    check: Literal["freshness"]
    column: ColumnName
    max_age_seconds: float = Field(gt=0)


class DriftExpected(_Expected):
    """The distribution is that of the last version: by the population stability index and, of numbers, by the
    Kolmogorov-Smirnov distance. What an append brings is compared with what it is appended to. What so few rows could
    show by chance (one time in a thousand) is no drift."""

    check: Literal["drift"]
    columns: list[ColumnName] | None = Field(default=None, min_length=1, max_length=1_000, description="Null: all.")
    max_psi: float = Field(default=0.25, gt=0)
    max_ks: float | None = Field(default=None, gt=0, le=1)

    @property
    def subject(self) -> str:
        """See _Expected."""
        return "all columns" if self.columns is None else ", ".join(self.columns)


class LabelBalanceExpected(_Expected):
    """The rarest class has at least this share of the labelled rows, the commonest at most that."""

    check: Literal["label_balance"]
    column: ColumnName | None = Field(default=None, description="Null: the dataset's target.")
    min_share: Share = 0.0
    max_share: Share = 1.0


class LeakageExpected(_Expected):
    """Rows of another dataset, such as the test set, do not occur in this one; at most `max_share` of them do."""

    check: Literal["leakage"]
    against: VersionRef
    columns: list[ColumnName] | None = Field(
        default=None, min_length=1, max_length=1_000, description="Null: all that both have."
    )
    max_share: Share = 0.0

    @property
    def subject(self) -> str:
        """See _Expected."""
        return self.against


class NearDuplicatesExpected(_Expected):
    """At most `max_share` of the texts are nearly those of an earlier row: alike but for case, marks and spaces, or
    with so large a part of their runs of five letters in common (Jaccard, estimated by MinHash)."""

    check: Literal["near_duplicates"]
    column: ColumnName
    similarity: float = Field(default=0.85, ge=0.5, le=1)
    max_share: Share = 0.0


AnyExpectation = (
    ColumnsExpected
    | TypeExpected
    | RangeExpected
    | ValuesExpected
    | PatternExpected
    | MissingExpected
    | UniqueExpected
    | RowCountExpected
    | FreshnessExpected
    | DriftExpected
    | LabelBalanceExpected
    | LeakageExpected
    | NearDuplicatesExpected
)
Expectation = Annotated[AnyExpectation, Field(discriminator="check")]


def _refuse_repeated(expectations: list[AnyExpectation]) -> list[AnyExpectation]:
    """Results are told apart by the name."""
    names = [expectation.name for expectation in expectations]
    repeated = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if repeated is not None:
        raise ValueError(f"there are two expectations {repeated!r}: leave one of them out")
    return expectations


Expectations = Annotated[list[Expectation], Field(max_length=MAX_EXPECTATIONS), AfterValidator(_refuse_repeated)]


class ExpectationSet(Contract):
    """Expectations as a file has them, and as they are suggested."""

    model_config = ConfigDict(extra="forbid")

    expectations: Expectations


class Outcome(StrEnum):
    """Of a check, and of all of a version: SKIPPED where there was nothing to compare with."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class Chart(Contract):
    """Shares before and now, by bin or by value."""

    title: str
    labels: list[str]
    before: list[float] = []
    now: list[float]


class ExpectationResult(Contract):
    """What one check found."""

    name: str = Field(examples=["range age"])
    expectation: Expectation
    outcome: Outcome
    message: str
    observed: float | None = Field(default=None, description="The figure that is held against the limit.")
    limit: float | None = None
    num_rows: int | None = Field(default=None, description="Rows that are not as expected.")
    examples: list[str] = Field(default=[], description="The first values that are not as expected.")
    charts: list[Chart] = []


class QualityReport(Contract):
    """`quality.json` of a dataset version."""

    dataset_id: str
    dataset_name: str
    number: int
    outcome: Outcome
    checked_at: AwareDatetime
    num_rows: int
    compared_with: int | None = Field(default=None, description="The version before it.")
    results: list[ExpectationResult]


class VersionQuality(Contract):
    """One version in the trend of a dataset: rows, and what was observed by check."""

    number: int
    created_at: AwareDatetime
    status: str
    quality: Outcome | None
    num_rows: int | None
    num_quarantined: int | None
    observed: dict[str, float] = Field(default={}, examples=[{"range age": 0.0, "drift all columns": 0.04}])


class QualityTrend(Contract):
    """Answer of GET /v1/datasets/{dataset}/quality: the newest versions, oldest first."""

    dataset: str
    expectations: Expectations
    versions: list[VersionQuality]
