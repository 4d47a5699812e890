"""Imports: models that other tools have made, converted to ONNX in a job of their own, compared and registered."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from aimass_core.domain.common import Name, Request
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.signatures import Task

MODEL_FOLDER = "model"
"""Within the source: the model's file or files."""
SAMPLES = "samples"
"""Within the source: `samples.csv`, `.jsonl`, `.npy` or `.npz`, rows that framework and graph have to answer alike."""
SAMPLE_SUFFIXES = (".csv", ".jsonl", ".npy", ".npz")


class ImportFormat(StrEnum):
    """What a model is stored as."""

    AUTO = "auto"
    ONNX = "onnx"
    SAVED_MODEL = "saved-model"
    KERAS = "keras"
    TORCHSCRIPT = "torchscript"
    SAFETENSORS = "safetensors"
    XGBOOST = "xgboost"
    LIGHTGBM = "lightgbm"
    SKLEARN = "sklearn"
    MLFLOW = "mlflow"


class Scores(StrEnum):
    """What the outputs of a network that classifies are."""

    PROBABILITIES = "probabilities"
    LOGITS = "logits"


Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class ImportSpec(Request):
    """A model of another tool, made a model version."""

    kind: Literal[JobKind.IMPORT]
    source: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of a .tar.gz that was sent as POST /v1/jobs/sources said: the model in the folder "
        "`model`, and beside it `samples.csv` (.jsonl, .npy, .npz) and `signature.json` where there are any."
    )
    model: Name = Field(description="Of which it becomes a version.")
    format: ImportFormat = ImportFormat.AUTO
    task: Task | None = Field(
        default=None, description="Null: as the model says; of one that does not, custom: tensors in, tensors out."
    )
    target: Text | None = Field(default=None, description="What it answers; null: `target`.")
    labels: list[Text] | None = Field(
        default=None, min_length=2, max_length=10_000, description="In the order of the model's outputs."
    )
    columns: list[Text] | None = Field(
        default=None, min_length=1, max_length=10_000, description="The features of a model that takes one matrix."
    )
    scores: Scores = Scores.PROBABILITIES
    input_shape: list[Annotated[int, Field(ge=1, le=10_000_000)]] | None = Field(
        default=None, max_length=6, description="Of one row, for a torch model without sample rows."
    )
    trust_pickle: bool = Field(
        default=False,
        description="Pickles, joblib and torch pickles, Keras files and modules run code where they are opened: in the "
        "job, which has no credentials, and only if this is said.",
    )

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if self.task is Task.BINARY and self.labels is not None and len(self.labels) != 2:
            raise ValueError(f"a binary model has two labels, and {len(self.labels)} are given")
        if self.task in (Task.MULTILABEL, Task.FORECASTING):
            raise ValueError(f"a {self.task} model is imported with a signature.json that describes it, without a task")
        return self
