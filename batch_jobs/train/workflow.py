"""A training job from its channels to its artifacts."""

import time
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.reports import Report
from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Card, Evaluation, ExportCheck, Importance, Signature
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.data.frames import Array
from batch_jobs.evaluate.analysis.building import Judged, build_report
from batch_jobs.evaluate.export_check import TOLERANCE, check_export, join_checks
from batch_jobs.evaluate.importance import MAX_SECONDS, permutation_importances
from batch_jobs.evaluate.metrics import evaluate, primary_metric
from batch_jobs.evaluate.predictions import PredictionWriter
from batch_jobs.evaluate.report import write_report
from batch_jobs.evaluate.scoring import Answers, Scorer, to_answers
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.augmented import show_augmentation
from batch_jobs.train.budget import begin_budget
from batch_jobs.train.checkpoints import CheckpointPlace
from batch_jobs.train.export import export
from batch_jobs.train.feature_choice import train_with_features
from batch_jobs.train.fitting import Training
from batch_jobs.train.forecasting import load_forecast
from batch_jobs.train.interface import build_golden, build_signature
from batch_jobs.train.material import TEST, Material, Part, Sample, in_memory, load_material, read_channels
from batch_jobs.train.notes import Notes

_FINEST = 4 * float(np.finfo(np.float32).eps) / TOLERANCE
_COMMON_LIBRARIES = ("scikit-learn", "onnx", "onnxruntime", "numpy", "pyarrow")


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """Trains as `environment.spec` says.

    Leaves model.onnx, signature.json, golden.json, card.json, report.html and report.json in `model_path`, and the
    predictions of the validation and test channels in `output_path`.

    A machine that is not the main one of several takes part in the fits, and leaves nothing.

    Returns:
        The metrics of the test channel, or where there is none of the validation; those of each channel also under
        `validation/<name>` and `test/<name>`.

    Raises:
        InvalidRequestError, InvalidDataError: What was asked for cannot be done with this data.
        InternalError: The exported model does not repeat the trained one.
    """
    spec = environment.spec
    if not isinstance(spec, TrainSpec):
        raise InvalidRequestError(f"a {spec.kind} job cannot be trained")
    # A container may be started without the API.
    spec.check()
    notes, began = Notes(reporter), time.monotonic()
    reporter.progress("reading")
    channels = read_channels(environment, spec, notes)
    material = (
        load_forecast(in_memory(channels), spec, notes)
        if spec.horizon
        else load_material(channels, environment, spec, notes)
    )
    started = time.monotonic()
    budget = begin_budget(environment.deadline, reading_seconds=started - began)
    learner = build_learner(spec)
    training = train_with_features(
        material,
        learner,
        spec,
        num_threads=environment.num_cpus,
        reporter=reporter,
        notes=notes,
        checkpoints=CheckpointPlace(
            path=environment.checkpoint_path,
            job=environment.job,
            interval_seconds=spec.checkpoint_seconds,
            message=notes,
            is_kept=environment.cluster.is_main,
        ),
        budget=budget,
        cluster=environment.cluster,
        scratch_path=environment.base_path / "scratch",
    )
    if not environment.cluster.is_main:
        return {}
    return _Finish(
        environment=environment,
        spec=spec,
        material=material,
        training=training,
        training_seconds=time.monotonic() - started,
        reporter=reporter,
        notes=notes,
    ).run()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finish:
    """All that comes after the fit: export, checks, evaluation, card and report."""

    environment: Environment
    spec: TrainSpec
    material: Material
    training: Training
    training_seconds: float
    reporter: Reporter
    notes: Notes
    samples: dict[str, Sample] = field(default_factory=dict)

    def run(self) -> dict[str, float]:
        self.reporter.progress("exporting")
        training, predictor = self.training, self.training.predictor
        model = export(predictor, self.material)
        signature = build_signature(self.material, predictor.encoder)
        scorer = Scorer(model, signature)
        if self.spec.folds is None:
            check, _ = self._answer(scorer, training.checked, framework=training.validation_scores)
        else:
            check, _ = self._answer(scorer, training.checked, has_predictions=False)
            self._write_fold_predictions()
        golden = build_golden(self._sample(training.checked).frame, predictor, scorer, signature, scale=self._scale())
        self.reporter.progress("evaluating")
        evaluations, shown, scores = self._judge(scorer)
        card = self._card(evaluations, check, self._importances(scorer), num_bytes=len(model))
        self.reporter.progress("reporting")
        path = self.environment.model_path
        path.mkdir(parents=True, exist_ok=True)
        (path / ArtifactName.MODEL).write_bytes(model)
        documents = {ArtifactName.SIGNATURE: signature, ArtifactName.GOLDEN: golden, ArtifactName.CARD: card}
        for name, document in documents.items():
            (path / name).write_text(document.model_dump_json(indent=1), encoding="utf-8")
        write_report(path, self._report(self._to_judged(shown, scores), card, signature), card, signature)
        return _final_metrics(evaluations)

    def _sample(self, part: Part) -> Sample:
        """Read once."""
        if part.name not in self.samples:
            self.samples[part.name] = part.sample(seed=self.spec.seed)
        return self.samples[part.name]

    def _to_judged(self, part: Part, scores: Array) -> Judged:
        """What the report is about."""
        known = self._sample(part)
        scores = scores[known.index]
        return Judged(channel=part.name, frame=known.frame, rows=known.rows, truth=known.truth, scores=scores)

    def _report(self, judged: Judged, card: Card, signature: Signature) -> Report:
        return build_report(
            judged,
            card,
            signature,
            curves=self.training.curves,
            augmented=show_augmentation(self.training, self.material, self.spec),
            resampled=self.training.resampled,
        )

    def _scale(self) -> float:
        """What differences are measured in: probabilities as they are, values in deviations of the target.

        Where the deviation is tiny beside the values themselves, by what a float32 of that size can tell apart.
        """
        if self.material.target.labels:
            return 1.0
        truth = self.training.train.truth
        return max(float(truth.std()), _FINEST * float(np.abs(truth).max()))

    def _answer(
        self, scorer: Scorer, part: Part, *, framework: Array | None = None, has_predictions: bool = True
    ) -> tuple[ExportCheck, Array]:
        """Compares the graph's scores of a part, which it returns, with the framework's; writes the predictions."""
        checks: list[ExportCheck] = []
        found: list[Array] = []
        rows = part.rows
        start, scale, target = 0, self._scale(), self.material.target
        with self._predictions(part) as writer:
            for batch in part.frame.batches():
                now = slice(start, start + batch.num_rows)
                answers = scorer.answer(batch)
                expected = self.training.predictor.predict(batch) if framework is None else framework[now]
                checks.append(check_export(part.name, framework=expected, exported=answers, target=target, scale=scale))
                if has_predictions:
                    writer.write(rows=rows[now], truth=part.truth[now], answers=answers)
                found.append(answers.scores)
                start = now.stop
        return join_checks(checks), np.concatenate(found)

    def _predictions(self, part: Part) -> PredictionWriter:
        path = self.environment.output_path / f"{part.name}_predictions.parquet"
        return PredictionWriter(path, self.material.target)

    def _write_fold_predictions(self) -> None:
        """Every row by the model of the fold that had not seen it."""
        part, scores, target = self.training.validated, self.training.validation_scores, self.material.target
        chosen = None if target.labels is None else to_answers(scores, target)
        with self._predictions(part) as writer:
            writer.write(rows=part.rows, truth=part.truth, answers=Answers(labels=chosen, scores=scores))

    def _judge(self, scorer: Scorer) -> tuple[list[Evaluation], Part, Array]:
        """The evaluations, and the last of the judged parts with the answers to it."""
        validation = self.training.evaluation
        if TEST not in self.material.parts:
            return [validation], self.training.validated, self.training.validation_scores
        part = self.material.parts[TEST]
        _, scores = self._answer(scorer, part)
        test = evaluate(TEST, self.material.target, part.truth, scores)
        return [validation, test], part, scores

    def _importances(self, scorer: Scorer) -> list[Importance]:
        is_wide_series = self.material.data_kind is DataKind.SERIES and not any(
            column.type is ColumnType.SERIES for column in self.material.columns
        )
        if self.material.kind is not DatasetKind.TABLE or is_wide_series:
            return []
        part = self.training.validated
        if self.spec.folds:
            part = self.material.parts.get(TEST, part)
            if part.name != TEST:
                self.notes("importances are measured on rows that the model was fitted on, as folds leave no others")
        known = self._sample(part)
        return permutation_importances(
            scorer,
            known.frame,
            target=self.material.target,
            truth=known.truth,
            seed=self.spec.seed,
            message=self.notes,
            max_seconds=self._importance_seconds(),
        )

    def _importance_seconds(self) -> float:
        """At most half of what is left of the job."""
        deadline = self.environment.deadline
        return MAX_SECONDS if deadline is None else max(0.0, min(MAX_SECONDS, (deadline - time.monotonic()) / 4))

    def _card(
        self, evaluations: list[Evaluation], check: ExportCheck, importances: list[Importance], *, num_bytes: int
    ) -> Card:
        final = evaluations[-1].metrics
        name = primary_metric(self.material.target, final)
        implementation = self.spec.resolve_algorithm().implementations[self.spec.resolve_framework()]
        libraries = (*_COMMON_LIBRARIES, *(("imbalanced-learn",) if self.spec.resample else ()))
        return Card(
            algorithm=self.spec.algorithm,
            framework=self.spec.resolve_framework(),
            task=self.material.target.task,
            target=self.material.target.column,
            hyperparameters=self.spec.resolve_hyperparameters().model_dump(mode="json"),
            features=self._features(),
            seed=self.spec.seed,
            dataset=self.environment.dataset,
            dataset_digest=self.environment.dataset_digest,
            num_train_rows=self.training.num_train_rows,
            evaluations=evaluations,
            primary_metric=name,
            primary_value=final[name],
            importances=importances,
            export_check=check,
            model_bytes=num_bytes,
            training_seconds=round(self.training_seconds, 3),
            warnings=list(self.notes.texts),
            versions={name: metadata.version(name) for name in (*implementation.libraries, *libraries)},
        )

    def _features(self) -> dict[str, Any] | None:
        features = self.training.features
        return None if features is None else features.model_dump(mode="json", exclude_defaults=True)


def _final_metrics(evaluations: list[Evaluation]) -> dict[str, float]:
    by_channel = {f"{found.channel}/{name}": value for found in evaluations for name, value in found.metrics.items()}
    return dict(evaluations[-1].metrics) | by_channel
