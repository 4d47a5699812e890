"""Compression: a smaller and faster model from a registered one, within budgets that are measured."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from aimass_core.domain.common import Contract, JsonScalar, VersionRef
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.model_jobs import Cost, Device, ModelJobSpec, Score


class CompressionMethod(StrEnum):
    """Ways to compress. Sparsification removes whole channels and units; factorization writes a layer as two thin ones;
    finetuning trains on what these have left, by the truth and the original's answers; distillation trains a smaller
    model on the answers of the original; quantization stores and computes with fewer bits; trimming takes trees and
    leaves out of tree ensembles; optimization writes the same graph in fewer bytes and operations."""

    OPTIMIZATION = "optimization"
    QUANTIZATION = "quantization"
    FACTORIZATION = "factorization"
    SPARSIFICATION = "sparsification"
    FINETUNING = "finetuning"
    DISTILLATION = "distillation"
    TRIMMING = "trimming"


class CompressSpec(ModelJobSpec):
    """Makes a registered model smaller and faster."""

    kind: Literal[JobKind.COMPRESS]
    parent: VersionRef = Field(description="The model version to compress.", examples=["adult@3", "adult"])
    methods: list[CompressionMethod] | None = Field(
        default=None, min_length=1, description="Null: all that fit the model, alone and combined."
    )
    max_metric_drop: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="What the metric may lose on validation rows, in its own unit; of "
        "errors (rmse, mae) as a share of the original's.",
    )


class CompressionStep(Contract):
    """One method as it was applied."""

    method: CompressionMethod
    settings: dict[str, JsonScalar] = Field(default={}, examples=[{"rank": 16}, {"weights": "int8", "mode": "static"}])


class CompressionCandidate(Contract):
    """A model that was made and measured. The one without steps is the original."""

    name: str = Field(examples=["original", "factorization rank 16 + int8 static"])
    steps: list[CompressionStep] = []
    score: Score
    metric_drop: float = Field(description="As `max_metric_drop` counts it; below 0 where it is better.")
    cost: Cost
    seconds: float = Field(description="What making and measuring it took.")
    missed: list[str] = Field(
        default=[], description="The limits that it misses, with figures: `model_bytes 71,233 > 50,000`."
    )
    is_pareto: bool = Field(
        default=False, description="No other is as good in score, latency and bytes and better in one of them."
    )
    is_chosen: bool = False


class UnfitMethod(Contract):
    """A method that was not applied, or whose model was rejected before it was measured."""

    method: CompressionMethod
    reason: str


class Compression(Contract):
    """`output/compression.json`: everything that was tried. The Pareto table of a compress job."""

    parent: str = Field(examples=["adult@3"])
    device: Device
    num_threads: int
    max_model_bytes: int | None
    max_latency_ms: float | None
    max_metric_drop: float
    candidates: list[CompressionCandidate]
    unfit: list[UnfitMethod] = []
    advice: list[str] = Field(
        default=[], description="Where nothing meets the limits: what came nearest, and which limit to relax to what."
    )
