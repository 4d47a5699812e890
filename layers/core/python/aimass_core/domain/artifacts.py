"""What jobs take and leave, by digest. Apart from jobs, whose kinds cost whoever only serves models a slow start."""

from typing import Annotated

from pydantic import Field, StringConstraints

from aimass_core.domain.common import Contract

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Artifact(Contract):
    """One file that a job left."""

    name: str
    num_bytes: int
    sha256: str


class ModelRef(Contract):
    """The model version that a job made."""

    model_id: str
    model_name: str
    number: int


class PinnedDataset(Contract):
    """The exact version that a channel was given at submit."""

    dataset_id: str
    dataset_name: str
    number: int
    digest: str
    workspace_id: str | None = Field(default=None, description="The owners, where the dataset is another workspace's.")
