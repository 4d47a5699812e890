"""What jobs on registered models have in common: which rows judge a model, and where it is to run."""

from enum import StrEnum

from pydantic import Field

from aimass_core.domain.common import Contract, Name, Request
from aimass_core.domain.training import LearningSpec


class Device(StrEnum):
    """Where a model is to answer. It is measured here with as many threads as it has there.

    A Lambda function has one virtual processor for each 1,769 MB of memory.
    """

    LAMBDA_512MB = "lambda-512mb"
    LAMBDA_1024MB = "lambda-1024mb"
    LAMBDA_1769MB = "lambda-1769mb"
    LAMBDA_3008MB = "lambda-3008mb"
    CONTAINER = "container"
    MOBILE = "mobile"


class ModelJobSpec(Request):
    """What compress and fuse jobs have in common."""

    data: LearningSpec | None = Field(
        default=None,
        description="The data that the models are judged by, and how it is split. Null: that which the (first) model "
        "was trained with, split as then. Needed for a model that no job of ours has trained.",
    )
    metric: str | None = Field(default=None, max_length=63, description="Null: the task's primary metric.")
    max_model_bytes: int | None = Field(default=None, ge=1, description="Of the exported file.")
    max_latency_ms: float | None = Field(
        default=None, gt=0, description="Of one row, median, measured with ONNX Runtime at the device's threads."
    )
    device: Device = Device.LAMBDA_1769MB
    seed: int = Field(default=0, ge=0, lt=2**32, strict=True)
    model: Name | None = Field(default=None, description="Null: a new version of the (first) model.")


class Cost(Contract):
    """What a model costs where it runs, measured with ONNX Runtime on the exported file."""

    latency_p50_ms: float = Field(description="Of one row.")
    latency_p95_ms: float = Field(description="Of one row.")
    model_bytes: int
    memory_bytes: int | None = Field(
        default=None, description="What the process grew by to load it and answer. Null: not measured."
    )
    cold_start_ms: float | None = Field(
        default=None, description="From the file to the first answer. Null: not measured."
    )
    num_operations: int | None = Field(
        default=None, description="Multiplications, additions and comparisons of one row, counted in the graph."
    )


class Score(Contract):
    """How good a model is on the rows that judged it."""

    metric: str
    value: float
    metrics: dict[str, float] = {}
    num_rows: int
