"""What a prepare job and the Spark program that does its work tell each other: files below one prefix of the lake."""

from aimass_core.domain.common import Contract
from aimass_core.domain.recipes import Recipe, StepReport
from aimass_core.domain.schemas import Schema

# The job's, before the run begins.
PROGRAM, REQUEST = "main.py", "request.json"
# The program's: how far it is, and in the end the result with what lies beside it, or a failure.
PROGRESS, RESULT, FAILURE = "progress.json", "result.json", "failure.json"
QUARANTINE, TABLES = "quarantine.jsonl", "tables"


def part_folder(index: int) -> str:
    """Where the Parquet files of a part lie: by its place, since its name is of a user's choosing."""
    return f"parts/{index}"


class SparkSource(Contract):
    """A channel: Parquet files in order, by their addresses."""

    label: str
    data_schema: Schema
    files: list[str]


class SparkRequest(Contract):
    """What is to be done."""

    recipe: Recipe
    sources: dict[str, SparkSource]


class SparkProgress(Contract):
    """The step that was begun last, from 1."""

    number: int
    do: str


class SparkResult(Contract):
    """What came of it; `num_rows` is of each part, in the recipe's order (one where there is no split)."""

    num_rows_in: int
    steps: list[StepReport]
    num_rows: list[int]


class SparkFailure(Contract):
    """Why nothing did: the code and the words of an AimassError."""

    code: str
    cause: str
