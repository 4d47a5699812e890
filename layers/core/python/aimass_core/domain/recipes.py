"""Recipes: how a dataset version becomes a clean one, step by step, and what each step did."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from aimass_core.domain.common import Contract, Name, Request, VersionRef
from aimass_core.domain.datasets import WriteMode
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.recipe_steps import Join, RecipeStep, Split
from aimass_core.domain.schemas import Column

DATA_CHANNEL = "data"
MAX_PREVIEW_ROWS = 10_000


def join_channel(index: int) -> str:
    """The channel of what the step of that index joins."""
    return f"join-{index + 1}"


class Recipe(Request):
    """Steps, one after the other."""

    steps: list[RecipeStep] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        if any(isinstance(step, Split) for step in self.steps[:-1]):
            raise ValueError("a split deals the rows out to several datasets: it has to be the last step")
        return self

    @property
    def joins(self) -> dict[str, str]:
        """Channels and references of the datasets that are joined."""
        return {join_channel(index): step.dataset for index, step in enumerate(self.steps) if isinstance(step, Join)}

    @property
    def parts(self) -> list[str]:
        """The parts that the rows are dealt out to; none without a split."""
        last = self.steps[-1]
        return list(last.parts) if isinstance(last, Split) else []


class PrepareSpec(Request):
    """A dataset version made of another one by a recipe."""

    kind: Literal[JobKind.PREPARE] = JobKind.PREPARE
    dataset: VersionRef
    recipe: Recipe
    output: Name | None = Field(
        default=None, description="The dataset that gets the new version. Null: `<dataset>-prepared`."
    )
    mode: WriteMode = WriteMode.REPLACE

    def outputs(self, dataset_name: str) -> dict[str, str]:
        """The datasets that are written, by part (`""`: all of it)."""
        output = self.output or f"{dataset_name}-prepared"
        return {part: f"{output}-{part}" for part in self.recipe.parts} or {"": output}


class StepReport(Contract):
    """What one step did. A row has changed where a cell of it has; renaming, adding and leaving out is of columns."""

    number: int = Field(description="From 1.")
    do: str
    summary: str
    num_rows_in: int
    num_rows_out: int
    num_rows_changed: int
    num_quarantined: int = 0
    notes: list[str] = []


class PreparedOutput(Contract):
    """A dataset version that was made."""

    part: str = Field(description="Of a split; empty where there is none.")
    dataset_name: str
    number: int
    num_rows: int


class Preparation(Contract):
    """`output/preparation.json` of a prepare job."""

    engine: str
    num_rows_in: int
    num_rows_out: int
    num_quarantined: int
    steps: list[StepReport]
    outputs: list[PreparedOutput]


class PreviewCreate(Request):
    """Body of POST /v1/datasets/{dataset}/preview."""

    recipe: Recipe
    number: int | None = Field(default=None, ge=1, description="The version. Null: the latest that is READY.")
    num_sampled: int = Field(default=1_000, ge=1, le=MAX_PREVIEW_ROWS, strict=True)
    limit: int = Field(default=20, ge=1, le=100, strict=True, description="So many of the resulting rows come back.")


class PreviewSource(Contract):
    """A version that a preview reads."""

    dataset_id: str
    dataset_name: str
    number: int

    @property
    def label(self) -> str:
        """As messages name it."""
        return f"{self.dataset_name}@{self.number}"


class PreviewRequest(Contract):
    """What the previews function is given: all has been checked and resolved."""

    workspace_id: str
    sources: dict[str, PreviewSource] = Field(description="By channel.")
    recipe: Recipe
    num_sampled: int
    limit: int


class Preview(Contract):
    """What a recipe does to a sample: rows spread evenly over the version (over its first file, where it has many)."""

    num_rows: int = Field(description="Of the version.")
    num_sampled: int
    steps: list[StepReport]
    columns: list[Column]
    rows: list[dict[str, Any]]
    parts: dict[str, int] = Field(default={}, description="Rows of each part of a split.")
    notes: list[str] = []
