"""Queries: SQL over datasets, and their rows."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aimass.binding import Api, Bound, Pages, to_request
from aimass.errors import MissingPackageError, QueryFailedError, WaitTimeoutError
from aimass_core.domain import queries as contract
from aimass_core.domain.common import JsonScalar
from aimass_core.domain.queries import QueryCreate, QueryFormat, QueryResult, QueryRows, QueryStatus

if TYPE_CHECKING:
    import pandas as pd

_POLL_SECONDS = (0.05, 2.0)
_PAGE_ROWS = 500


class Query(contract.Query, Bound):
    """A query. What reads its rows waits for its end."""

    def refresh(self) -> Query:
        """As it is now."""
        return self._client.queries.get(self.id)

    def stop(self) -> Query:
        """Ends it."""
        return self._client.queries.stop(self.id)

    def wait(self, *, timeout_seconds: float | None = None, on_update: Callable[[Query], None] | None = None) -> Query:
        """Until it has ended well.

        Raises:
            QueryFailedError: The message says why.
            WaitTimeoutError: The time is over; the query goes on.
        """
        query, pause = self, _POLL_SECONDS[0]
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while not query.status.is_terminal:
            if deadline is not None and time.monotonic() > deadline:
                raise WaitTimeoutError(f"The query {self.id} still runs after {timeout_seconds:g} s.")
            time.sleep(pause)
            pause = min(pause * 1.3, _POLL_SECONDS[1])
            query = query.refresh()
            if on_update:
                on_update(query)
        if query.status is not QueryStatus.SUCCEEDED:
            raise QueryFailedError(query)
        return query

    def __iter__(self) -> Iterator[list[JsonScalar]]:  # type: ignore[override]
        """Row by row, read in pages as far as it is iterated."""
        return self._client.queries.rows(self.wait().id)

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a data frame, with their types. Needs pandas and pyarrow."""
        try:
            import pandas
            import pyarrow.parquet  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                f"to_pandas() needs the package {error.name!r}: pip install pandas pyarrow. Or iterate over the rows."
            ) from error
        return pandas.read_parquet(io.BytesIO(self._fetch(QueryFormat.PARQUET)))

    def download(self, path: str | Path) -> Path:
        """Saves all rows: as Parquet where the name ends so, else as CSV that a spreadsheet opens safely."""
        target = Path(path)
        result_format = QueryFormat.PARQUET if target.suffix == ".parquet" else QueryFormat.CSV
        target.write_bytes(self._fetch(result_format))
        return target

    def _fetch(self, result_format: QueryFormat) -> bytes:
        query = self.wait()
        found = self._client.queries.result(query.id, result_format)
        return self._client.http.fetch(found.url, name=f"the rows of the query {query.id}")


class QueriesApi(Api):
    """`client.queries`."""

    def create(
        self,
        sql: str,
        *,
        dataset: str | None = None,
        max_seconds: int | None = None,
        max_bytes: int | None = None,
    ) -> Query:
        """Starts a query.

        Args:
            sql: One SELECT in Trino's dialect. A dataset is a table of its name; "adult@3" (with the quotes) names a
                version.
            dataset: Only this one is read, which the query may call `data`; default: all of the workspace may be.
            max_seconds: The query is ended after so long.
            max_bytes: It is ended once it has read more.
        """
        limits: dict[str, Any] = {"max_seconds": max_seconds, "max_bytes": max_bytes}
        body = to_request(QueryCreate, sql=sql, **{name: value for name, value in limits.items() if value is not None})
        return self._post(Query, "/v1/query" if dataset is None else f"/v1/datasets/{dataset}/query", body)

    def get(self, query_id: str) -> Query:
        """How far it is."""
        return self._get(Query, f"/v1/queries/{query_id}")

    def stop(self, query_id: str) -> Query:
        """Nothing happens to one that has ended."""
        return self._post(Query, f"/v1/queries/{query_id}/stop")

    def rows(self, query_id: str) -> Iterator[list[JsonScalar]]:
        """Of a query that has SUCCEEDED."""
        cursor: str | None = None
        while True:
            page = self._get(QueryRows, f"/v1/queries/{query_id}/rows", limit=_PAGE_ROWS, cursor=cursor)
            yield from page.rows
            cursor = page.next_cursor
            if cursor is None:
                return

    def result(self, query_id: str, result_format: QueryFormat) -> QueryResult:
        """A link to all rows in one file."""
        return self._get(QueryResult, f"/v1/queries/{query_id}/result", format=result_format)

    def list(self) -> Pages[Query]:
        """Of the last week, newest first."""
        return self._list(Query, "/v1/queries")
