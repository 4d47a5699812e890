"""What a model takes and gives: `signature.json`, `golden.json` and `card.json` beside every model.onnx."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from aimass_core.domain.common import Contract
from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape


class Task(StrEnum):
    """The kind of learning problem."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"
    REGRESSION = "regression"
    FORECASTING = "forecasting"
    CUSTOM = "custom"

    @property
    def is_classification(self) -> bool:
        """Whether the answer is a label, or any number of them (multi-label). That of a custom model (a script's) is
        whatever its outputs are."""
        return self in (Task.BINARY, Task.MULTICLASS, Task.MULTILABEL)


class Datatype(StrEnum):
    """Tensor datatypes as the Open Inference Protocol names them."""

    BYTES = "BYTES"
    BOOL = "BOOL"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"


class TensorSpec(Contract):
    """One input or output of the ONNX graph. -1 is any size; the first dimension is the batch."""

    name: str
    datatype: Datatype
    shape: list[int]
    column: str | None = Field(default=None, description="The raw column that an input carries.")
    column_type: ColumnType | None = None
    written: str | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="How the column's cells were written in the training data.",
    )
    categories: list[str] | None = Field(default=None, description="Known values of a categorical input; others warn.")
    minimum: float | None = Field(default=None, description="Of the training data; an answer outside it warns.")
    maximum: float | None = None
    typical: float | str | None = Field(
        default=None,
        description="The training data's median, or commonest category: what an explanation compares with. Null: a "
        "missing value.",
    )


class Signature(Contract):
    """The graph's interface.

    Inputs, one per raw column, each of shape [-1, 1]: integer and number FP32 (missing is NaN); boolean and string
    BYTES (missing is the empty string; booleans are "true" and "false"); datetime FP64 (seconds since 1970 UTC,
    missing is NaN). Images: one input UINT8 of shape [-1, height, width, channels]. Series: FP32 of shape [-1, -1], the
    second dimension time, the same for all of a request; shorter rows are filled up with NaN at their end.
    Forecasts take from each column its latest values, oldest first: FP32 of shape [-1, window].
    Outputs of a classification: `label` BYTES [-1] and `probabilities` FP32 [-1, len(labels)], of which a multi-label
    model answers each for itself, and as `label` BOOL [-1, len(labels)] which of them apply; of a regression: `value`
    FP32 [-1]; of a forecast: `value` FP32 [-1, horizon].
    """

    kind: DatasetKind
    task: Task
    target: str
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    labels: list[str] | None = None
    image_shape: ImageShape | None = None


class Golden(Contract):
    """`golden.json`: a few raw rows and what the framework answered. An endpoint must repeat them to become ready.

    `inputs` maps each input's name to its tensor as nested lists (NaN as null), `outputs` likewise.
    """

    inputs: dict[str, Any]
    outputs: dict[str, Any]
    tolerance: float = 1e-4


class Importance(Contract):
    """How much a raw column matters: the loss of the metric when its values are shuffled (Breiman 2001)."""

    column: str
    mean: float
    std: float = Field(description="Over the shuffles.")
    low: float | None = Field(default=None, description="Of the 95 % interval: over shuffles and rows.")
    high: float | None = None


class ConfusionMatrix(Contract):
    """counts[i][j]: rows of class labels[i] that were predicted as labels[j]."""

    labels: list[str]
    counts: list[list[int]]


class Evaluation(Contract):
    """Metrics of one channel. Names: accuracy f1 roc_auc log_loss rmse mae r2.

    Of a multi-label task roc_auc, average_precision and f1 are means over the labels, f1_micro counts all labels of all
    rows together; subset_accuracy is the share of rows whose labels are all right, hamming_loss that of wrong labels.
    Of a forecast over all steps of all horizons, and in addition scaled_mse and scaled_mae: of values that are
    standardised by the training rows, as the literature reports them.
    """

    channel: str
    num_rows: int
    metrics: dict[str, float]
    confusion_matrix: ConfusionMatrix | None = None


class ExportCheck(Contract):
    """The exported graph against the framework, on the whole validation channel; where that was fitted on too, on all
    rows."""

    num_rows: int
    max_abs_difference: float
    num_label_differences: int
    tolerance: float


class Card(Contract):
    """`card.json`: what a model is, where it came from and how good it is."""

    algorithm: str
    framework: str
    task: Task
    target: str
    hyperparameters: dict[str, Any]
    features: dict[str, Any] | None = Field(
        default=None, description="The feature engineering that the model has, as a job takes it; null: plain."
    )
    seed: int
    dataset: str
    dataset_digest: str | None = None
    num_train_rows: int | None = None
    is_refitted: bool = Field(
        default=False,
        description="It was fitted on the validation rows too; the figures of validation are those of fits that had "
        "not seen the rows.",
    )
    evaluations: list[Evaluation]
    primary_metric: str = Field(default="", description="Empty where a script left no metrics.")
    primary_value: float | None = None
    importances: list[Importance] = []
    export_check: ExportCheck | None = Field(default=None, description="Null of a script's model: nothing to compare.")
    model_bytes: int
    latency_ms: float | None = Field(
        default=None, description="Of one row on one thread of the machine that made it, median; null where unknown."
    )
    training_seconds: float
    warnings: list[str] = []
    versions: dict[str, str] = Field(default={}, description="Of the libraries that made it.")

    def to_metrics(self) -> dict[str, float]:
        """Those of the last channel, and of each under its name: `validation/roc_auc`."""
        metrics = {f"{each.channel}/{name}": value for each in self.evaluations for name, value in each.metrics.items()}
        return {**(self.evaluations[-1].metrics if self.evaluations else {}), **metrics}
