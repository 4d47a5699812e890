"""Batch predictions: every row of a dataset version answered by a model version, as a dataset version of its own."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from aimass_core.domain.common import Contract, Name, Request, VersionRef
from aimass_core.domain.datasets import WriteMode
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.signatures import Signature, Task
from aimass_core.domain.study_specs import MAX_WORKERS

# Of a model with more labels the likeliest is told, and how likely it is.
MAX_PROBABILITIES = 100
ROW, LABEL, VALUE, PROBABILITY, ERROR = "row", "label", "value", "probability", "error"
_MAX_LABEL = 100


class PredictSpec(Request):
    """A dataset version of answers to all rows of another one."""

    kind: Literal[JobKind.PREDICT]
    model: VersionRef
    dataset: VersionRef
    keys: list[Annotated[str, StringConstraints(min_length=1, max_length=500)]] = Field(
        default=[],
        max_length=100,
        description="Columns of the dataset that go with each answer, beside `row`, its position from 0.",
        examples=[["id"]],
    )
    output: Name | None = Field(
        default=None, description="The dataset that gets the new version. Null: `<dataset>-predictions`."
    )
    mode: WriteMode = WriteMode.REPLACE
    num_workers: int = Field(
        default=1, ge=1, le=MAX_WORKERS, strict=True, description="Containers that answer parts of the rows each."
    )


class RowError(Contract):
    """Why a row has no answer."""

    row: int
    error: str


class BatchPrediction(Contract):
    """`output/predictions.json` of a predict job."""

    model: str
    dataset: str
    output: str = Field(examples=["answers@1"])
    columns: list[str]
    num_rows: int
    num_errors: int
    num_parts: int
    errors: list[RowError] = Field(default=[], description="The first of them.")


def answer_columns(signature: Signature) -> list[str]:
    """What each row has beside its keys.

    A classification has `label` (of a multi-label task `is_<label>` for each), `probability` of it, and `p_<label>`
    where there are at most 100 labels; a regression `value`; a forecast `value`, a series.
    """
    if not signature.task.is_classification:
        return [ROW, VALUE, ERROR]
    names: list[str] = []
    for label in signature.labels or []:
        name = _shorten(label)
        names.append(name if name not in names else f"{name}_{len(names)}")
    all_likely = [f"p_{name}" for name in names] if len(names) <= MAX_PROBABILITIES else []
    if signature.task is Task.MULTILABEL:
        return [ROW, *(f"is_{name}" for name in names), *all_likely, ERROR]
    return [ROW, LABEL, PROBABILITY, *all_likely, ERROR]


def _shorten(label: str) -> str:
    """As the name of a column may be: what cannot be seen is left out."""
    return "".join(character for character in label if character.isprintable())[:_MAX_LABEL]
