"""Carries out a trial: one training, its export, and what the exported model is worth."""

import time
from dataclasses import dataclass

import numpy as np

from aimass_core.domain.jobs import TrainSpec
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.evaluate.scoring import Scorer, to_inputs
from batch_jobs.runtime.environment import Environment
from batch_jobs.search.goals import Figures
from batch_jobs.search.materials import Materials
from batch_jobs.search.watching import Watch
from batch_jobs.train.budget import Budget
from batch_jobs.train.checkpoints import CheckpointPlace
from batch_jobs.train.exporting import Exported, export_training
from batch_jobs.train.feature_choice import train_with_features
from batch_jobs.train.material import Part
from batch_jobs.train.notes import Notes

_WARM_UP_RUNS, _MAX_RUNS, _MAX_MEASURED_SECONDS = 5, 200, 0.3
_NO_CHECKPOINTS_SECONDS = 86_400.0


class LeftError(Exception):
    """The fit was ended because its outcome is not wanted: the watch says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a trial."""

    exported: Exported
    figures: Figures
    seconds: float
    export_seconds: float
    """Of these, what came after the fit."""


class TrialRunner:
    """Of one worker; its trials share what was read."""

    def __init__(self, environment: Environment, materials: Materials) -> None:
        self._environment, self.materials = environment, materials

    def run(self, spec: TrainSpec, watch: Watch, *, deadline: float | None) -> Outcome:
        """Trains until the deadline at the latest.

        Raises:
            LeftError: the watch ended it.
            Exception: whatever a training raises.
        """
        spec.check()
        environment, began, notes = self._environment, time.monotonic(), Notes(watch)
        material = self.materials.find(spec)
        scratch_path = environment.base_path / "scratch"
        training = train_with_features(
            material,
            build_learner(spec),
            spec,
            num_threads=environment.num_cpus,
            reporter=watch,
            notes=notes,
            checkpoints=CheckpointPlace(
                path=scratch_path / "no-checkpoints",
                job=environment.job,
                interval_seconds=_NO_CHECKPOINTS_SECONDS,
                message=notes,
                is_kept=False,
            ),
            budget=Budget(deadline=deadline, is_ended=watch.is_over),
            cluster=environment.cluster,
            scratch_path=scratch_path,
        )
        if watch.is_over():
            raise LeftError
        watch.progress("exporting")
        seconds = time.monotonic() - began
        exported = export_training(training, material, spec, seconds=seconds, environment=environment, notes=notes)
        figures, total = measure(exported), time.monotonic() - began
        return Outcome(exported=exported, figures=figures, seconds=total, export_seconds=total - seconds)


def measure(exported: Exported) -> Figures:
    """What the model is worth as it would be served."""
    return Figures(
        metrics=dict(exported.card.evaluations[0].metrics),
        latency_ms=measure_latency_ms(exported.scorer, exported.validated),
        model_bytes=len(exported.model),
    )


def measure_latency_ms(scorer: Scorer, part: Part) -> float:
    """Of one row on one thread of ONNX Runtime, the median."""
    first = part.frame.take(np.array([0]))
    inputs = to_inputs(next(iter(first.batches())), scorer.signature)
    found: list[float] = []
    ends = time.perf_counter() + _MAX_MEASURED_SECONDS
    while len(found) < _WARM_UP_RUNS + _MAX_RUNS and (len(found) <= _WARM_UP_RUNS or time.perf_counter() < ends):
        began = time.perf_counter()
        scorer.run(inputs)
        found.append(time.perf_counter() - began)
    return round(float(np.median(found[_WARM_UP_RUNS:])) * 1000, 4)
