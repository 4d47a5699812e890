"""Athena: the emulator's control plane with an engine of ours behind it.

The emulator's own runs a query on copies of all files below a table's location, knows no partitions, cannot stop a
query, keeps all rows in its state, counts as scanned what the answer has, and writes it where nobody looks.
"""

from __future__ import annotations

import asyncio
import mmap
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from ministack.core.responses import error_response_json, json_response
from ministack.services import athena, glue, s3

from aimass_local.athena.engine import LocalFile, LocalTable, QueryCancelledError, QueryFailedError, Run
from aimass_local.emulator.contract import require

_MAX_KEPT = 1_000
_CELL = re.compile(rb'"((?:[^"]|"")*)"|')

_runs: dict[str, Run] = {}
_originals: dict[str, Callable[..., Any]] = {}


def patch_queries() -> None:
    """Applies the patches of this module."""
    replaced = {
        "_start_query_execution": _start_query_execution,
        "_execute_query": _execute_query,
        "_get_query_execution": _get_query_execution,
        "_stop_query_execution": _stop_query_execution,
        "_get_query_results": _get_query_results,
    }
    for name, handler in replaced.items():
        require(callable(getattr(athena, name, None)), f"athena.{name} is gone")
        _originals.setdefault(name, getattr(athena, name))
        setattr(athena, name, handler)


def _start_query_execution(data: dict[str, Any]) -> Any:
    """The emulator's, which forgets neither old queries nor that a request may be repeated."""
    token = data.get("ClientRequestToken")
    known = next(
        (e["QueryExecutionId"] for e in athena._executions.values() if token and e.get("_token") == token), None
    )
    if known is not None:
        return json_response({"QueryExecutionId": known})
    answer = _originals["_start_query_execution"](data)
    if answer[0] < 300:
        ids = list(athena._executions)
        athena._executions[ids[-1]]["_token"] = token
        for query_id in ids[:-_MAX_KEPT]:
            athena._executions.pop(query_id, None)
    return answer


async def _execute_query(query_id: str, query: str, database: str, ddl: Any, catalog: str | None = None) -> None:
    if ddl is not None:
        await _originals["_execute_query"](query_id, query, database, ddl, catalog)
    else:
        await _execute(athena._executions[query_id], query, database)


def _get_query_execution(data: dict[str, Any]) -> Any:
    execution = athena._executions.get(data.get("QueryExecutionId"))
    if execution and execution["Status"]["State"] in ("QUEUED", "RUNNING"):
        _end_if_lost(execution)
    return _originals["_get_query_execution"](data)


def _stop_query_execution(data: dict[str, Any]) -> Any:
    answer = _originals["_stop_query_execution"](data)
    run = _runs.get(data.get("QueryExecutionId", ""))
    if run is not None:
        run.cancel()
    return answer


async def _execute(execution: dict[str, Any], query: str, database: str) -> None:
    status, statistics = execution["Status"], execution["Statistics"]
    run = Run(
        database=database,
        find=_find_table,
        max_bytes=_workgroup(execution["WorkGroup"]).get("BytesScannedCutoffPerQuery"),
    )
    _runs[execution["QueryExecutionId"]] = run
    status["State"], started = "RUNNING", time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="athena-") as folder:
            target = Path(folder) / "rows.csv"
            outcome = await asyncio.to_thread(run.execute, query, target)
            _put_object(execution["ResultConfiguration"]["OutputLocation"], target)
        execution["_columns"] = [list(column) for column in outcome.columns]
        statistics["DataScannedInBytes"] = outcome.scanned_bytes
        state, reason = "SUCCEEDED", ""
    except QueryCancelledError as error:
        state, reason = "CANCELLED", str(error)
    except (QueryFailedError, OSError) as error:
        state, reason = "FAILED", str(error)[:2000]
    except Exception as error:  # noqa: BLE001 - nobody awaits this task: what it does not say is never known
        state, reason = "FAILED", f"INTERNAL_ERROR: {type(error).__name__}: {error}"[:2000]
    finally:
        del _runs[execution["QueryExecutionId"]]
    milliseconds = int((time.monotonic() - started) * 1000)
    statistics["EngineExecutionTimeInMillis"] = statistics["TotalExecutionTimeInMillis"] = milliseconds
    if status["State"] != "CANCELLED":
        status["State"], status["StateChangeReason"] = state, reason
        status["CompletionDateTime"] = int(time.time())


def _end_if_lost(execution: dict[str, Any]) -> None:
    """A server that was killed does not go on with its queries."""
    if execution["QueryExecutionId"] not in _runs and time.time() - execution["Status"]["SubmissionDateTime"] > 10:
        execution["Status"].update(
            State="FAILED",
            StateChangeReason="INTERNAL_ERROR: the server was stopped while the query ran. Start it again.",
            CompletionDateTime=int(time.time()),
        )


def _workgroup(name: str) -> dict[str, Any]:
    configuration: dict[str, Any] = athena._workgroups.get(name, {}).get("Configuration", {})
    return configuration


# --- tables and files --------------------------------------------------------------------------------------------


def _find_table(database: str, name: str) -> LocalTable | None:
    """A Glue table of Parquet files; for every other kind nothing, as if it were not there."""
    table = glue._tables.get(f"{database}/{name}")
    if table is None or "parquet" not in str(table.get("StorageDescriptor", {})).lower():
        return None
    keys = tuple(str(key["Name"]) for key in table.get("PartitionKeys") or ())
    places = (
        [(table["StorageDescriptor"]["Location"], ())]
        if not keys
        else [
            (partition["StorageDescriptor"]["Location"], tuple(partition["Values"]))
            for partition in glue._partitions.get(f"{database}/{name}", ())
        ]
    )
    return LocalTable(
        columns=tuple((str(c["Name"]), str(c["Type"])) for c in table["StorageDescriptor"]["Columns"]),
        partition_keys=keys,
        files=tuple(LocalFile(path=path, values=values) for place, values in places for path in _files(place)),
    )


def _files(location: str) -> Iterator[Path]:
    """What lies below a location. NOTE: names that begin with _ or . are hidden from Hive."""
    place = urlparse(location)
    prefix = f"{place.path.strip('/')}/"
    folder = s3._object_disk_path(place.netloc, f"{prefix}_")
    names = sorted(Path(folder).parent.rglob("*")) if folder else []
    for path in names:
        key = f"{prefix}{path.relative_to(Path(folder).parent)}"
        if not path.name.startswith(("_", ".")) and key in s3._buckets.get(place.netloc, {"objects": {}})["objects"]:
            yield path


def _put_object(location: str, path: Path) -> None:
    place, body = urlparse(location), path.read_bytes()
    headers = {"content-type": "text/csv", "content-length": str(len(body))}
    answer = s3._put_object(place.netloc, place.path.lstrip("/"), body, headers)
    if answer[0] >= 300:
        raise OSError(f"An error occurred while writing to S3: {answer[0]}")


# --- rows --------------------------------------------------------------------------------------------------------


def _get_query_results(data: dict[str, Any]) -> Any:
    execution = athena._executions.get(data.get("QueryExecutionId"))
    if not execution or execution["Status"]["State"] != "SUCCEEDED":
        state = execution["Status"]["State"] if execution else "not there"
        return error_response_json("InvalidRequestException", f"Query has not yet finished: it is {state}", 400)
    limit = int(data.get("MaxResults") or 1000)
    if not 1 <= limit <= 1000:
        return error_response_json("InvalidRequestException", "MaxResults must be 1 to 1000", 400)
    if execution.get("_columns") is None:  # of DDL
        return json_response({"ResultSet": {"Rows": [], "ResultSetMetadata": {"ColumnInfo": []}}})
    place = urlparse(execution["ResultConfiguration"]["OutputLocation"])
    path = s3._object_disk_path(place.netloc, place.path.lstrip("/"))
    rows, end = _read_rows(Path(path), int(data.get("NextToken") or 0), limit)
    answer = {
        "UpdateCount": 0,
        "ResultSet": {
            "Rows": [{"Data": row} for row in rows],
            "ResultSetMetadata": {"ColumnInfo": [_describe(name, kind) for name, kind in execution["_columns"]]},
        },
    }
    return json_response(answer if end is None else {**answer, "NextToken": str(end)})


def _read_rows(path: Path, start: int, limit: int) -> tuple[list[list[dict[str, str]]], int | None]:
    """Rows of the CSV from a byte on, and where the next begins; None at the end. Every value is in quotes but null."""
    rows: list[list[dict[str, str]]] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        position = start
        while position < len(text) and len(rows) < limit:
            row: list[dict[str, str]] = []
            while True:
                match = _CELL.match(text, position)
                assert match is not None  # noqa: S101 - it also matches nothing
                value = match[1]
                row.append({} if value is None else {"VarCharValue": value.replace(b'""', b'"').decode()})
                position = match.end() + 1
                if text[match.end() : position] != b",":
                    break
            rows.append(row)
        return rows, position if position < len(text) else None


def _describe(name: str, kind: str) -> dict[str, Any]:
    base, _, size = kind.partition("(")
    precision, _, scale = size.rstrip(")").partition(",")
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": base,
        "Precision": int(precision or 0),
        "Scale": int(scale or 0),
        "Nullable": "UNKNOWN",
        "CaseSensitive": base == "varchar",
    }
