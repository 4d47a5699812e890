"""Decompositions whose gate and experts are served apart: how their answers become the whole's."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from aimass_core.domain.common import Contract

GATE = "gate"


class PlacedExpert(Contract):
    """An expert: a version of its own (`part` of the whole's `parts`), or one answer."""

    part: str = Field(examples=["expert-1"])
    digest: str | None = Field(description="SHA-256 of its model.onnx; null where `constant` is all that it says.")
    places: list[int] | None = Field(
        default=None, description="Which of the whole's outputs each of its own is; null where they are the same."
    )
    constant: list[float] | None = Field(default=None, description="Its one answer, as the whole has its outputs.")


class Routed(Contract):
    """A row is given to the experts that the gate has the largest shares for; see `num_active` of a decompose job."""

    kind: Literal["routed"] = "routed"
    gate_digest: str
    num_active: int = Field(ge=1)
    min_share: float
    priors: list[list[float]] | None = Field(
        description="What is answered for an expert that is not run, by its share [experts, outputs]. Null: the shares "
        "of those that are run are made to add up to 1."
    )


class Summed(Contract):
    """All experts are asked, and their answers weighted and added up."""

    kind: Literal["summed"] = "summed"
    weights: list[float]
    is_mean: bool = Field(description="Whether each answers the same question, so that one can be missing.")


class Decoded(Contract):
    """All experts are asked; each tells some classes (1) from others (-1), and of some nothing (0)."""

    kind: Literal["decoded"] = "decoded"
    code: list[list[int]] = Field(description="[experts, classes]")
    smallest: float = Field(gt=0, description="Below it a probability counts as this much.")


class Cascaded(Contract):
    """The experts are asked one after the other, each about the rows of which the one before it is less sure than its
    limit: its largest probability is below it."""

    kind: Literal["cascaded"] = "cascaded"
    limits: list[float] = Field(min_length=1, description="Of each expert but the last.")


class ExpertGraph(Contract):
    """`experts.json` beside the model.onnx of a decomposition. The file is the whole; this says how the parts, each of
    which reads raw columns, answer as it does."""

    experts: list[PlacedExpert]
    combination: Annotated[Routed | Summed | Decoded | Cascaded, Field(discriminator="kind")]

    @model_validator(mode="after")
    def _check_experts(self) -> Self:
        if any((expert.digest is None) == (expert.constant is None) for expert in self.experts):
            raise ValueError("an expert has either a model or a constant answer")
        return self

    def digests(self) -> dict[str, str]:
        """Of the parts that are asked, the gate first."""
        gate = {GATE: self.combination.gate_digest} if isinstance(self.combination, Routed) else {}
        return {**gate, **{each.part: each.digest for each in self.experts if each.digest is not None}}
