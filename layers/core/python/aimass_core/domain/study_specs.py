"""What to search for: the requests of search jobs and of autotrain jobs. Both are studies."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import AlgorithmSpec
from aimass_core.domain.common import JsonScalar, Name, Request
from aimass_core.domain.distributions import MAX_DISTRIBUTIONS, Distribution
from aimass_core.domain.features import FeatureSpec
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.training import LearningSpec, Resample, TrainSpec

MAX_WORKERS = 100
MAX_TRIALS = 10_000

# Spec fields that a search space may vary beside hyperparameters.
SPEC_FIELDS = ("features", "resample")


class SamplerName(StrEnum):
    """Who proposes trials: random, on a grid, quasi-Monte Carlo, by Gaussian processes, by a tree-structured Parzen
    estimator, by CMA-ES, or by NSGA-II for several objectives."""

    RANDOM = "random"
    GRID = "grid"
    QMC = "qmc"
    GP = "gp"
    TPE = "tpe"
    CMAES = "cmaes"
    NSGA2 = "nsga2"


class PrunerName(StrEnum):
    """Who ends bad trials early: below the median, by asynchronous successive halving (ASHA), by Hyperband, or that
    have not become better for a while (patient)."""

    NONE = "none"
    MEDIAN = "median"
    ASHA = "asha"
    HYPERBAND = "hyperband"
    PATIENT = "patient"


class Direction(StrEnum):
    """Whether an objective is to be small or large."""

    MINIMIZE = "minimize"
    MAXIMIZE = "maximize"


class Objective(Request):
    """What makes a trial good: a metric of the validation rows, or a figure of the exported model."""

    metric: str | None = Field(
        default=None,
        max_length=63,
        description="Null: the task's primary metric. Also latency_ms (one row) and model_bytes.",
        examples=["roc_auc", "latency_ms"],
    )
    direction: Direction | None = Field(default=None, description="Null: as the metric is known to be better.")


class Candidate(Request):
    """One algorithm of a study: what is fixed, and what is searched."""

    algorithm: str = Field(max_length=63, description="See GET /v1/algorithms.", examples=["xgboost"])
    framework: str | None = Field(default=None, max_length=63, description="Null: the algorithm's first.")
    hyperparameters: dict[str, JsonScalar | list[JsonScalar | dict[str, JsonScalar]]] = Field(
        default={}, description="Fixed in all trials; the search space does not vary them."
    )
    features: FeatureSpec | None = None
    resample: Resample | None = None
    space: dict[str, Distribution] | None = Field(
        default=None,
        max_length=MAX_DISTRIBUTIONS,
        description="By hyperparameter, and for `features` and `resample`. Null: the algorithm's own.",
    )

    @property
    def name(self) -> str:
        """Among the candidates of a study."""
        return self.algorithm if self.framework is None else f"{self.algorithm}-{self.framework}"

    def resolve_algorithm(self) -> AlgorithmSpec:
        """What the algorithm declares. Raises InvalidRequestError where there is none of that name."""
        return registry.find(self.algorithm)

    def resolve_framework(self) -> str:
        """The framework asked for, or the algorithm's first. Raises InvalidRequestError where there is no such one."""
        algorithm = self.resolve_algorithm()
        framework = self.framework or algorithm.default_framework
        algorithm.check_framework(framework)
        return framework

    def to_train_spec(self, study: "StudySpec", chosen: dict[str, Any]) -> TrainSpec:
        """The training that a trial is. `chosen` are its hyperparameters and spec fields, as the space names them."""
        learning = {name: getattr(study, name) for name in LearningSpec.model_fields}
        fields = {name: value for name, value in chosen.items() if name in SPEC_FIELDS}
        varied = {name: value for name, value in chosen.items() if name not in SPEC_FIELDS}
        return TrainSpec.model_validate(
            {
                **learning,
                "algorithm": self.algorithm,
                "framework": self.framework,
                "features": self.features,
                "resample": self.resample,
                **fields,
                "hyperparameters": {**self.hyperparameters, **varied},
            }
        )


class StudySpec(LearningSpec):
    """What search and autotrain have in common."""

    study: Name | None = Field(
        default=None,
        description="A study of that name goes on, if there is one, with what it knows. Null: a new one.",
    )
    max_trials: int | None = Field(
        default=None, ge=1, le=MAX_TRIALS, strict=True, description="Of the study in all. Null: as time allows."
    )
    num_workers: int = Field(
        default=1, ge=1, le=MAX_WORKERS, strict=True, description="Containers that carry out trials side by side."
    )
    max_model_bytes: int | None = Field(default=None, ge=1, description="Of the exported file.")
    max_latency_ms: float | None = Field(
        default=None, gt=0, description="Of one row, median, measured with ONNX Runtime on one thread."
    )


class SearchSpec(StudySpec):
    """Hyperparameter optimisation over the search spaces of one or several algorithms."""

    kind: Literal[JobKind.SEARCH]
    candidates: list[Candidate] = Field(min_length=1, max_length=20)
    objectives: list[Objective] = Field(default=[Objective()], min_length=1, max_length=3)
    sampler: SamplerName | None = Field(default=None, description="Null: as fits the space and the number of trials.")
    pruner: PrunerName | None = Field(default=None, description="Null: asha where there is one objective.")


class Preset(StrEnum):
    """What autotrain aims at: an answer soon, a good one, the best one, a small model."""

    FAST = "fast"
    BALANCED = "balanced"
    BEST = "best"
    SMALL = "small"


class AutotrainSpec(StudySpec):
    """From a dataset and a budget to the best model: portfolio, search, ensemble, one file."""

    kind: Literal[JobKind.AUTOTRAIN]
    preset: Preset = Preset.BALANCED
    algorithms: list[Annotated[str, Field(max_length=63)]] | None = Field(
        default=None, min_length=1, max_length=20, description="Null: all that fit the data."
    )
    metric: str | None = Field(default=None, max_length=63, description="Null: the task's primary metric.")
    fuse: bool = Field(
        default=False,
        description="End with the best way to combine models, by cross-fitting, and not with the weighted mean alone.",
    )
    decompose: bool = Field(
        default=False,
        description="Split the task of a table among small experts, as the best model alone is trained, and take that "
        "where it is better and needs no more operations.",
    )

    @model_validator(mode="after")
    def _ends_as_it_may(self) -> Self:
        if self.fuse and self.preset is Preset.SMALL:
            raise ValueError("preset small ends with one model, and fuse with several: leave one of them out")
        if self.decompose and self.folds is not None:
            raise ValueError("decompose is judged by rows that are held out, not by folds: leave one of them out")
        return self


AnyStudySpec = SearchSpec | AutotrainSpec
