"""What configurations are worth on one data set: trained as a job trains them, judged on rows that none of them saw."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optuna.samplers import RandomSampler
from threadpoolctl import threadpool_limits

from aimass_core.domain.signatures import Task
from aimass_core.domain.study_specs import Candidate
from aimass_core.domain.training import TrainSpec
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.data.splits import hold_out
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER, evaluate, primary_metric
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.environment import Environment
from batch_jobs.search.portfolio import Configuration
from batch_jobs.search.portfolio.data_sets import TARGET, DataSet
from batch_jobs.search.space import StudySpace
from batch_jobs.train.budget import Budget
from batch_jobs.train.checkpoints import CheckpointPlace
from batch_jobs.train.fitting import Fitting
from batch_jobs.train.material import TEST, TRAIN, Material, load_material
from batch_jobs.train.notes import Notes

_TEST_FRACTION = 0.3
# One split of few rows says little.
_FEW_ROWS, _NUM_SPLITS_OF_FEW = 800, 2


def draw_configurations(algorithm: str, count: int, *, seed: int) -> list[Configuration]:
    """The algorithm's default, and draws from its search space, to three digits."""
    space, study = StudySpace([Candidate(algorithm=algorithm)]), optuna.create_study(sampler=RandomSampler(seed=seed))
    draws = [space.suggest(study.ask())[1] for _ in range(count - 1)]
    rounded = [
        {name: float(f"{value:.3g}") if isinstance(value, float) else value for name, value in draw.items()}
        for draw in draws
    ]
    return [Configuration(algorithm, {}), *(Configuration(algorithm, each) for each in rounded)]


def measure(data: DataSet, configurations: Sequence[Configuration], *, seed: int) -> list[float]:
    """The error of each on held-out rows, the mean of several splits where there are few: the primary metric, or what
    it lacks to 1. To six digits."""
    num_splits = _NUM_SPLITS_OF_FEW if len(data.frame) < _FEW_ROWS else 1
    with threadpool_limits(1):
        splits = [_measure_split(data, configurations, seed=seed + number) for number in range(num_splits)]
    return [round(float(np.mean(errors)), 6) for errors in zip(*splits, strict=True)]


def _measure_split(data: DataSet, configurations: Sequence[Configuration], *, seed: int) -> list[float]:
    truth = data.frame[TARGET]
    classes = None if data.task is Task.REGRESSION else np.unique(truth.map(str), return_inverse=True)[1]
    split = hold_out(len(truth), classes=classes, fraction=_TEST_FRACTION, seed=seed)
    channels = {TRAIN: data.to_channel(TRAIN, split.train), TEST: data.to_channel(TEST, split.validation)}
    specs = [
        TrainSpec(dataset=data.name, algorithm=algorithm, hyperparameters=hyperparameters, task=data.task, seed=seed)
        for algorithm, hyperparameters in configurations
    ]
    with tempfile.TemporaryDirectory() as folder:
        material = load_material(channels, _environment(Path(folder), specs[0]), specs[0], Notes(_Silent()))
        # A folder for each: a fit goes on from the checkpoints that it finds.
        return [_error(material, spec, Path(folder) / str(number)) for number, spec in enumerate(specs)]


def _error(material: Material, spec: TrainSpec, path: Path) -> float:
    silent = _Silent()
    training = Fitting(
        material,
        build_learner(spec),
        spec,
        features=None,
        num_threads=1,
        reporter=silent,
        notes=Notes(silent),
        checkpoints=CheckpointPlace(path=path, job="portfolio", interval_seconds=3600, message=silent.message),
        budget=Budget(deadline=None),
        cluster=Cluster(),
        scratch_path=path,
    ).run()
    test = material.parts[TEST]
    metrics = evaluate(TEST, material.target, test.truth, training.predictor.predict(test.frame)).metrics
    name = primary_metric(material.target, metrics)
    return metrics[name] if name in LOWER_IS_BETTER else 1 - metrics[name]


def _environment(path: Path, spec: TrainSpec) -> Environment:
    return Environment(
        base_path=path,
        channels={},
        model_path=path,
        output_path=path,
        checkpoint_path=path,
        spec=spec,
        attempt=1,
        num_cpus=1,
        num_gpus=0,
        cluster=Cluster(),
    )


@dataclass(frozen=True, slots=True)
class _Silent:
    """Satisfies `Reporter`."""

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter."""

    def message(self, text: str) -> None:
        """See Reporter."""
