"""What a job leaves of its model: the files of a model version, and the predictions of its channels."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.reports import Augmented, ModelReport
from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Card, Evaluation, Importance
from batch_jobs.data.frames import Array
from batch_jobs.evaluate.analysis.building import Judged, build_report
from batch_jobs.evaluate.importance import MAX_SECONDS, permutation_importances
from batch_jobs.evaluate.metrics import evaluate, primary_metric
from batch_jobs.evaluate.predictions import PredictionWriter
from batch_jobs.evaluate.report import write_report
from batch_jobs.evaluate.scoring import Answers, Scorer, to_answers
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.augmented import show_augmentation
from batch_jobs.train.exporting import Exported, to_files
from batch_jobs.train.material import TEST, Material, Part, Sample
from batch_jobs.train.notes import Notes

# A model is written, sent to the lake, and has its digest taken on the way: an ensemble of 91 MB took nine seconds.
SENT_BYTES_PER_SECOND = 12e6
_PERFECT, _LEFT_TO_OTHERS = 0.999, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """All that comes after the export: the test, importances, card and report."""

    environment: Environment
    material: Material
    exported: Exported
    reporter: Reporter
    notes: Notes
    samples: dict[str, Sample] = field(default_factory=dict)

    def run(self) -> dict[str, float]:
        """Leaves the job's files. Returns its metrics: those of the last channel, and of each under its name."""
        exported, path = self.exported, self.environment.model_path
        self.reporter.progress("evaluating")
        self._write_predictions(
            exported.validated,
            Answers(labels=self._labels(exported.validation_scores), scores=exported.validation_scores),
        )
        evaluations, shown, scores = self._judge(exported.scorer)
        importances = self._importances(exported.scorer)
        if (told_by := find_leak(evaluations[-1].metrics, importances)) is not None:
            self.notes(
                f"the model is as good as always right, and by the column {told_by!r} alone: where that is not known "
                "before what is to be predicted, train without it (exclude)"
            )
        card = self._complete(evaluations, importances)
        self.reporter.progress("reporting")
        path.mkdir(parents=True, exist_ok=True)
        for name, body in to_files(replace(exported, card=card)).items():
            (path / name).write_bytes(body)
        write_report(path, self._report(self._to_judged(shown, scores), card), card, exported.signature)
        return card.to_metrics()

    def _sample(self, part: Part) -> Sample:
        """Read once."""
        if part.name not in self.samples:
            self.samples[part.name] = part.sample(seed=self.exported.spec.seed)
        return self.samples[part.name]

    def _to_judged(self, part: Part, scores: Array) -> Judged:
        """What the report is about."""
        known = self._sample(part)
        scores = scores[known.index]
        return Judged(channel=part.name, frame=known.frame, rows=known.rows, truth=known.truth, scores=scores)

    def _report(self, judged: Judged, card: Card) -> ModelReport:
        training = self.exported.training
        return build_report(
            judged,
            card,
            self.exported.signature,
            curves=self.exported.curves,
            augmented=self._augmented(),
            resampled=training.resampled if training is not None else (),
        )

    def _augmented(self) -> Augmented | None:
        training = self.exported.training
        return None if training is None else show_augmentation(training, self.material, self.exported.train_spec)

    def _labels(self, scores: Array) -> Array | None:
        return None if self.material.target.labels is None else to_answers(scores, self.material.target)

    def _write_predictions(self, part: Part, answers: Answers) -> None:
        path = self.environment.output_path / f"{part.name}_predictions.parquet"
        with PredictionWriter(path, self.material.target) as writer:
            writer.write(rows=part.rows, truth=part.truth, answers=answers)

    def _judge(self, scorer: Scorer) -> tuple[list[Evaluation], Part, Array]:
        """The evaluations, and the last of the judged parts with the answers to it."""
        exported = self.exported
        if TEST not in self.material.parts:
            return exported.card.evaluations, exported.validated, exported.validation_scores
        part = self.material.parts[TEST]
        scores = np.concatenate([scorer.answer(batch).scores for batch in part.frame.batches()])
        self._write_predictions(part, Answers(labels=self._labels(scores), scores=scores))
        test = evaluate(TEST, self.material.target, part.truth, scores)
        return [*exported.card.evaluations, test], part, scores

    def _importances(self, scorer: Scorer) -> list[Importance]:
        is_wide_series = self.material.data_kind is DataKind.SERIES and not any(
            column.type is ColumnType.SERIES for column in self.material.columns
        )
        if self.material.kind is not DatasetKind.TABLE or is_wide_series:
            return []
        part = self.exported.validated
        if self.exported.card.is_refitted:
            part = self.material.parts.get(TEST, part)
            if part.name != TEST:
                self.notes("importances are measured on rows that the model was fitted on, as there are no others")
        known = self._sample(part)
        return permutation_importances(
            scorer,
            known.frame,
            target=self.material.target,
            truth=known.truth,
            seed=self.exported.spec.seed,
            message=self.notes,
            max_seconds=self._importance_seconds(),
        )

    def _importance_seconds(self) -> float:
        """At most half of what is left of the job."""
        deadline = self.environment.deadline
        if deadline is None:
            return MAX_SECONDS
        left = deadline - time.monotonic() - len(self.exported.model) / SENT_BYTES_PER_SECOND
        return max(0.0, min(MAX_SECONDS, left / 4))

    def _complete(self, evaluations: list[Evaluation], importances: list[Importance]) -> Card:
        """The card with what was found since the export."""
        final = evaluations[-1].metrics
        name = primary_metric(self.material.target, final)
        found = {
            "evaluations": evaluations,
            "primary_metric": name,
            "primary_value": final[name],
            "importances": importances,
            "warnings": list(dict.fromkeys([*self.exported.card.warnings, *self.notes.texts])),
        }
        return self.exported.card.model_copy(update=found)


def find_leak(metrics: Mapping[str, float], importances: Sequence[Importance]) -> str | None:
    """The column that alone makes a model perfect, where there are others."""
    is_perfect = max(metrics.get("roc_auc", 0.0), metrics.get("accuracy", 0.0), metrics.get("r2", 0.0)) >= _PERFECT
    if not is_perfect or len(importances) < 2:
        return None
    first, *others = importances
    return first.column if sum(max(each.mean, 0.0) for each in others) <= _LEFT_TO_OTHERS * first.mean else None


def write_validation_report(exported: Exported, path: Path) -> None:
    """report.html and report.json of a model by the rows that validated it, without what takes long to measure."""
    known = exported.validated.sample(seed=exported.spec.seed)
    judged = Judged(
        channel=exported.validated.name,
        frame=known.frame,
        rows=known.rows,
        truth=known.truth,
        scores=exported.validation_scores[known.index],
    )
    path.mkdir(parents=True, exist_ok=True)
    report = build_report(judged, exported.card, exported.signature, curves=exported.curves)
    write_report(path, report, exported.card, exported.signature)
