"""Queries on Athena."""

from collections.abc import Sequence
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, code_of, hide_places, to_error
from aimass_core.domain.queries import QueryColumn, QueryStatus
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import Execution, ResultPage

_STATUSES = {
    "QUEUED": QueryStatus.RUNNING,
    "RUNNING": QueryStatus.RUNNING,
    "SUCCEEDED": QueryStatus.SUCCEEDED,
    "FAILED": QueryStatus.FAILED,
    "CANCELLED": QueryStatus.STOPPED,
}


class AthenaQueryEngine:
    """Satisfies `QueryEngine`. The workgroup says where rows go and how much a query may read."""

    def __init__(self, client: Any, *, workgroup: str) -> None:
        self._client, self._workgroup = client, workgroup

    def start(self, sql: str, *, database: str, token: str) -> str:
        """See QueryEngine."""
        try:
            answer = self._client.start_query_execution(
                QueryString=sql,
                ClientRequestToken=token,
                QueryExecutionContext={"Catalog": "AwsDataCatalog", "Database": database},
                WorkGroup=self._workgroup,
            )
        except AWS_ERRORS as error:
            if code_of(error) == "InvalidRequestException":
                raise InvalidRequestError(hide_places(str(error.response["Error"]["Message"]))) from error
            raise to_error(error, what="the query engine") from error
        return str(answer["QueryExecutionId"])

    def describe(self, execution_id: str) -> Execution:
        """See QueryEngine."""
        try:
            found = self._client.get_query_execution(QueryExecutionId=execution_id)["QueryExecution"]
        except AWS_ERRORS as error:
            raise to_error(error, what="the query engine") from error
        status, statistics = found["Status"], found.get("Statistics", {})
        milliseconds = statistics.get("TotalExecutionTimeInMillis")
        reason = status.get("StateChangeReason")
        return Execution(
            status=_STATUSES[status["State"]],
            reason=hide_places(reason) if reason else None,
            scanned_bytes=statistics.get("DataScannedInBytes"),
            seconds=None if milliseconds is None else milliseconds / 1000,
        )

    def stop(self, execution_id: str) -> None:
        """See QueryEngine."""
        try:
            self._client.stop_query_execution(QueryExecutionId=execution_id)
        except AWS_ERRORS as error:
            if code_of(error) != "InvalidRequestException":
                raise to_error(error, what="the query engine") from error

    def read(self, execution_id: str, *, limit: int, start: str | None = None) -> ResultPage:
        """See QueryEngine."""
        # NOTE: the first row of the first page is the header.
        asked = {"NextToken": start} if start else {}
        try:
            answer = self._client.get_query_results(
                QueryExecutionId=execution_id, MaxResults=limit if start else limit + 1, **asked
            )
        except AWS_ERRORS as error:
            raise to_error(error, what="the query engine") from error
        found = answer["ResultSet"]
        columns = [
            QueryColumn(name=info["Name"], type=_type_of(info)) for info in found["ResultSetMetadata"]["ColumnInfo"]
        ]
        rows = [_values(row["Data"]) for row in found["Rows"][0 if start else 1 :]]
        return ResultPage(columns=columns, rows=rows, next_start=answer.get("NextToken"))


def _values(data: Sequence[dict[str, str]]) -> list[str | None]:
    return [cell.get("VarCharValue") for cell in data]


def _type_of(info: dict[str, Any]) -> str:
    if info["Type"] == "decimal":
        return f"decimal({info['Precision']},{info['Scale']})"
    return str(info["Type"])
