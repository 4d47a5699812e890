"""Quarantines as their users ask for them: browse, correct and replay, discard; and what deletes them in time.

A replay is an ordinary append. The corrected rows are put into the landing bucket, and one transaction makes the
version that they become and marks them, so that no row can come twice, whoever asks in the same moment. A replay whose
version is REJECTED has brought nothing: its marks do not count.

Rows are kept apart before any policy on what others may see: only the workspace that they belong to has them.
"""

import dataclasses
import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import (
    Dataset,
    DatasetVersion,
    DatasetVersionStatus,
    LandedFile,
    QuarantinedRow,
    Upload,
    UploadStatus,
    WriteMode,
)
from aimass_core.domain.quarantine import (
    CorrectedRow,
    Quarantine,
    QuarantineItem,
    QuarantineReplay,
    QuarantineStatus,
    Replay,
)
from aimass_core.domain.schemas import ColumnType, Schema
from aimass_core.errors import ConflictError, ErrorDetail, InvalidRequestError, NotFoundError, UnavailableError
from aimass_core.ports import BlobNotFoundError, Ports, Put, Row, WriteConflictError
from aimass_core.services import audit, platform, records
from aimass_core.services.ingest import versions

_MAX_WRITES = 8
_MAX_EXPIRED = 200
_MOMENT = timedelta(milliseconds=1)


def new_write(ports: Ports, version: DatasetVersion, dataset: Dataset, *, num_rows: int) -> Put:
    """What is written beside a version that ends and left rows out."""
    principal = platform.principal("ingest", version.workspace_id)
    fields = records.new_fields(ports, principal, Quarantine)
    quarantine = Quarantine(
        **fields,
        dataset_id=version.dataset_id,
        dataset_name=version.dataset_name,
        number=version.number,
        status=QuarantineStatus.KEPT,
        num_rows=num_rows,
        expires_at=fields["created_at"] + timedelta(days=dataset.policy.quarantine_days),
    )
    return Put(row=_to_row(quarantine))


def list_page(
    ports: Ports, principal: Principal, dataset: str, *, limit: int, start: str | None = None
) -> tuple[list[Quarantine], str | None]:
    """A page of the quarantines of a dataset's versions, newest first."""
    found = records.find(ports, Dataset, principal.workspace_id, dataset)
    return records.list_page(ports, Quarantine, principal.workspace_id, found.id, limit=limit, start=start)


def list_rows(
    ports: Ports, principal: Principal, dataset: str, number: int, *, limit: int, start: str | None = None
) -> tuple[list[QuarantineItem], str | None]:
    """A page of the rows that a version left out, in the order of its files."""
    found = records.find(ports, Dataset, principal.workspace_id, dataset)
    version = records.get(ports, DatasetVersion, principal.workspace_id, found.id, number)
    quarantine = _find(ports, version)
    if quarantine is None or _is_over(ports, quarantine):
        return [], None
    audit.record_read(ports, principal, "quarantine.rows.read", version, limit=limit)
    replayed = {
        position: replay.number for replay in _list_effective(ports, quarantine) for position in _expand(replay)
    }
    items: list[QuarantineItem] = []
    with tempfile.TemporaryDirectory(prefix="aimass-quarantine-") as folder:
        path = Path(folder) / "quarantine.jsonl"
        try:
            ports.lake.download(_object_key(quarantine), path)
        except BlobNotFoundError:
            return [], None
        # A cursor is a place in the file and the row that begins there.
        place, _, first = (start or "0:0").partition(":")
        with path.open("rb") as stream:
            stream.seek(int(place))
            for position in itertools.count(int(first)):
                before = stream.tell()
                line = stream.readline()
                if not line:
                    return items, None
                if len(items) == limit:
                    return items, f"{before}:{position}"
                row = _complete(QuarantinedRow.model_validate_json(line))
                items.append(QuarantineItem(**row.model_dump(), position=position, replayed_as=replayed.get(position)))
    return items, None


def replay(ports: Ports, principal: Principal, dataset: str, number: int, request: QuarantineReplay) -> DatasetVersion:
    """Adds corrected rows to the dataset: as a version that is read, typed and checked as any other is.

    Raises:
        NotFoundError: the version left no rows out.
        InvalidRequestError: a position that there is not, or a column that the dataset has not.
        ConflictError: a row has been replayed, or the quarantine has been discarded.
    """
    for _ in range(_MAX_WRITES):
        found = records.find(ports, Dataset, principal.workspace_id, dataset)
        quarantine = _require(ports, principal, found, number)
        positions = [row.position for row in request.rows]
        _check_positions(ports, quarantine, positions)
        body = _to_lines(request.rows, _load_schema(ports, found))
        version = _open(ports, principal, found, quarantine, positions=positions, body=body)
        if version is not None:
            return version
    raise UnavailableError(f"The dataset {dataset!r} changes too quickly. Try again.")


def discard(ports: Ports, principal: Principal, dataset: str, number: int) -> None:
    """Takes the rows of a quarantine away now; the reconciler deletes them. Idempotent."""
    found = records.find(ports, Dataset, principal.workspace_id, dataset)
    quarantine = _find(ports, records.get(ports, DatasetVersion, principal.workspace_id, found.id, number))
    if quarantine is not None and not _is_over(ports, quarantine):
        _save(ports, principal, quarantine, action="discard", expires_at=ports.clock())


def expire_due(ports: Ports) -> int:
    """Deletes the rows of quarantines whose time is over. Returns how many quarantines. For the reconciler."""
    partition = keys.status_partition(Quarantine.resource, QuarantineStatus.KEPT)
    now = ports.clock()
    num_expired = 0
    # A crash after the deletion leaves the quarantine, whose rows are deleted once more.
    for row in ports.registry.query_status(partition, before=now + _MOMENT, limit=_MAX_EXPIRED):
        quarantine = Quarantine.model_validate(row.data)
        if quarantine.expires_at <= now:
            ports.lake.delete(_object_key(quarantine))
            principal = platform.principal("reconciler", quarantine.workspace_id)
            _save(ports, principal, quarantine, action="expire", status=QuarantineStatus.DISCARDED)
            num_expired += 1
    return num_expired


def _save(ports: Ports, principal: Principal, quarantine: Quarantine, *, action: str, **changes: object) -> None:
    changed = _change(ports, quarantine, **changes)
    try:
        ports.registry.write(
            Put(row=_to_row(changed), expected=quarantine.revision),
            records.audit(ports, principal, f"quarantine.{action}", quarantine, after=changed),
        )
    except WriteConflictError as error:
        raise ConflictError("The quarantine was changed in this moment. Do it again.") from error


def _is_over(ports: Ports, quarantine: Quarantine) -> bool:
    return quarantine.status is QuarantineStatus.DISCARDED or quarantine.expires_at <= ports.clock()


def _open(
    ports: Ports,
    principal: Principal,
    dataset: Dataset,
    quarantine: Quarantine,
    *,
    positions: Sequence[int],
    body: bytes,
) -> DatasetVersion | None:
    """The version of the corrected rows; None where the dataset or the quarantine was changed meanwhile."""
    fields = records.new_fields(ports, principal, Upload)
    key = keys.upload_object(dataset.workspace_id, dataset.id, fields["id"])
    sha256 = hashlib.sha256(body).hexdigest()
    name = f"corrected rows of {dataset.name}@{quarantine.number}.jsonl"
    stored = ports.landing.put(key, body)
    landed = LandedFile(
        key=key,
        etag=stored.etag,
        num_bytes=stored.num_bytes,
        display_name=name,
        landed_at=stored.modified_at,
        sha256=sha256,
    )
    upload = Upload(
        **fields,
        dataset_id=dataset.id,
        status=UploadStatus.COMPLETED,
        file_name=name,
        num_bytes=len(body),
        sha256=sha256,
        mode=WriteMode.APPEND,
        expires_at=fields["created_at"],
        dataset_version=dataset.last_number + 1,
    )
    mark = Replay(number=dataset.last_number + 1, positions=_to_ranges(positions), at=ports.clock(), by=principal.actor)
    # Marks of versions that were REJECTED have no meaning any more.
    kept = _list_effective(ports, quarantine)
    changed = _change(ports, quarantine, replays=[*kept, mark])
    version = versions.open_landed(
        ports,
        principal,
        dataset,
        WriteMode.APPEND,
        landed,
        also=[
            Put(row=records.to_row(upload, dataset.id, upload.id)),
            Put(row=_to_row(changed), expected=quarantine.revision),
            records.audit(ports, principal, "quarantine.replay", quarantine, after=changed, num_rows=len(positions)),
        ],
    )
    if version is None:
        ports.landing.delete(key)
    return version


def _require(ports: Ports, principal: Principal, dataset: Dataset, number: int) -> Quarantine:
    version = records.get(ports, DatasetVersion, principal.workspace_id, dataset.id, number)
    quarantine = _find(ports, version)
    if quarantine is None:
        raise NotFoundError(f"Version {number} of the dataset {dataset.name!r} left no rows out.")
    if _is_over(ports, quarantine):
        raise ConflictError(
            f"The rows that version {number} of the dataset {dataset.name!r} left out have been discarded. Upload what "
            "is to be added."
        )
    return quarantine


def _check_positions(ports: Ports, quarantine: Quarantine, positions: Sequence[int]) -> None:
    if len(set(positions)) < len(positions):
        repeated = next(position for position in positions if positions.count(position) > 1)
        raise _refuse("rows", f"The position {repeated} is there twice. Send each row once.")
    largest = max(positions)
    if largest >= quarantine.num_rows:
        raise _refuse(
            "rows",
            f"There is no row {largest}: the quarantine of {quarantine.dataset_name}@{quarantine.number} has "
            f"{quarantine.num_rows:,}, from 0 on.",
        )
    wanted = set(positions)
    for former in _list_effective(ports, quarantine):
        again = sorted(wanted.intersection(_expand(former)))
        if again:
            raise ConflictError(
                f"{len(again)} of these rows, such as row {again[0]}, were replayed as version {former.number}. "
                "Leave them out."
            )


def _to_lines(rows: Sequence[CorrectedRow], schema: Schema | None) -> bytes:
    """JSON Lines with every column in every row. Without a schema the columns are those that occur."""
    if schema is None:
        names = list(dict.fromkeys(name for row in rows for name in row.values))
    else:
        names = [column.name for column in schema.columns]
        images = [column.name for column in schema.columns if column.type is ColumnType.IMAGE]
        if images:
            raise ConflictError(f"The column {images[0]!r} holds images. Upload corrected images as files.")
    for index, row in enumerate(rows):
        unknown = [name for name in row.values if name not in names]
        if unknown:
            raise _refuse(
                f"rows.{index}.values",
                f"Row {row.position} has a column {unknown[0]!r}, and the dataset has not. Its columns are: "
                f"{', '.join(names[:50])}.",
            )
    lines = (json.dumps({name: row.values.get(name) for name in names}, ensure_ascii=False) for row in rows)
    return "".join(f"{line}\n" for line in lines).encode()


def _load_schema(ports: Ports, dataset: Dataset) -> Schema | None:
    if dataset.latest_version is None:
        return None
    key = keys.dataset_version_object(dataset.workspace_id, dataset.id, dataset.latest_version, "schema.json")
    return Schema.model_validate_json(ports.lake.get(key))


def _complete(row: QuarantinedRow) -> QuarantinedRow:
    """Rows that a job refused may be known as JSON alone."""
    if row.values is not None or not (row.text or "").startswith("{"):
        return row
    try:
        found = json.loads(row.text or "")
    except ValueError:
        return row
    values = {
        str(name): value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in found.items()
    }
    return row.model_copy(update={"values": values})


def _list_effective(ports: Ports, quarantine: Quarantine) -> list[Replay]:
    """The replays whose version is or may become READY."""
    return [replay for replay in quarantine.replays if not _is_rejected(ports, quarantine, replay.number)]


def _is_rejected(ports: Ports, quarantine: Quarantine, number: int) -> bool:
    try:
        version = records.get(ports, DatasetVersion, quarantine.workspace_id, quarantine.dataset_id, number)
    except NotFoundError:
        # It was deleted, and so were its rows: what is deleted on purpose does not come back by a replay.
        return False
    return version.status is DatasetVersionStatus.REJECTED


def _to_ranges(positions: Iterable[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for position in sorted(positions):
        if ranges and ranges[-1][1] == position - 1:
            ranges[-1] = (ranges[-1][0], position)
        else:
            ranges.append((position, position))
    return ranges


def _expand(replay: Replay) -> Iterator[int]:
    for first, last in replay.positions:
        yield from range(first, last + 1)


def _find(ports: Ports, version: DatasetVersion) -> Quarantine | None:
    row = ports.registry.get(_row_key(version.workspace_id, version.dataset_id, version.number))
    return None if row is None else Quarantine.model_validate(row.data)


def _change(ports: Ports, quarantine: Quarantine, **changes: object) -> Quarantine:
    update = {**changes, "updated_at": ports.clock(), "revision": quarantine.revision + 1}
    return quarantine.model_copy(update=update)


def _row_key(workspace_id: str, dataset_id: str, number: int) -> keys.RowKey:
    return keys.row(workspace_id, Quarantine.resource, dataset_id, number)


def _to_row(quarantine: Quarantine) -> Row:
    """By status and, unlike others, by the time at which it expires: so those that are due come first."""
    row = records.to_row(quarantine, quarantine.dataset_id, quarantine.number)
    return dataclasses.replace(row, at=quarantine.expires_at)


def _object_key(quarantine: Quarantine) -> str:
    return keys.dataset_version_object(
        quarantine.workspace_id, quarantine.dataset_id, quarantine.number, "quarantine.jsonl"
    )


def _refuse(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=f"body.{field}", message=message)])
