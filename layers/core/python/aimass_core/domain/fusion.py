"""Fusion: several registered models as one."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from aimass_core.domain.common import Contract, VersionRef
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.model_jobs import Cost, Device, ModelJobSpec, Score
from aimass_core.domain.serving_graphs import FusionMethod as FusionMethod  # noqa: PLC0414 - part of a fusion's contract
from aimass_core.domain.serving_graphs import PlacedMember as PlacedMember  # noqa: PLC0414 - part of a fusion's contract
from aimass_core.domain.serving_graphs import ServingGraph as ServingGraph  # noqa: PLC0414 - part of a fusion's contract
from aimass_core.domain.training import LearningSpec


class Placement(StrEnum):
    """How a fusion is served: as one ONNX graph, or apart, each member a model that is loaded for itself, with weights
    that an endpoint can change while it serves."""

    ONE_GRAPH = "one_graph"
    APART = "apart"


class FuseSpec(ModelJobSpec):
    """Combines registered models of the same task, whatever made them."""

    kind: Literal[JobKind.FUSE]
    members: list[VersionRef] = Field(min_length=2, max_length=50, examples=[["adult@1", "adult@2", "adult-net"]])
    method: FusionMethod | None = Field(
        default=None, description="Null: all that fit the task, and the best of them by cross-fitting."
    )
    placement: Placement | None = Field(
        default=None, description="Null: one graph; apart where that misses max_model_bytes."
    )
    out_of_fold: int | None = Field(
        default=None,
        ge=2,
        le=20,
        strict=True,
        description="Train the members again in so many folds, so that all rows of training can fit the combination, "
        "and not those alone that no member was trained on. Of members that our jobs have trained.",
    )
    member_data: list[LearningSpec | None] = Field(
        default=[],
        max_length=50,
        description="Filled in at submit: what each member was trained with, null where no job of ours has trained it.",
    )


class FusedMember(Contract):
    """A member, and what it brings."""

    name: str = Field(examples=["adult@3"])
    algorithm: str
    weight: float | None = Field(default=None, description="Null where the method has no weights.")
    score: Score
    cost: Cost
    correlation: float | None = Field(
        default=None, description="Of its errors with the mean of the others'; the less, the more it brings."
    )


class FusedMethod(Contract):
    """A method that was tried."""

    method: FusionMethod
    score: Score | None = Field(default=None, description="Cross-fitted: of rows that did not fit it.")
    reason: str | None = Field(default=None, description="Why it was not used.")
    is_chosen: bool = False


class Fusion(Contract):
    """`output/fusion.json`: members, methods, and what came of them.

    Where no combination is better than the best member there is no `method`, and the job has failed.
    """

    members: list[FusedMember]
    methods: list[FusedMethod] = Field(description="The best first.")
    best_member: str
    method: FusionMethod | None = None
    placement: Placement | None = None
    device: Device
    num_fit_rows: int = Field(description="Rows that fitted the combination, none of which a member was trained on.")
    is_cross_fitted: bool = Field(
        description="The rows that fitted it also judge it, in turns: none by a combination that it fitted."
    )
    score: Score | None = Field(default=None, description="Of the fusion, on the same rows as the members'.")
    cost: Cost | None = Field(
        default=None, description="Served apart, its bytes are those of all members and what combines them."
    )
