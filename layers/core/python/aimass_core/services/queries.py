"""Queries as their users ask for them: start one, see how far it is, read its rows, stop it.

The engine keeps the state; the row in the registry follows it whenever somebody looks, and the reconciler looks where
nobody does. Limits of bytes and time are held in the same way, beside the engine's own limit for every query.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from aimass_core.domain import keys, tables
from aimass_core.domain.common import NAME_PATTERN, JsonScalar, Principal, split_ref
from aimass_core.domain.datasets import Dataset, DatasetVersion, DatasetVersionStatus
from aimass_core.domain.queries import (
    FLOATS,
    INTEGERS,
    MIN_SCANNED_BYTES,
    Query,
    QueryColumn,
    QueryCreate,
    QueryFormat,
    QueryResult,
    QueryRows,
    QueryStatus,
)
from aimass_core.domain.schemas import Schema
from aimass_core.domain.settings.quotas import QuotaSettings
from aimass_core.domain.settings.retention import RetentionSettings
from aimass_core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    QuotaExceededError,
    StaleRevisionError,
    UnavailableError,
)
from aimass_core.ports import Execution, Ports, WriteConflictError
from aimass_core.services import audit, budgets, prices, records, usages
from aimass_core.services.tables import Source, ensure

DATA = "data"
_MAX_DATASETS = 50
_GRACE = timedelta(seconds=30)
_SCAN_PAGE = 100
_MAX_WRITES = 8


def create(ports: Ports, principal: Principal, request: QueryCreate, *, dataset: str | None = None) -> Query:
    """Starts a query over the workspace's datasets, or over one of them, which it may call `data` then.

    Raises:
        InvalidRequestError: it is not one SELECT over datasets, or a dataset's columns have no names in SQL.
        NotFoundError: a dataset is not there.
        ConflictError: a dataset has no version that is READY.
        QuotaExceededError: too many of the workspace's queries run.
        BudgetSpentError: of the month.
    """
    # NOTE: it takes longer to import than any other request takes to answer.
    from aimass_core.services import sql

    # NOTE: not `datasets.get`, which also answers with what other workspaces have granted.
    only = None if dataset is None else records.find(ports, Dataset, principal.workspace_id, dataset).name
    quotas = ports.live_settings.get(QuotaSettings, principal.workspace_id)
    budgets.require(ports, principal.workspace_id)
    _check_quota(ports, principal.workspace_id, quotas.max_queries_active)
    names = _Names(ports=ports, principal=principal, only=only)
    bound = sql.bind(request.sql, resolve=names.resolve)
    fields = records.new_fields(ports, principal, Query)
    retention = ports.live_settings.get(RetentionSettings, principal.workspace_id)
    database = tables.database_of(principal.workspace_id)
    # NOTE: the engine first. A crash before the row is there leaves a query that nobody reads and that ends by itself.
    execution_id = ports.query_engine.start(bound, database=database, token=f"aimass-{fields['id']}")
    query = Query(
        **fields,
        sql=request.sql,
        datasets=sorted(names.found),
        status=QueryStatus.RUNNING,
        max_seconds=request.max_seconds if "max_seconds" in request.model_fields_set else quotas.query_max_seconds,
        max_bytes=min(filter(None, (request.max_bytes, quotas.query_max_bytes)), default=None),
        execution_id=execution_id,
        forgotten_at=fields["created_at"] + timedelta(days=retention.queries_days),
    )
    return records.create(ports, principal, query)


def get(ports: Ports, principal: Principal, query_id: str) -> Query:
    """A query as it is now. Raises NotFoundError."""
    return follow(ports, records.get(ports, Query, principal.workspace_id, query_id))


def list_page(
    ports: Ports, principal: Principal, *, limit: int, start: str | None = None
) -> tuple[list[Query], str | None]:
    """A page of the workspace's queries, newest first."""
    found, next_start = records.list_page(ports, Query, principal.workspace_id, limit=limit, start=start)
    return [follow(ports, query) for query in found], next_start


def stop(ports: Ports, principal: Principal, query_id: str) -> Query:
    """Ends a query. Idempotent."""
    query = get(ports, principal, query_id)
    if query.status.is_terminal:
        return query
    ports.query_engine.stop(query.execution_id)
    return follow(ports, query)


def load_rows(
    ports: Ports, principal: Principal, query_id: str, *, limit: int, start: str | None
) -> tuple[QueryRows, str | None]:
    """A page of rows and where the next one begins. Raises ConflictError where the query has none."""
    query = _require_rows(ports, principal, query_id)
    audit.record_read(ports, principal, "query.rows.read", query, datasets=query.datasets, limit=limit)
    page = ports.query_engine.read(query.execution_id, limit=limit, start=start)
    convert = [_reader(column) for column in page.columns]
    rows = [
        [None if cell is None else read(cell) for read, cell in zip(convert, row, strict=True)] for row in page.rows
    ]
    return QueryRows(columns=list(page.columns), rows=rows), page.next_start


def export(ports: Ports, principal: Principal, query_id: str, result_format: QueryFormat) -> QueryResult:
    """All rows as one file. Raises ConflictError, and InvalidRequestError where they are too many for one."""
    from aimass_core.services import query_results

    query = _require_rows(ports, principal, query_id)
    audit.record_read(ports, principal, "query.export", query, datasets=query.datasets, format=result_format)
    return query_results.export(ports, query, result_format)


def _require_rows(ports: Ports, principal: Principal, query_id: str) -> Query:
    query = get(ports, principal, query_id)
    if query.status is QueryStatus.SUCCEEDED:
        return query
    words = f"It is {query.status}" if query.status_reason is None else f"It is {query.status}: {query.status_reason}"
    raise ConflictError(f"The query {query.id} has no rows to read. {words}")


def follow(ports: Ports, query: Query) -> Query:
    """Brings the row in line with the engine, and holds the query to its limits. Idempotent."""
    if query.status.is_terminal:
        return query
    execution = ports.query_engine.describe(query.execution_id)
    over = None if execution.status.is_terminal else _over_limit(ports, query, execution)
    if over is not None:
        ports.query_engine.stop(query.execution_id)
    elif not execution.status.is_terminal:
        return query

    changes: dict[str, Any] = {
        "status": QueryStatus.FAILED if over is not None else execution.status,
        "status_reason": over or execution.reason,
        "scanned_bytes": execution.scanned_bytes,
        "cost_usd": cost_of(execution.scanned_bytes),
        "seconds": execution.seconds,
        "ended_at": ports.clock(),
    }
    if changes["status"] is QueryStatus.SUCCEEDED:
        output = ports.lake.head(keys.query_output(query.execution_id))
        changes["result_bytes"] = None if output is None else output.num_bytes
        changes["columns"] = list(ports.query_engine.read(query.execution_id, limit=1).columns)
    return _end(ports, query, changes)


def _end(ports: Ports, query: Query, changes: dict[str, Any]) -> Query:
    """With what it has used, in one transaction; again while somebody else is faster."""
    for _ in range(_MAX_WRITES):
        used = usages.query_write(ports, query, scanned_bytes=changes["scanned_bytes"], usd=changes["cost_usd"])
        try:
            return records.save(ports, query, also=used, **changes)
        except (StaleRevisionError, WriteConflictError):
            query = records.get(ports, Query, query.workspace_id, query.id)
            if query.status.is_terminal:
                return query
    raise UnavailableError(f"The query {query.id!r} changes too quickly. Try again.")


def follow_due(ports: Ports, *, limit: int = 500) -> int:
    """Follows queries that nobody has looked at for a while. Returns how many have ended. For the reconciler."""
    partition = keys.status_partition(Query.resource, QueryStatus.RUNNING)
    num_ended = 0
    for row in ports.registry.query_status(partition, before=ports.clock() - _GRACE, limit=limit):
        num_ended += follow(ports, Query.model_validate(row.data)).status.is_terminal
    return num_ended


def cost_of(scanned_bytes: int | None) -> float | None:
    """What Athena charges, in USD. Null where it read nothing that is told."""
    if scanned_bytes is None:
        return None
    usd = Decimal(max(scanned_bytes, MIN_SCANNED_BYTES)) / 1024**4 * Decimal(str(prices.load().athena_usd_per_tib))
    return float(usd.quantize(Decimal("0.000001"), rounding=ROUND_UP))


@dataclass(slots=True, kw_only=True)
class _Names:
    """Finds what SELECTs name, in the caller's workspace only."""

    ports: Ports
    principal: Principal
    only: str | None
    found: dict[str, Source] = field(default_factory=dict)

    def resolve(self, ref: str) -> Source:
        name, number = self._split(ref)
        if self.only is not None:
            if name not in (DATA, self.only):
                raise InvalidRequestError(
                    f"{name!r} cannot be read here: this address answers of {self.only!r} alone, also called {DATA!r}. "
                    "Send the query to /v1/query."
                )
            name = self.only
        dataset = records.find(self.ports, Dataset, self.principal.workspace_id, name)
        number = number or dataset.latest_version
        if number is None:
            raise ConflictError(f"The dataset {dataset.name!r} has no version that is READY. Upload data first.")
        key = f"{dataset.name}@{number}"
        if key not in self.found:
            if len(self.found) >= _MAX_DATASETS:
                raise InvalidRequestError(f"The query reads more than {_MAX_DATASETS} datasets. Read fewer.")
            self.found[key] = self._load(records.get_version(self.ports, DatasetVersion, dataset, number))
        return self.found[key]

    def _split(self, ref: str) -> tuple[str, int | None]:
        name, number = split_ref(ref)
        if not re.fullmatch(NAME_PATTERN, name):
            raise NotFoundError(f"There is no dataset named {name[:100]!r} in this workspace.")
        return name, number

    def _load(self, version: DatasetVersion) -> Source:
        if version.status is not DatasetVersionStatus.READY:
            raise ConflictError(
                f"{version.dataset_name}@{version.number} is {version.status} and has no rows. Name another version."
            )
        key = keys.dataset_version_object(version.workspace_id, version.dataset_id, version.number, "schema.json")
        schema = Schema.model_validate_json(self.ports.lake.get(key))
        return Source(table=ensure(self.ports, version), columns=[column.name for column in schema.columns])


def _check_quota(ports: Ports, workspace_id: str, max_active: int) -> None:
    """Rows may say RUNNING of what has ended: those are looked at before anybody is refused."""
    if _count_active(ports, workspace_id, max_active) < max_active:
        return
    for query in _newest(ports, workspace_id):
        follow(ports, query)
    num_active = _count_active(ports, workspace_id, max_active)
    if num_active >= max_active:
        raise QuotaExceededError(
            f"This workspace has {num_active} queries that have not ended; at most {max_active} are allowed. Wait for "
            "some to end, or stop some.",
            retry_after_seconds=10,
        )


def _count_active(ports: Ports, workspace_id: str, max_active: int) -> int:
    active = (query for query in _newest(ports, workspace_id) if not query.status.is_terminal)
    return sum(1 for _ in itertools.islice(active, max_active))


def _newest(ports: Ports, workspace_id: str) -> list[Query]:
    """As many as can be active: no query outlives its limit, and a workspace starts few within that time."""
    found, _ = records.list_page(ports, Query, workspace_id, limit=_SCAN_PAGE)
    return found


def _reader(column: QueryColumn) -> Callable[[str], JsonScalar]:
    """From the engine's text to JSON. What JSON has no number for (NaN, decimals) stays text."""
    if column.type in INTEGERS:
        return int
    if column.type in FLOATS:
        return _to_number
    if column.type == "boolean":
        return lambda text: text == "true"
    return lambda text: text


def _to_number(text: str) -> JsonScalar:
    return text if text in ("NaN", "Infinity", "-Infinity") else float(text)


def _over_limit(ports: Ports, query: Query, execution: Execution) -> str | None:
    seconds = (ports.clock() - query.created_at).total_seconds()
    if seconds > query.max_seconds:
        return f"It was ended after {seconds:.0f} s: max_seconds is {query.max_seconds}. Read less, or allow more."
    if query.max_bytes is not None and (execution.scanned_bytes or 0) > query.max_bytes:
        return (
            f"It was ended after {execution.scanned_bytes:,} bytes: max_bytes is {query.max_bytes:,}. Name fewer "
            "columns, or allow more."
        )
    return None
