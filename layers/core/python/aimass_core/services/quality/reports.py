"""Quality as its users ask for it: the report of a version, the trend of a dataset, suggestions, another check."""

from datetime import UTC, datetime

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus
from aimass_core.domain.quality import ExpectationSet, QualityReport, QualityTrend, VersionQuality
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import ConflictError, NotFoundError
from aimass_core.ports import BlobNotFoundError, Ports
from aimass_core.services import datasets, records
from aimass_core.services.quality import suggesting

MAX_BYTES_CHECKED_AGAIN = 2 * 1024**3


def get_report(ports: Ports, principal: Principal, dataset: str, number: int) -> QualityReport:
    """Of one version. Raises NotFoundError where it was not checked."""
    found = datasets.get(ports, principal, dataset)
    version = records.get(ports, DatasetVersion, found.workspace_id, found.id, number)
    report = None if version.quality is None else _load(ports, version)
    if report is None:
        raise NotFoundError(
            f"Version {number} of the dataset {found.name!r} was not checked: nothing was expected of it. Set "
            f"expectations (aimass quality suggest {found.name}), then aimass quality check {found.name}@{number}."
        )
    return report


def get_trend(ports: Ports, principal: Principal, dataset: str, *, limit: int) -> QualityTrend:
    """The newest versions that have ended, oldest first."""
    found = datasets.get(ports, principal, dataset)
    versions, _ = records.list_page(ports, DatasetVersion, found.workspace_id, found.id, limit=limit)
    ended = [version for version in reversed(versions) if version.status.is_terminal]
    return QualityTrend(
        dataset=found.name,
        expectations=found.expectations,
        versions=[_to_point(version, _load(ports, version) if version.quality else None) for version in ended],
    )


def suggest(ports: Ports, principal: Principal, dataset: str, number: int) -> ExpectationSet:
    """From the profile of a version that is READY. Raises ConflictError where it is not."""
    detail = datasets.get_version(ports, principal, dataset, number)
    if detail.data_schema is None or detail.profile is None:
        raise ConflictError(
            f"Version {number} of the dataset {detail.dataset_name!r} is {detail.status}. Wait until it is READY."
        )
    ages = {}
    for column in detail.profile.columns:
        if column.type is ColumnType.DATETIME and column.max is not None:
            newest = datetime.fromisoformat(str(column.max))
            newest = newest if newest.tzinfo else newest.replace(tzinfo=UTC)
            ages[column.name] = max((detail.created_at - newest).total_seconds(), 0.0)
    return suggesting.suggest(detail.data_schema, detail.profile, age_seconds=ages)


def check_again(ports: Ports, principal: Principal, dataset: str, number: int) -> DatasetVersion:
    """Asks for another check of a version that is READY; the report is replaced when it is done."""
    found = records.find(ports, Dataset, principal.workspace_id, dataset)
    version = records.get(ports, DatasetVersion, found.workspace_id, found.id, number)
    if version.status is not DatasetVersionStatus.READY:
        raise ConflictError(f"Version {number} of the dataset {found.name!r} is {version.status}, not READY.")
    if not found.expectations:
        raise ConflictError(
            f"Nothing is expected of the dataset {found.name!r}. Set expectations first: "
            f"aimass quality suggest {found.name} --save"
        )
    if (version.num_bytes or 0) > MAX_BYTES_CHECKED_AGAIN:
        raise ConflictError(
            f"Version {number} of the dataset {found.name!r} has {version.num_bytes:,} bytes, more than the "
            f"{MAX_BYTES_CHECKED_AGAIN:,} that are checked again. Its next version is checked when it is made."
        )
    ports.ingest_queue.send(
        {"type": "check_version", "workspace_id": found.workspace_id, "dataset_id": found.id, "number": number}
    )
    return version


def render_page(ports: Ports, principal: Principal, dataset: str, number: int, *, limit: int) -> str:
    """The report of a version with the trend, as one page."""
    # NOTE: a template engine that no other request needs.
    from aimass_core.services.quality import page

    report = get_report(ports, principal, dataset, number)
    return page.render(report, get_trend(ports, principal, dataset, limit=limit))


def _load(ports: Ports, version: DatasetVersion) -> QualityReport | None:
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "quality.json")
    try:
        return QualityReport.model_validate_json(ports.lake.get(key))
    except BlobNotFoundError:
        return None


def _to_point(version: DatasetVersion, report: QualityReport | None) -> VersionQuality:
    results = report.results if report is not None else []
    return VersionQuality(
        number=version.number,
        created_at=version.created_at,
        status=version.status,
        quality=version.quality,
        num_rows=version.num_rows,
        num_quarantined=version.num_quarantined,
        observed={result.name: result.observed for result in results if result.observed is not None},
    )
