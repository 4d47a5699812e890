"""What `portfolio.json` holds."""

from typing import Any

from pydantic import Field

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.common import Contract
from aimass_core.domain.signatures import Task

FILE_NAME = "portfolio.json"


class Entry(Contract):
    """One configuration. Regrets are those after it and all before it were tried; one that has none was put there by
    hand."""

    algorithm: str
    hyperparameters: dict[str, Any]
    regret: float | None = Field(default=None, description="Mean normalised regret over the data sets.")
    left_out_regret: float | None = Field(
        default=None, description="The same, each data set by a portfolio that was chosen without it."
    )


class Group(Contract):
    """What is tried on one kind of data."""

    kind: DataKind
    tasks: list[Task]
    is_measured: bool = Field(description="False: ordered by hand, cheap and safe first.")
    min_rows: int = Field(default=0, description="Of several groups that fit, the one with the most is for the data.")
    configurations: list[Entry]


class MeasuredSet(Contract):
    """A data set that configurations were compared on."""

    name: str
    task: Task
    num_rows: int
    num_columns: int
    sha256: str = Field(description="Of its rows, its first 16 digits.")


class Portfolio(Contract):
    """All of it, and what it was measured with."""

    about: str
    groups: list[Group]
    seed: int
    max_rows: int
    num_configurations: int = Field(description="Of each algorithm: its default, and draws from its search space.")
    versions: dict[str, str]
    data_sets: list[MeasuredSet]
