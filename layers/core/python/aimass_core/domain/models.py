"""Models and their immutable versions: ONNX files that were checked before they were registered."""

from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, Field

from aimass_core.domain.artifacts import Artifact, ModelRef, PinnedDataset
from aimass_core.domain.common import Contract, Request, Resource, Text
from aimass_core.domain.signatures import Card, Signature, Task


class Model(Resource):
    """A named sequence of versions."""

    resource: ClassVar[str] = "model"
    prefix: ClassVar[str] = "mdl"

    name: str
    description: str = ""
    latest_version: int | None = Field(default=None, description="The newest version that exists.")
    last_number: int = Field(default=0, description="The newest number that was ever given; none is used twice.")


class ModelUpdate(Request):
    """Body of PATCH /v1/models/{model}."""

    description: Text


class ArtifactName(StrEnum):
    """The files of a model version; FUSION is there where members are served apart, EXPERTS where they can be."""

    MODEL = "model.onnx"
    SIGNATURE = "signature.json"
    CARD = "card.json"
    GOLDEN = "golden.json"
    REPORT = "report.html"
    REPORT_DATA = "report.json"
    FUSION = "fusion.json"
    EXPERTS = "experts.json"


class Decision(StrEnum):
    """Whether a version may be served where a workspace asks for approval (`requires_approval` of inference)."""

    APPROVED = "approved"
    REJECTED = "rejected"


class ApprovalCreate(Request):
    """Body of POST /v1/models/{model}/versions/{number}/approval."""

    decision: Decision
    note: Text = Field(default="", description="Why; it is kept with the version and in the audit trail.")


class Approval(Contract):
    """The last decision on a version, and whose it is."""

    decision: Decision
    note: str = ""
    by: str = Field(description="The id of the user or API key.")
    by_name: str | None = Field(default=None, description="The user's e-mail address, or the API key's name.")
    at: AwareDatetime


class ModelVersion(Resource):
    """One trained model: `model.onnx` and what describes it, each with its SHA-256."""

    resource: ClassVar[str] = "model_version"
    prefix: ClassVar[str] = "mv"

    model_id: str
    model_name: str
    number: int = Field(ge=1)
    job_id: str
    algorithm: str
    task: Task
    metrics: dict[str, float]
    primary_metric: str
    datasets: dict[str, PinnedDataset] = {}
    parents: list[ModelRef] = Field(
        default=[], description="The versions that it was made of: what was compressed, or the members of a fusion."
    )
    parts: dict[str, ModelRef] = Field(
        default={}, description="Of a decomposition: its gate and its experts, each a model version of its own."
    )
    part: str | None = Field(
        default=None, description="Which part it is of the decomposition that its job made.", examples=["gate"]
    )
    artifacts: list[Artifact]
    digest: str = Field(description="SHA-256 of model.onnx.")
    model_bytes: int
    latency_ms: float | None = Field(
        default=None, description="Of one row on one thread of the machine that made it, median; null where unknown."
    )
    approval: Approval | None = Field(default=None, description="Null: nobody has decided on it.")
    endpoints: list[str] = Field(default=[], description="Ids of the endpoints that hold it: while any does, it stays.")
    fusions: list[ModelRef] = Field(
        default=[],
        description="Fusions that are served with their members apart, it among them: while any is, it stays.",
    )
    last_job_id: str | None = Field(
        default=None, description="The newest job that was submitted to work on it: until it has ended, it stays."
    )
    imported_at: AwareDatetime | None = Field(
        default=None, description="When it came with an import of a workspace. Null: it did not."
    )


class ModelVersionDetail(ModelVersion):
    """As GET of one version answers it; `links` are short-lived URLs of its artifacts."""

    signature: Signature
    card: Card
    links: dict[str, str] = {}
