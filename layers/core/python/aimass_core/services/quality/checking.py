"""The expectations of a dataset at work on one version of it."""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

import pyarrow as pa
from pydantic import BaseModel

from aimass_core.domain import keys
from aimass_core.domain.column_sketches import Sketches
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus, Manifest, WriteMode
from aimass_core.domain.quality import (
    AnyExpectation,
    ColumnsExpected,
    DriftExpected,
    ExpectationResult,
    FreshnessExpected,
    LabelBalanceExpected,
    LeakageExpected,
    MissingExpected,
    NearDuplicatesExpected,
    Outcome,
    PatternExpected,
    QualityReport,
    RangeExpected,
    RowCountExpected,
    Severity,
    TypeExpected,
    UniqueExpected,
    ValuesExpected,
)
from aimass_core.domain.schemas import Profile, Schema
from aimass_core.errors import NotFoundError
from aimass_core.ports import BlobNotFoundError, Ports
from aimass_core.services import records
from aimass_core.services.quality import figure_checks, leakage, near_duplicates, row_checks
from aimass_core.services.quality.drift import Drift
from aimass_core.services.quality.figure_checks import OfFigures
from aimass_core.services.quality.findings import Check, Facts, Finding

NUM_FORMER = 10

ModelT = TypeVar("ModelT", bound=BaseModel)


class Checker:
    """Sees the rows of a version as they are written, and reports when all have been seen.

    `begin` comes first; rows of the version itself and those that it takes over from its base come through `add`.
    """

    def __init__(self, ports: Ports, version: DatasetVersion, expectations: Sequence[AnyExpectation]) -> None:
        self._ports, self._version, self._expectations = ports, version, expectations
        self._checks: list[Check] = []

    def begin(self, schema: Schema) -> None:
        """When the schema is known."""
        self._checks = [self._build(expectation, schema) for expectation in self._expectations]

    def add(self, batch: pa.RecordBatch) -> None:
        """Rows of the schema."""
        for check in self._checks:
            check.add(batch)

    def finish(self, schema: Schema, *, profile: Profile, fresh: Sketches, base_number: int | None) -> QualityReport:
        """The report.

        Args:
            fresh: sketches of what this version brings.
            base_number: of an append, the version that it was appended to.
        """
        former = _list_former(self._ports, self._version)
        base = next((each for each in former if each.number == base_number), None)
        facts = Facts(
            schema=schema,
            profile=profile,
            fresh=fresh,
            former=_load_sketches(self._ports, former[0]) if former else None,
            num_fresh=profile.num_rows - ((base.num_rows or 0) if base is not None else 0),
            former_counts=_count_brought(former),
            now=self._ports.clock(),
        )
        results = [
            to_result(expectation, check.finish(facts))
            for expectation, check in zip(self._expectations, self._checks, strict=True)
        ]
        return QualityReport(
            dataset_id=self._version.dataset_id,
            dataset_name=self._version.dataset_name,
            number=self._version.number,
            outcome=_worst(results),
            checked_at=facts.now,
            num_rows=profile.num_rows,
            compared_with=former[0].number if former else None,
            results=results,
        )

    def _build(self, expected: AnyExpectation, schema: Schema) -> Check:  # noqa: C901, PLR0911, PLR0912 - one line for each
        match expected:
            case ColumnsExpected():
                return OfFigures(partial(figure_checks.judge_columns, expected))
            case TypeExpected():
                return OfFigures(partial(figure_checks.judge_type, expected))
            case MissingExpected():
                return OfFigures(partial(figure_checks.judge_missing, expected))
            case RowCountExpected():
                return OfFigures(partial(figure_checks.judge_row_count, expected))
            case FreshnessExpected():
                return OfFigures(partial(figure_checks.judge_freshness, expected))
            case LabelBalanceExpected():
                return OfFigures(partial(figure_checks.judge_label_balance, expected))
            case DriftExpected():
                return Drift(expected)
            case RangeExpected():
                return row_checks.build_range(expected, schema)
            case ValuesExpected():
                return row_checks.build_values(expected, schema)
            case PatternExpected():
                return row_checks.build_pattern(expected, schema)
            case UniqueExpected():
                return row_checks.build_unique(expected, schema)
            case NearDuplicatesExpected():
                return near_duplicates.build(expected, schema)
            case LeakageExpected():
                return leakage.build(self._ports, self._version.workspace_id, expected, schema)


def to_result(expectation: AnyExpectation, finding: Finding) -> ExpectationResult:
    """A finding, weighed by the severity."""
    missed = Outcome.FAILED if expectation.severity is Severity.BLOCKING else Outcome.WARNED
    outcome = {None: Outcome.SKIPPED, True: Outcome.PASSED, False: missed}[finding.is_met]
    return ExpectationResult(
        name=expectation.name,
        expectation=expectation,
        outcome=outcome,
        message=finding.message,
        observed=finding.observed,
        limit=finding.limit,
        num_rows=finding.num_rows,
        examples=list(finding.examples),
        charts=list(finding.charts),
    )


def explain(report: QualityReport) -> str:
    """Why a version is rejected, for its status."""
    failed = [result for result in report.results if result.outcome is Outcome.FAILED]
    what = "An expectation that blocks is" if len(failed) == 1 else f"{len(failed)} expectations that block are"
    first = failed[0]
    return (
        f"{what} not met. {first.name}: {first.message} Correct the data and upload them again, or change the "
        f"expectation (aimass quality report {report.dataset_name}@{report.number})."
    )


def _worst(results: Sequence[ExpectationResult]) -> Outcome:
    found = {result.outcome for result in results}
    return next((outcome for outcome in (Outcome.FAILED, Outcome.WARNED) if outcome in found), Outcome.PASSED)


def _list_former(ports: Ports, version: DatasetVersion) -> list[DatasetVersion]:
    """The versions before it that are READY, newest first; one more than are compared, whose rows are subtracted."""
    found: list[DatasetVersion] = []
    start: str | None = keys.row(version.workspace_id, DatasetVersion.resource, version.dataset_id, version.number).sort
    while start is not None and len(found) <= NUM_FORMER:
        page, start = records.list_page(
            ports, DatasetVersion, version.workspace_id, version.dataset_id, limit=100, start=start
        )
        found += [each for each in page if each.status is DatasetVersionStatus.READY]
    return found[: NUM_FORMER + 1]


def _count_brought(former: Sequence[DatasetVersion]) -> list[int]:
    """How many rows each brought: of an append, those that its base had not."""
    rows = {version.number: version.num_rows or 0 for version in former}
    return [
        rows[version.number] - (rows[version.base_number] if version.base_number is not None else 0)
        for version in former[:NUM_FORMER]
        if version.mode is WriteMode.REPLACE or version.base_number is None or version.base_number in rows
    ]


def _load_sketches(ports: Ports, version: DatasetVersion) -> Sketches | None:
    """None of versions that were made before there were any."""
    try:
        return _load(ports, version, "sketches.json", Sketches)
    except BlobNotFoundError:
        return None


def _load(ports: Ports, version: DatasetVersion, name: str, cls: type[ModelT]) -> ModelT:
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, name)
    return cls.model_validate_json(ports.lake.get(key))


def save_report(ports: Ports, version: DatasetVersion, report: QualityReport) -> None:
    """Beside the version's other documents."""
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "quality.json")
    ports.lake.put(key, report.model_dump_json(indent=1).encode(), content_type="application/json")


def check_again(ports: Ports, workspace_id: str, dataset_id: str, number: int) -> QualityReport | None:
    """Holds a version that is READY against what is expected now; it stays READY. None where there is nothing to do."""
    try:
        dataset = records.get(ports, Dataset, workspace_id, dataset_id)
        version = records.get(ports, DatasetVersion, workspace_id, dataset_id, number)
    except NotFoundError:
        return None
    checker = begin(ports, version, dataset)
    sketches = _load_sketches(ports, version)
    if checker is None or version.status is not DatasetVersionStatus.READY:
        return None
    manifest = _load(ports, version, "manifest.json", Manifest)
    checker.begin(manifest.data_schema)
    for batch in leakage.read_rows(ports, version):
        checker.add(batch)
    report = checker.finish(
        manifest.data_schema,
        profile=_load(ports, version, "profile.json", Profile),
        fresh=sketches or Sketches(columns=[]),
        base_number=version.base_number,
    )
    save_report(ports, version, report)
    records.update(
        ports,
        DatasetVersion,
        workspace_id,
        dataset_id,
        number,
        change=lambda stored: None if stored.quality is report.outcome else {"quality": report.outcome},
    )
    return report


def begin(ports: Ports, version: DatasetVersion, dataset: Dataset) -> Checker | None:
    """None where nothing is expected."""
    return Checker(ports, version, dataset.expectations) if dataset.expectations else None
