"""Problems of hyperparameter optimisation: our algorithms on data that ships with scikit-learn, quick to evaluate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import train_test_split

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.signatures import Task
from aimass_core.domain.study_specs import Candidate
from batch_jobs.algorithms.learning import Examples, FitContext, Problem
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.search.space import StudySpace
from tests.benchmarks.workloads import Quiet

_LOADERS: Mapping[str, tuple[Callable[..., Any], Task]] = {
    "breast cancer": (load_breast_cancer, Task.BINARY),
    "diabetes": (load_diabetes, Task.REGRESSION),
    "wine": (load_wine, Task.MULTICLASS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Candidates to choose from and to tune on a data set; the loss is that of held-out rows, the lower the better."""

    name: str
    data: str
    candidates: list[Candidate]
    space: StudySpace = field(init=False)
    _known: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "space", StudySpace(self.candidates))

    def evaluate(self, trial: optuna.Trial) -> float:
        """The same hyperparameters are fitted once."""
        candidate, chosen = self.space.suggest(trial)
        key = f"{candidate.name} {chosen}"
        if key not in self._known:
            hyperparameters = {**candidate.hyperparameters, **chosen}
            self._known[key] = self._fit(candidate.algorithm, hyperparameters)
        return self._known[key]

    def _fit(self, algorithm: str, hyperparameters: Mapping[str, Any]) -> float:
        load, task = _LOADERS[self.data]
        features, targets = load(return_X_y=True)
        features = features.astype(np.float32)
        if task is Task.REGRESSION:
            targets = (targets - targets.mean()) / targets.std()
        parts = train_test_split(features, targets, test_size=0.4, random_state=0)
        train, judge = (Examples(features=parts[at], targets=parts[at + 2]) for at in (0, 1))
        problem = Problem(
            task=task,
            kind=DataKind.TABLE,
            num_outputs=1 if task is Task.REGRESSION else len(np.unique(targets)),
            num_numeric=features.shape[1],
            seed=0,
            num_threads=1,
        )
        spec = TrainSpec(dataset="bench", algorithm=algorithm, hyperparameters=dict(hyperparameters))
        fitted = build_learner(spec).fit(problem, train, judge, context=FitContext(listener=Quiet()))
        answers = fitted.predict(judge.features)
        if task is Task.REGRESSION:
            return float(root_mean_squared_error(judge.targets, answers))
        return float(log_loss(judge.targets, answers, labels=range(problem.num_outputs)))


def _float(low: float, high: float, *, log: bool = False) -> FloatDistribution:
    return FloatDistribution(type="float", low=low, high=high, log=log)


def _int(low: int, high: int, *, log: bool = False) -> IntDistribution:
    return IntDistribution(type="int", low=low, high=high, log=log)


def _choice(*choices: Any) -> CategoricalDistribution:
    return CategoricalDistribution(type="categorical", choices=list(choices))


_TREES = {"num_rounds": 60, "early_stopping_rounds": 10}
_XGBOOST = Candidate(algorithm="xgboost", hyperparameters=_TREES)
_LIGHTGBM = Candidate(algorithm="lightgbm", hyperparameters=_TREES)
_FOREST = Candidate(algorithm="random_forest", hyperparameters={"num_trees": 30})
_MLP = Candidate(
    algorithm="mlp",
    hyperparameters={"epochs": 6},
    space={
        "hidden": _choice([16], [64], [64, 32], [64, 64, 64]),
        "dropout": _float(0.0, 0.6),
        "learning_rate": _float(1e-4, 0.1, log=True),
        "weight_decay": _float(1e-6, 0.3, log=True),
        "batch_size": _int(16, 128, log=True),
    },
)

TUNINGS = [
    Tuning(name="xgboost on breast cancer, 7 numbers", data="breast cancer", candidates=[_XGBOOST]),
    Tuning(name="lightgbm on diabetes, 7 numbers", data="diabetes", candidates=[_LIGHTGBM]),
    Tuning(name="random_forest on diabetes, 2 numbers, a choice", data="diabetes", candidates=[_FOREST]),
    Tuning(name="mlp on wine, 4 numbers, a choice", data="wine", candidates=[_MLP]),
    Tuning(
        name="one of 4 algorithms on breast cancer, conditional",
        data="breast cancer",
        candidates=[_XGBOOST, _LIGHTGBM, _FOREST, Candidate(algorithm="linear")],
    ),
]
