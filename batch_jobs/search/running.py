"""Carries out a trial: one training, its export, and what the exported model is worth."""

import time
from dataclasses import dataclass, replace
from typing import Any

from aimass_core.domain.features import FeatureSpec
from aimass_core.domain.jobs import TrainSpec
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.evaluate.latency import measure_latency_ms
from batch_jobs.runtime.environment import Environment
from batch_jobs.search.goals import Figures
from batch_jobs.search.materials import Materials
from batch_jobs.search.watching import LeftError, Watch
from batch_jobs.train.budget import Budget
from batch_jobs.train.checkpoints import CheckpointPlace
from batch_jobs.train.exporting import Exported, export_training
from batch_jobs.train.feature_choice import train_with_features
from batch_jobs.train.fitting import Fitting, Training
from batch_jobs.train.material import Material
from batch_jobs.train.notes import Notes

_MIN_CPU_SECONDS = 0.05
_NO_CHECKPOINTS_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a trial."""

    exported: Exported
    figures: Figures
    seconds: float
    export_seconds: float
    """Of these, what came after the fit."""
    slowness: float
    """What that took, of what it takes on a machine that does nothing else; 1 or more."""
    num_steps: int
    is_short_of_time: bool


class TrialRunner:
    """Of one worker; its trials share what was read."""

    def __init__(self, environment: Environment, materials: Materials, *, wants_accuracy: bool = False) -> None:
        """`wants_accuracy`: see `FitContext`."""
        self._environment, self.materials, self._wants_accuracy = environment, materials, wants_accuracy

    def run(self, spec: TrainSpec, watch: Watch, *, deadline: float | None) -> Outcome:
        """Trains until the deadline at the latest.

        Raises:
            LeftError: the watch ended it.
            Exception: whatever a training raises.
        """
        spec.check()
        began, notes = time.monotonic(), Notes(watch)
        material = self.materials.find(spec)
        training = train_with_features(
            material,
            build_learner(spec),
            spec,
            on_fold=watch.fold,
            **self._surroundings(watch, notes, deadline=deadline),
        )
        if watch.is_over():
            raise LeftError
        return self._export(training, material, spec, watch, notes, began=began)

    def refit(self, exported: Exported, num_steps: int, watch: Watch, *, deadline: float | None) -> Outcome | None:
        """The model of a trial, fitted on all rows in so many steps; judged as it was. None: there was no time."""
        card, began, notes = exported.card, time.monotonic(), Notes(watch)
        spec = exported.train_spec.model_copy(update={"hyperparameters": card.hyperparameters, "refit": True})
        material = self.materials.find(spec)
        features = None if card.features is None else FeatureSpec.model_validate(card.features)
        surroundings = self._surroundings(watch, notes, deadline=deadline)
        fitting = Fitting(material, build_learner(spec), spec, features=features, **surroundings)
        found = fitting.fit_all_rows(num_steps)
        if found is None:
            return None
        predictor, whole = found
        training = Training(
            predictor=predictor,
            num_train_rows=whole.num_rows,
            train=whole,
            checked=whole,
            validated=exported.validated,
            validation_scores=exported.validation_scores,
            evaluation=card.evaluations[0],
            curves=exported.curves,
            features=features,
            resampled=fitting.resampled,
            is_refitted=True,
        )
        outcome = self._export(training, material, spec, watch, notes, began=began)
        before = {
            "warnings": list(dict.fromkeys([*card.warnings, *notes.texts])),
            "training_seconds": round(card.training_seconds + outcome.exported.card.training_seconds, 3),
        }
        told = outcome.exported.card.model_copy(update=before)
        return replace(outcome, exported=replace(outcome.exported, card=told))

    def _surroundings(self, watch: Watch, notes: Notes, *, deadline: float | None) -> dict[str, Any]:
        """Of a fit."""
        environment = self._environment
        scratch_path = environment.base_path / "scratch"
        return {
            "num_threads": environment.num_cpus,
            "reporter": watch,
            "notes": notes,
            "checkpoints": CheckpointPlace(
                path=scratch_path / "no-checkpoints",
                job=environment.job,
                interval_seconds=_NO_CHECKPOINTS_SECONDS,
                message=notes,
                is_kept=False,
            ),
            "budget": Budget(deadline=deadline, is_ended=watch.is_over),
            "cluster": environment.cluster,
            "scratch_path": scratch_path,
            "wants_accuracy": self._wants_accuracy,
        }

    def _export(
        self, training: Training, material: Material, spec: TrainSpec, watch: Watch, notes: Notes, *, began: float
    ) -> Outcome:
        watch.progress("exporting")
        seconds, cpu_began = time.monotonic() - began, time.process_time()
        exported = export_training(
            training, material, spec, seconds=seconds, environment=self._environment, notes=notes
        )
        figures, total = measure(exported), time.monotonic() - began
        cpu_seconds = time.process_time() - cpu_began
        return Outcome(
            exported=exported,
            figures=figures,
            seconds=total,
            export_seconds=total - seconds,
            slowness=max((total - seconds) / max(cpu_seconds, _MIN_CPU_SECONDS), 1.0),
            num_steps=max(training.predictor.fitted.num_steps, 1),
            is_short_of_time=training.is_short_of_time,
        )


def measure(exported: Exported) -> Figures:
    """What the model is worth as it would be served."""
    # NOTE: what an earlier release has archived knows no latency.
    known = exported.card.latency_ms
    return Figures(
        metrics=dict(exported.card.evaluations[0].metrics),
        latency_ms=measure_latency_ms(exported.scorer, exported.validated.frame) if known is None else known,
        model_bytes=len(exported.model),
    )
