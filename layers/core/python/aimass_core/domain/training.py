"""What to train on which data, with which algorithm: the request of a training job."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.augmentation.series import FORECAST_STEPS, unfit_for_forecasts
from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind
from aimass_core.domain.common import JsonScalar, Name, Request, VersionRef
from aimass_core.domain.features import ColumnName, FeatureMode, FeatureSpec
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.schemas import MAX_SERIES_LENGTH
from aimass_core.domain.signatures import Task
from aimass_core.errors import ErrorDetail, InvalidRequestError

DEFAULT_VALIDATION_FRACTION = 0.2


class Resample(StrEnum):
    """How rare classes of a table are made as frequent as the most frequent one, in training rows alone.

    SMOTE: rows between rows of the class and their nearest neighbours in it (Chawla et al. 2002), with categories that
    are most frequent among these.
    """

    SMOTE = "smote"


class LearningSpec(Request):
    """What is to be learned from which data: what all jobs that train have in common."""

    dataset: VersionRef
    validation: VersionRef | None = Field(default=None, description="Null: a part of the dataset is held out.")
    test: VersionRef | None = None
    target: ColumnName | list[ColumnName] | None = Field(
        default=None,
        description="Null: the dataset's target. Several columns of 0 and 1 are the labels of a multi-label task.",
    )
    task: Task | None = Field(default=None, description="Null: found out from the target.")
    label_separator: str = Field(
        default="|", min_length=1, max_length=10, description="Between the labels of a multi-label target that is text."
    )
    horizon: int | None = Field(
        default=None, ge=1, le=10_000, description="Forecast the target so many rows ahead. Null: no forecast is made."
    )
    window: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SERIES_LENGTH,
        description="From so many of the latest rows. Null: four times the horizon, at least 32.",
    )
    time_column: str | None = Field(
        default=None, max_length=500, description="Rows are in the order of this column. Null: as they are."
    )
    exclude_columns: list[str] = Field(default=[], max_length=10_000)
    validation_fraction: float | None = Field(
        default=None,
        gt=0,
        lt=0.9,
        strict=True,
        description="Of the rows, where no `validation` is given. Null: the workspace's setting; of autotrain what "
        "suits the number of rows, and of a small table folds.",
    )
    folds: int | None = Field(
        default=None, ge=2, le=20, strict=True, description="Null: hold-out. Else k-fold cross-validation."
    )
    seed: int = Field(default=0, ge=0, lt=2**32, strict=True)
    model: Name | None = Field(default=None, description="Null: the model has the dataset's name.")

    def resolve_task(self) -> Task | None:
        """The task as far as the request says it. Raises InvalidRequestError for several targets of another task."""
        if not isinstance(self.target, list):
            return self.task
        if len(set(self.target)) < max(len(self.target), 2):
            raise _refuse("target", f"Several target columns are different labels, two at least; got {self.target}.")
        if self.task not in (None, Task.MULTILABEL):
            raise _refuse("task", f"Several target columns are the labels of a multi-label task, not {self.task}.")
        return Task.MULTILABEL

    def check_forecast(self, *, is_meant: bool = False) -> None:
        """Raises InvalidRequestError where horizon, task and folds contradict each other. `is_meant`: nothing but a
        forecast can come of it."""
        if self.horizon is None:
            if self.task is Task.FORECASTING or is_meant or self.window or self.time_column:
                raise _refuse("horizon", "A forecast needs a horizon: how many rows ahead the target is predicted.")
            return
        task = self.resolve_task()
        if task not in (None, Task.FORECASTING):
            raise _refuse("task", f"With a horizon the task is a forecast, not {task}. Leave one of them out.")
        if self.folds is not None:
            raise _refuse("folds", "Folds would train on what comes after the rows that judge. Leave folds out.")

    @property
    def held_out_fraction(self) -> float:
        """The share of the rows that validates, with the default filled in."""
        return DEFAULT_VALIDATION_FRACTION if self.validation_fraction is None else self.validation_fraction

    @property
    def num_window_rows(self) -> int:
        """The window of a forecast, with the default filled in."""
        return self.window or max(4 * (self.horizon or 1), 32)


class TrainSpec(LearningSpec):
    """What to train, as the user asks for it."""

    kind: Literal[JobKind.TRAIN] = JobKind.TRAIN
    algorithm: str = Field(max_length=63, description="See GET /v1/algorithms.", examples=["xgboost"])
    framework: str | None = Field(default=None, max_length=63, description="Null: the algorithm's first.")
    hyperparameters: dict[str, JsonScalar | list[JsonScalar | dict[str, JsonScalar]]] = {}
    features: FeatureSpec | None = Field(default=None, description="Null: plain. Of tables only.")
    resample: Resample | None = Field(
        default=None,
        description="Null: rows are as they are. Else rows are added to rare classes, of tables only; probabilities "
        "are then those of classes that are alike in number.",
    )
    refit: bool = Field(
        default=False,
        strict=True,
        description="After validation the model is fitted again on all rows, those of validation included, in as many "
        "steps as were best. Its metrics are those of the fit that had not seen them.",
    )
    checkpoint_seconds: int = Field(
        default=60, ge=1, le=86_400, description="An interrupted training loses at most so much."
    )

    def resolve_algorithm(self) -> AlgorithmSpec:
        """What the algorithm declares. Raises InvalidRequestError where there is none of that name."""
        return registry.find(self.algorithm)

    def resolve_framework(self) -> str:
        """The framework asked for, or the algorithm's first."""
        return self.framework or self.resolve_algorithm().default_framework

    def resolve_hyperparameters(self) -> Request:
        """An instance of the algorithm's own class, with defaults filled in. Raises InvalidRequestError."""
        return self.resolve_algorithm().resolve_hyperparameters(self.hyperparameters)

    def check(self) -> None:
        """Holds the request against what the algorithm declares.

        Not a validator: a reader need not have the package that an algorithm comes from, and a stored job stays
        readable when ranges change.

        Raises:
            InvalidRequestError: Unknown algorithm, framework, hyperparameter; what it cannot do.
        """
        algorithm = self.resolve_algorithm()
        algorithm.check_framework(self.resolve_framework())
        self.check_forecast(is_meant=algorithm.tasks == (Task.FORECASTING,))
        task = Task.FORECASTING if self.horizon else self.resolve_task()
        if task is not None:
            algorithm.check_task(task)
        hyperparameters = self.resolve_hyperparameters()
        algorithm.check_lacking(self.resolve_framework(), hyperparameters)
        self._check_tables()
        if self.refit and self.folds is not None:
            raise _refuse("refit", "After folds the model is fitted on all rows in any case. Leave refit out.")
        unfit = unfit_for_forecasts(getattr(hyperparameters, "augmentation", None))
        if self.horizon and unfit:
            raise _refuse(
                "hyperparameters.augmentation",
                f"The step {unfit[0]!r} would change what the forecast goes on from. Of a forecast there are: "
                f"{', '.join(FORECAST_STEPS)}.",
            )

    def _check_tables(self) -> None:
        """What there is of tables alone."""
        algorithm = self.resolve_algorithm()
        declared = {"features": self.features, "resample": self.resample}
        for name, value in declared.items():
            if value is not None and DataKind.TABLE not in algorithm.kinds:
                kinds = " or ".join(algorithm.kinds)
                raise _refuse(
                    name, f"{name} is for the rows of tables, and {self.algorithm} learns from {kinds}. Leave it out."
                )
        task = self.resolve_task()
        if self.resample is not None and task not in (None, Task.BINARY, Task.MULTICLASS):
            raise _refuse(
                "resample", f"{self.resample} is for a choice of one class, and this task is {task}. Leave it out."
            )

    def check_machines(self, num_machines: int) -> None:
        """Raises InvalidRequestError where so many cannot train this together."""
        algorithm, framework = self.resolve_algorithm(), self.resolve_framework()
        if num_machines == 1:
            return
        if not algorithm.implementations[framework].is_distributed:
            message = (
                f"{algorithm.name} ({framework}) trains on one machine, and {num_machines} are asked for. Several "
                f"machines can train: {', '.join(registry.distributed())}. Choose one of them, or one machine."
            )
            raise InvalidRequestError(message, details=[ErrorDetail(location="body.compute", message=message)])
        if self.features is not None and self.features.default is FeatureMode.AUTO:
            raise _refuse(
                "features",
                f"auto tries features on one machine, and {num_machines} are asked for. Declare the features, or take "
                "one machine.",
            )


def _refuse(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details=[ErrorDetail(location=f"body.spec.{field}", message=message)])
