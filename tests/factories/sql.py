"""A query engine over memory ports that really runs SQL: the local cloud's, on the files of the memory lake."""

import csv
import io
import tempfile
from pathlib import Path

from aimass_core.adapters.memory import MemoryPorts
from aimass_core.domain import keys
from aimass_core.domain.queries import QueryColumn, QueryStatus
from aimass_core.domain.tables import PARTITION_KEY, TableName
from aimass_core.ports import Execution, ResultPage
from aimass_local.athena.engine import LocalFile, LocalTable, QueryFailedError, Run


class DuckDbQueryEngine:
    """Satisfies `QueryEngine`. A query has ended when `start` returns."""

    def __init__(self, ports: MemoryPorts) -> None:
        self._ports = ports
        self._executions: dict[str, Execution] = {}
        self._columns: dict[str, list[QueryColumn]] = {}

    def start(self, sql: str, *, database: str, token: str) -> str:
        """See QueryEngine."""
        with tempfile.TemporaryDirectory() as folder:
            run = Run(database=database, find=lambda *name: self._find(name, Path(folder)), max_bytes=None)
            target = Path(folder) / "rows.csv"
            try:
                outcome = run.execute(sql, target)
            except QueryFailedError as error:
                self._executions[token] = Execution(status=QueryStatus.FAILED, reason=str(error))
                return token
            self._ports.lake.put(keys.query_output(token), target.read_bytes())
        self._columns[token] = [QueryColumn(name=name, type=kind) for name, kind in outcome.columns]
        self._executions[token] = Execution(
            status=QueryStatus.SUCCEEDED, scanned_bytes=outcome.scanned_bytes, seconds=0.1
        )
        return token

    def describe(self, execution_id: str) -> Execution:
        """See QueryEngine."""
        return self._executions[execution_id]

    def stop(self, execution_id: str) -> None:
        """See QueryEngine."""

    def read(self, execution_id: str, *, limit: int, start: str | None = None) -> ResultPage:
        """See QueryEngine. NOTE: it takes an empty text for a null, which Athena does not."""
        text = self._ports.lake.get(keys.query_output(execution_id)).decode()
        first, rows = int(start or 0), list(csv.reader(io.StringIO(text)))[1:]
        end = first + limit
        return ResultPage(
            columns=self._columns[execution_id],
            rows=[[cell or None for cell in row] for row in rows[first:end]],
            next_start=str(end) if end < len(rows) else None,
        )

    def _find(self, name: tuple[str, ...], folder: Path) -> LocalTable | None:
        found = self._ports.catalog.tables.get(TableName(database=name[0], name=name[1]))
        if found is None:
            return None
        files = []
        for file in found.files:
            path = folder / f"{found.name.name}-{file.value}.parquet"
            path.write_bytes(self._ports.lake.get(f"{file.location.removeprefix('s3://lake/')}part.parquet"))
            files.append(LocalFile(path=path, values=(file.value,)))
        return LocalTable(columns=found.columns, partition_keys=(PARTITION_KEY,), files=tuple(files))
