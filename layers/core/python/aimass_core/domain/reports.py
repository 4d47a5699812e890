"""`report.json` beside `card.json`: together all that report.html shows, for a console to draw.

Every list is bounded whatever the size of the data; curves are thinned with their extremes kept. Intervals are of 95 %.
"""

from pydantic import Field

from aimass_core.domain.common import Contract


class LearningCurve(Contract):
    """Values over steps, such as `validation/log_loss` or `train/learning_rate`."""

    name: str
    steps: list[int]
    values: list[float]


class RateCurve(Contract):
    """One class against all others, or one label.

    ROC: x is the false, y the true positive rate, and `area` that under it. Precision-recall: x is recall, y precision,
    and `area` the average precision.
    """

    label: str
    num_positive: int
    area: float
    x: list[float]
    y: list[float]


class ClassScore(Contract):
    """How one class, or label, is recognised.

    Precision is null where it was never predicted, recall where it never occurs.
    """

    label: str
    num_rows: int
    num_predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


class CalibrationBin(Contract):
    """Rows whose probability lies in a bin: what was promised and what came."""

    num_rows: int
    mean_probability: float
    share: float = Field(description="Of the rows in which what was given this probability was true.")
    low: float
    high: float


class Calibration(Contract):
    """A reliability diagram (Guo et al. 2017); empty bins are left out.

    Of two classes by the probability of the second, `label`; of more by that of the predicted class, `label` null. Of a
    multi-label task every label of every row counts as a row.
    """

    label: str | None
    expected_error: float = Field(description="ECE: the mean over rows of |share - mean probability| of their bin.")
    brier_score: float = Field(
        description="The mean squared error of the probabilities: over classes the sum, over labels the mean."
    )
    bins: list[CalibrationBin]


class Histogram(Contract):
    """`counts[i]` values lie from edges[i] to edges[i + 1]."""

    edges: list[float]
    counts: list[int]


class Residuals(Contract):
    """Errors of a regression, predicted - actual; `actual` and `predicted` are a sample with the largest errors."""

    mean: float
    std: float
    quantiles: dict[str, float] = Field(description="By percent, 1 to 99.")
    histogram: Histogram
    actual: list[float]
    predicted: list[float]


class ForecastWindow(Contract):
    """What came after a row, and what had been forecast from it: the first 500 steps."""

    row: int
    actual: list[float]
    predicted: list[float]


class Forecasts(Contract):
    """Some windows from all of the channel, and the mean absolute error by step."""

    windows: list[ForecastWindow]
    errors: list[float]


class Slice(Contract):
    """The metric on the rows that have a value, or values in a range, in one column.

    `value` is null where the metric does not exist: a ROC AUC of rows that are all of one class.
    """

    column: str
    values: str
    num_rows: int
    value: float | None
    low: float | None
    high: float | None
    is_worse: bool = Field(default=False, description="Than the whole, by more than chance: all of the interval is.")


class Slices(Contract):
    """Worst first; `overall` is the metric of all rows."""

    metric: str
    overall: float
    items: list[Slice]


class LabelProbability(Contract):
    """A class with its probability."""

    label: str
    probability: float


class Example(Contract):
    """A row that the model is wrong about, with what it looks like.

    `picture` is a data URI; `values` holds the columns that matter most, texts shortened.
    """

    row: int = Field(description="In its channel, from 0.")
    actual: str
    predicted: str
    probabilities: list[LabelProbability] = Field(
        default=[], description="The likeliest classes, and the actual one; or the labels that are most wrong."
    )
    error: float | None = Field(default=None, description="Of a regression: predicted - actual.")
    values: dict[str, str] = {}
    picture: str | None = None


class AugmentedRow(Contract):
    """A training text, or the values of a table's row, and what augmentation made of it, several times."""

    before: str
    after: list[str]


class Augmented(Contract):
    """What is done to training data, and to some of it by way of example.

    Images and series are one picture (a data URI): some of training in the first row, below them what was made of each.
    """

    steps: list[str]
    picture: str | None = None
    rows: list[AugmentedRow] = []


class ResampledClass(Contract):
    """Training rows of a class, and how many were added to them."""

    label: str
    num_rows: int
    num_added: int


class ModelReport(Contract):
    """What a model does to the rows of one channel, and how it came to be.

    The confusion matrix, the metrics and the importances are in `card.json`.
    """

    version: int = 1
    channel: str
    num_rows: int
    learning_curves: list[LearningCurve] = []
    classes: list[ClassScore] = []
    roc: list[RateCurve] = Field(default=[], description="Of more than two classes the worst first, 100 at most.")
    precision_recall: list[RateCurve] = []
    calibration: Calibration | None = None
    residuals: Residuals | None = None
    forecasts: Forecasts | None = None
    slices: Slices | None = None
    num_wrong: int | None = Field(default=None, description="Of a classification; of labels: rows in which one is.")
    examples: list[Example] = Field(default=[], description="The worst first.")
    augmented: Augmented | None = None
    resampled: list[ResampledClass] = Field(default=[], description="Of the model's own fit; the rarest 100 first.")
