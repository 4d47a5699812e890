"""Which datasets a source fills, and what was made of them."""

from collections.abc import Iterator, Sequence

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset
from aimass_core.domain.models import ModelVersion
from aimass_core.domain.sources import (
    DatasetLineage,
    LineageModel,
    SourceDataset,
    SourceLineage,
    SourceRecord,
    SourceVerb,
    dataset_name,
)
from aimass_core.errors import ConflictError, NotFoundError, StaleRevisionError, UnavailableError
from aimass_core.ports import Delete, Ports, Put, Row, WriteConflictError
from aimass_core.services import datasets, platform, records, source_access
from aimass_core.services.dataset_origins import Origins

_PAGE = 100
_MAX_WRITES = 8


def ensure(ports: Ports, record: SourceRecord, stream: str) -> Dataset:
    """The dataset that a stream fills, made and named as the policy says, and known as the source's from then on.

    Raises ConflictError where another source fills a dataset of that name.
    """
    principal = platform.principal("collectors", record.workspace_id)
    for _ in range(_MAX_WRITES):
        dataset = datasets.ensure(ports, principal, dataset_name(record, stream))
        if dataset.source_id not in (None, record.id):
            raise ConflictError(
                f"The dataset {dataset.name!r} is filled by another source. Give the stream {stream!r} of the source "
                f"{record.name!r} another one: policy.streams.{stream}.dataset."
            )
        try:
            return _link(ports, record, stream, dataset)
        except (StaleRevisionError, WriteConflictError):
            continue
    raise UnavailableError(f"The datasets of the source {record.name!r} change too quickly. Try again.")


def list_page(
    ports: Ports, principal: Principal, source: str, *, limit: int, start: str | None = None
) -> tuple[list[SourceDataset], str | None]:
    """A page of the datasets of a source, by stream."""
    record = source_access.find(ports, principal, source, SourceVerb.READ)
    page = ports.registry.query(
        keys.partition(record.workspace_id), keys.row_prefix("source_dataset", record.id), limit=limit, start=start
    )
    opened = [_open(ports, record, row) for row in page.rows]
    return [each for each in opened if each is not None], page.next_start


def list_all(ports: Ports, record: SourceRecord) -> Iterator[SourceDataset]:
    """All of them."""
    for row in _rows(ports, record):
        found = _open(ports, record, row)
        if found is not None:
            yield found


def unlink_all(ports: Ports, record: SourceRecord) -> None:
    """Before a source is deleted; the datasets stay, and remember its id."""
    for row in list(_rows(ports, record)):
        try:
            ports.registry.write(Delete(key=row.key, expected=row.revision))
        except WriteConflictError as error:
            raise ConflictError(f"The source {record.name!r} is being read. Delete it later.") from error


def lineage(ports: Ports, principal: Principal, dataset: str) -> DatasetLineage:
    """Where a dataset comes from, and the models whose training read a version of it or data that were made of one, or
    that were made of those."""
    found = records.find(ports, Dataset, principal.workspace_id, dataset)
    record = _find_source(ports, found)
    streams = [] if record is None else [d.stream for d in list_all(ports, record) if d.dataset_id == found.id]
    versions = _list_model_versions(ports, found.workspace_id)
    return _to_lineage(found, record, streams, versions, Origins(ports, found.workspace_id))


def source_lineage(ports: Ports, principal: Principal, source: str) -> SourceLineage:
    """The same for all the datasets of a source. Models are their workspace's own: a grant does not show them."""
    record = source_access.find_own(ports, principal, source, SourceVerb.READ)
    streams: dict[str, list[str]] = {}
    for each in list_all(ports, record):
        streams.setdefault(each.dataset_id, []).append(each.stream)
    versions = _list_model_versions(ports, record.workspace_id)
    origins = Origins(ports, record.workspace_id)
    found = [
        _to_lineage(records.get(ports, Dataset, record.workspace_id, dataset_id), record, names, versions, origins)
        for dataset_id, names in streams.items()
    ]
    return SourceLineage(source_id=record.id, source_name=record.name, datasets=found)


def _to_lineage(
    dataset: Dataset,
    record: SourceRecord | None,
    streams: list[str],
    versions: Sequence[ModelVersion],
    origins: Origins,
) -> DatasetLineage:
    return DatasetLineage(
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        source_id=dataset.source_id,
        source_name=None if record is None else record.name,
        streams=streams,
        models=_made_of(dataset, versions, origins),
    )


def _link(ports: Ports, record: SourceRecord, stream: str, dataset: Dataset) -> Dataset:
    key = keys.source_dataset_row(record.workspace_id, record.id, stream)
    stored = ports.registry.get(key)
    data = {"stream": stream, "dataset_id": dataset.id}
    expected = None if stored is None else stored.revision
    put = Put(row=Row(key=key, data=data, revision=(expected or 0) + 1), expected=expected)
    is_linked = stored is not None and stored.data == data
    if dataset.source_id is None:
        return records.save(ports, dataset, source_id=record.id, also=[] if is_linked else [put])
    if not is_linked:
        ports.registry.write(put)
    return dataset


def _open(ports: Ports, record: SourceRecord, row: Row) -> SourceDataset | None:
    """None where the dataset was deleted."""
    try:
        dataset = records.get(ports, Dataset, record.workspace_id, str(row.data["dataset_id"]))
    except NotFoundError:
        return None
    return SourceDataset(
        stream=str(row.data["stream"]),
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        latest_version=dataset.latest_version,
    )


def _rows(ports: Ports, record: SourceRecord) -> Iterator[Row]:
    start: str | None = None
    prefix = keys.row_prefix("source_dataset", record.id)
    while True:
        page = ports.registry.query(keys.partition(record.workspace_id), prefix, limit=_PAGE, start=start)
        yield from page.rows
        if page.next_start is None:
            return
        start = page.next_start


def _find_source(ports: Ports, dataset: Dataset) -> SourceRecord | None:
    if dataset.source_id is None:
        return None
    try:
        return records.get(ports, SourceRecord, dataset.workspace_id, dataset.source_id)
    except NotFoundError:
        return None


def _made_of(dataset: Dataset, versions: Sequence[ModelVersion], origins: Origins) -> list[LineageModel]:
    """Trained on it or on what was prepared of it, and in turn what was compressed, fused or decomposed of those."""
    descended: set[tuple[str, int]] = set()
    found = []
    for version in versions:
        found_ways = {channel: origins.find(pin, dataset.id) for channel, pin in version.datasets.items()}
        ways = {channel: way for channel, way in found_ways.items() if way is not None}
        is_descended = any((parent.model_id, parent.number) in descended for parent in version.parents)
        if not ways and not is_descended:
            continue
        descended.add((version.model_id, version.number))
        found.append(
            LineageModel(
                model_name=version.model_name,
                number=version.number,
                job_id=version.job_id,
                dataset_versions={channel: way.number for channel, way in ways.items()},
                through=list(dict.fromkeys(reference for way in ways.values() for reference in way.through)),
                parents=[f"{parent.model_name}@{parent.number}" for parent in version.parents],
            )
        )
    return found


def _list_model_versions(ports: Ports, workspace_id: str) -> list[ModelVersion]:
    """All of a workspace, in the order of their making, so that parents come before what was made of them."""
    found: list[ModelVersion] = []
    start: str | None = None
    while True:
        page, start = records.list_page(ports, ModelVersion, workspace_id, limit=_PAGE, start=start)
        found += page
        if start is None:
            return sorted(found, key=lambda version: version.created_at)
