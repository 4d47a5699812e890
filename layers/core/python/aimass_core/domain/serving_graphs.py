"""Fusions whose members are served apart: what an endpoint needs to know of them."""

from enum import StrEnum

from pydantic import Field

from aimass_core.domain.common import Contract


class FusionMethod(StrEnum):
    """Ways to combine models.

    Averaging: all count the same. Greedy weighting: greedy selection with replacement (Caruana et al. 2004). Convex
    weighting: weights of at least 0 that add up to 1, fitted by the loss. Hard voting: the label that most choose. Soft
    voting: the mean of calibrated probabilities. Stacking: a model on the members' answers (Wolpert 1992), linear or of
    trees. Blending: of values, the same with what they are wrong by taken out (a linear model with an intercept).
    """

    AVERAGING = "averaging"
    GREEDY_WEIGHTING = "greedy_weighting"
    CONVEX_WEIGHTING = "convex_weighting"
    HARD_VOTING = "hard_voting"
    SOFT_VOTING = "soft_voting"
    STACKING_LINEAR = "stacking_linear"
    STACKING_TREES = "stacking_trees"
    BLENDING = "blending"


class PlacedMember(Contract):
    """A member of a fusion that is served apart."""

    name: str = Field(examples=["adult@3"])
    input: str = Field(description="Of the combining graph: the member's probabilities or values.")
    digest: str = Field(description="SHA-256 of its model.onnx.")
    weight: float | None = Field(default=None, description="As it was fitted; null where the method has no weights.")


class ServingGraph(Contract):
    """`fusion.json` beside a model.onnx that combines the answers of members which are loaded for themselves.

    The signature is that of the whole, from raw columns to the answer. Each member reads its columns under the names of
    its own signature.
    """

    method: FusionMethod
    members: list[PlacedMember]
    weights_input: str | None = Field(
        default=None,
        description="The combining graph's input that takes one weight for each member, in their order; an endpoint "
        "may give others while it serves. Null: the method has no weights.",
    )
