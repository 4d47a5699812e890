"""Decomposition: one task split among several expert models, of which those are run that a row needs."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from aimass_core.domain.common import Contract, JsonScalar, Request, VersionRef
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.model_jobs import Cost, Device, Score
from aimass_core.domain.training import LearningSpec

MAX_EXPERTS = 64


class DecompositionMethod(StrEnum):
    """Ways to split a task.

    By classes: a hierarchy learned from the confusion matrix, one class against the rest, or error-correcting output
    codes (Dietterich and Bakiri 1995). By region of the input: clusters, leaves of a small tree, or a mixture of
    experts whose gate network is learned with them (Jacobs et al. 1991). By groups of features. A forecast: by trend,
    season and residual. By how hard a row is: a cascade, in which a small model answers where it is sure and a larger
    one the rest (Viola and Jones 2001; BranchyNet, Teerapittayanon et al. 2016).
    """

    CASCADE = "cascade"
    HIERARCHY = "hierarchy"
    ONE_VS_REST = "one_vs_rest"
    OUTPUT_CODES = "output_codes"
    CLUSTERS = "clusters"
    TREE = "tree"
    MIXTURE = "mixture"
    FEATURE_GROUPS = "feature_groups"
    COMPONENTS = "components"


class PartSpec(Request):
    """What an expert or the gate is trained as."""

    algorithm: str = Field(max_length=63, examples=["xgboost"])
    framework: str | None = Field(default=None, max_length=63)
    hyperparameters: dict[str, JsonScalar | list[JsonScalar | dict[str, JsonScalar]]] = {}


class DecomposeSpec(LearningSpec):
    """Splits a task among small experts."""

    kind: Literal[JobKind.DECOMPOSE]
    method: DecompositionMethod | None = Field(
        default=None, description="Null: those that fit the task, and of them the best for its cost."
    )
    num_experts: int | None = Field(default=None, ge=2, le=MAX_EXPERTS, strict=True, description="Null: tried out.")
    num_active: int | None = Field(
        default=None,
        ge=1,
        le=MAX_EXPERTS,
        strict=True,
        description="Experts that a row is given to at most: beside the first those that the gate gives at least a "
        "tenth. Null: one, or two where that is better for its cost. Methods without a gate run all experts.",
    )
    expert: PartSpec | None = Field(
        default=None, description="Null: the single model's algorithm, at half the size and at the same."
    )
    gate: PartSpec | None = Field(default=None, description="Null: as the method needs one.")
    single: VersionRef | None = Field(
        default=None, description="The single model to compare with. Null: one is trained, with the same algorithm."
    )
    metric: str | None = Field(default=None, max_length=63, description="Null: the task's primary metric.")
    max_model_bytes: int | None = Field(default=None, ge=1, description="Of the whole as one file.")
    max_latency_ms: float | None = Field(default=None, gt=0, description="Of one row, median.")
    device: Device = Device.LAMBDA_1769MB


class ExpertRow(Contract):
    """An expert or the gate: what it is for, and how well it does there."""

    name: str = Field(examples=["gate", "expert-1"])
    purpose: str = Field(examples=["rows where lat < 37.2", "letters I, J, L"])
    algorithm: str
    share: float = Field(description="Of the validation rows that it answers.")
    num_train_rows: int
    score: Score | None = Field(default=None, description="On the rows that it is for.")
    single_score: Score | None = Field(default=None, description="Of the single model on the same rows.")
    model_bytes: int


class DecomposedWhole(Contract):
    """A whole that was tried, or the single model."""

    name: str = Field(examples=["single", "hierarchy of 5"])
    method: DecompositionMethod | None = Field(default=None, description="Null of the single model.")
    num_experts: int = 1
    score: Score
    cost: Cost
    missed: list[str] = []
    is_chosen: bool = False


class Decomposition(Contract):
    """`output/decomposition.json`."""

    wholes: list[DecomposedWhole] = Field(description="The single model first.")
    experts: list[ExpertRow] = Field(description="Of the chosen whole; the gate first.")
    unfit: dict[str, str] = Field(default={}, description="Methods that do not fit, with the reason.")
