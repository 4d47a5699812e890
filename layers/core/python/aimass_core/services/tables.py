"""Keeps the catalogue in line with the registry: a table for every version that is READY.

The transaction that makes a version READY writes a row TABLE beside it, PENDING: the stream tells dispatch of it, and
the reconciler finds those that were missed. The row goes when the table is there, or stays REFUSED with the reason.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from aimass_core.domain import keys, tables
from aimass_core.domain.datasets import DatasetVersion, Manifest
from aimass_core.domain.tables import TableName, UnlistableError
from aimass_core.errors import AimassError, InvalidRequestError, NotFoundError
from aimass_core.ports import BlobNotFoundError, Delete, Ports, Put, Row, Write, WriteConflictError
from aimass_core.services import records

RESOURCE = "table"
PENDING, REFUSED = "PENDING", "REFUSED"

_GRACE = timedelta(seconds=30)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a name in FROM stands for: a table, and its columns as the dataset spells them."""

    table: TableName
    columns: Sequence[str]


def announce(ports: Ports, version: DatasetVersion) -> Write:
    """The write that asks for a version's table; it belongs into the transaction that makes it READY."""
    data = {"id": version.id, "workspace_id": version.workspace_id, "dataset_id": version.dataset_id}
    row = Row(
        key=_key(version),
        data={**data, "number": version.number},
        revision=1,
        resource=RESOURCE,
        status=PENDING,
        at=ports.clock(),
    )
    return Put(row=row)


def list_version(ports: Ports, workspace_id: str, dataset_id: str, number: int) -> bool:
    """Does what `announce` asked for. Idempotent. Returns whether anything was to do."""
    row = ports.registry.get(keys.row(workspace_id, RESOURCE, dataset_id, number))
    if row is None or row.status != PENDING:
        return False
    try:
        version = records.get(ports, DatasetVersion, workspace_id, dataset_id, number)
        ensure(ports, version)
    except (NotFoundError, BlobNotFoundError):
        _log.info("version was deleted before it had a table", extra={"dataset_id": dataset_id, "number": number})
    except InvalidRequestError as error:
        refused = Row(
            key=row.key,
            data={**row.data, "reason": error.message},
            revision=row.revision + 1,
            resource=RESOURCE,
            status=REFUSED,
            at=ports.clock(),
        )
        return _write(ports, Put(row=refused, expected=row.revision))
    return _write(ports, Delete(key=row.key, expected=row.revision))


def ensure(ports: Ports, version: DatasetVersion) -> TableName:
    """The table of a READY version, made if it is not there. Raises InvalidRequestError where it cannot be."""
    name = tables.name_of(version)
    if ports.catalog.find(name, dataset_id=version.dataset_id) == version.digest:
        return name
    key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "manifest.json")
    manifest = Manifest.model_validate_json(ports.lake.get(key))
    try:
        ports.catalog.put(tables.define(version, manifest, bucket=ports.lake.bucket))
    except (UnlistableError, InvalidRequestError) as error:
        reason = error.reason if isinstance(error, UnlistableError) else error.message
        raise InvalidRequestError(
            f"{version.dataset_name}@{version.number} cannot be a table of SQL. {reason}"
        ) from error
    return name


def list_due(ports: Ports, *, limit: int = 1_000) -> int:
    """Lists versions whose event was lost. Returns how many. For the reconciler, each minute.

    Raises what the catalogue raises: where it is away, it is so for all of them.
    """
    before = ports.clock() - _GRACE
    rows = ports.registry.query_status(keys.status_partition(RESOURCE, PENDING), before=before, limit=limit)
    return sum(
        list_version(ports, str(row.data["workspace_id"]), str(row.data["dataset_id"]), int(row.data["number"]))
        for row in rows
    )


def drop(ports: Ports, version: DatasetVersion) -> None:
    """Takes the table of a version that goes out of the catalogue. Idempotent.

    NOTE: a deployment without a catalogue deletes data as well; what such a fault leaves is a table without files.
    """
    try:
        ports.catalog.drop(tables.name_of(version), dataset_id=version.dataset_id)
    except AimassError:
        _log.exception("cannot drop a table", extra={"version_id": version.id})


def _key(version: DatasetVersion) -> keys.RowKey:
    return keys.row(version.workspace_id, RESOURCE, version.dataset_id, version.number)


def _write(ports: Ports, write: Write) -> bool:
    try:
        ports.registry.write(write)
    except WriteConflictError:
        return False
    return True
