"""What a job will take, before it is submitted: an order of magnitude, and what its limits bound for certain."""

from pydantic import Field

from aimass_core.domain.common import Contract
from aimass_core.domain.jobs import Budget


class Span(Contract):
    """Where a figure may lie; `expected` is the middle on a logarithmic scale."""

    low: float
    expected: float
    high: float


class JobEstimate(Contract):
    """Answer of POST /v1/jobs/estimate. Figures are null where nothing is known beforehand, as of a script."""

    seconds: Span | None
    cost_usd: Span | None
    memory_mib: Span | None
    disk_mib: int = Field(description="The data, its copies and the artifacts.")
    usd_per_hour: float | None = Field(description="Of all machines of the job together, on demand.")
    max_seconds: int = Field(description="The limit that the job would get, of each attempt.")
    max_cost_usd: float | None = Field(description="What an attempt costs that uses all of it.")
    budget: Budget | None = None
    num_rows: int
    num_columns: int
    num_bytes: int
    price_source: str
    notes: list[str] = []
