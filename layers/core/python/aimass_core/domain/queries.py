"""Queries: SQL over the datasets of a workspace, and what came of it."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field, StringConstraints

from aimass_core.domain.common import Contract, JsonScalar, Request, Resource

MAX_SQL = 65_536
MAX_SECONDS = 1_800
MIN_SCANNED_BYTES = 10 * 1024**2
"""What Athena charges for at least."""

INTEGERS = frozenset({"tinyint", "smallint", "integer", "bigint"})
FLOATS = frozenset({"real", "float", "double"})


class QueryStatus(StrEnum):
    """RUNNING includes waiting for its turn; the others are terminal."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def is_terminal(self) -> bool:
        """Whether it never changes again."""
        return self is not QueryStatus.RUNNING


class QueryCreate(Request):
    """Body of POST /v1/query and of POST /v1/datasets/{dataset}/query."""

    sql: Annotated[str, StringConstraints(min_length=1, max_length=MAX_SQL)] = Field(
        description="One SELECT in Trino's dialect. A dataset is a table of its name, at its latest version or at the "
        'one that is named: "adult@3", with the quotes. Under /v1/datasets/{dataset}/query it is also called `data`.'
    )
    max_seconds: int = Field(strict=True, default=300, ge=1, le=MAX_SECONDS, description="After it the query is ended.")
    max_bytes: int | None = Field(
        strict=True,
        default=None,
        ge=MIN_SCANNED_BYTES,
        description="It is ended once it has read more; null: what the deployment allows.",
    )


class QueryColumn(Contract):
    """A column of the answer; `type` is Trino's."""

    name: str
    type: str


class Query(Resource):
    """A query and its end. It and its rows are kept for a week."""

    resource: ClassVar[str] = "query"
    prefix: ClassVar[str] = "qry"

    sql: str
    datasets: list[str] = Field(description="What it reads, such as adult@3.")
    status: QueryStatus
    status_reason: str | None = None
    max_seconds: int
    max_bytes: int | None = None
    execution_id: str = Field(description="Athena's.")
    scanned_bytes: int | None = None
    cost_usd: float | None = Field(
        default=None, description="Of what Athena has read; the local cloud charges nothing."
    )
    seconds: float | None = None
    result_bytes: int | None = None
    columns: list[QueryColumn] = []
    ended_at: AwareDatetime | None = None
    forgotten_at: AwareDatetime | None = None


class QueryRows(Contract):
    """Answer of GET /v1/queries/{query}/rows: a page of rows, each with a value for every column."""

    columns: list[QueryColumn]
    rows: list[list[JsonScalar]]
    next_cursor: str | None = None


class QueryFormat(StrEnum):
    """What rows are downloaded as."""

    CSV = "csv"
    PARQUET = "parquet"


class QueryResult(Contract):
    """Answer of GET /v1/queries/{query}/result: a link that works for some minutes."""

    url: str
    num_bytes: int
    format: QueryFormat
