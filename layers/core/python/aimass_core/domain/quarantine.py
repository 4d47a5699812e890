"""Rows that were kept apart: what is left of them, their corrections, and when they are deleted."""

from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, Field

from aimass_core.domain.common import Contract, JsonScalar, Request, Resource
from aimass_core.domain.datasets import QuarantinedRow

MAX_ROWS_REPLAYED = 5_000


class QuarantineStatus(StrEnum):
    """KEPT until `expires_at`; then the reconciler deletes the rows. Who discards them moves that time to now."""

    KEPT = "KEPT"
    DISCARDED = "DISCARDED"


class Replay(Contract):
    """Corrected rows that became a version. Positions are ranges, both ends included; where the version was REJECTED
    the rows wait as before."""

    number: int
    positions: list[tuple[int, int]]
    at: AwareDatetime
    by: str


class Quarantine(Resource):
    """What one dataset version left out. Rows are addressed by their position, from 0 on."""

    resource: ClassVar[str] = "quarantine"
    prefix: ClassVar[str] = "qua"

    dataset_id: str
    dataset_name: str
    number: int
    status: QuarantineStatus
    num_rows: int = Field(description="Rows, and files that were left out as a whole.")
    expires_at: AwareDatetime
    replays: list[Replay] = []


class QuarantineItem(QuarantinedRow):
    """A row that was kept apart, where it is, and the version that its correction is in."""

    position: int
    replayed_as: int | None = None


class CorrectedRow(Request):
    """A row as it should have been: a value for each column; those that are left out are missing values."""

    position: int = Field(ge=0, strict=True)
    values: dict[str, JsonScalar | list[JsonScalar]] = Field(min_length=1, max_length=10_000)


class QuarantineReplay(Request):
    """Body of POST /v1/datasets/{dataset}/versions/{number}/quarantine/replay."""

    rows: list[CorrectedRow] = Field(min_length=1, max_length=MAX_ROWS_REPLAYED)
