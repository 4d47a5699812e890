"""From a fit to a model as it will be served: its graph, checked against the framework and judged by itself."""

from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.reports import LearningCurve
from aimass_core.domain.signatures import Card, Evaluation, ExportCheck, Golden, Signature
from aimass_core.domain.training import LearningSpec
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.export_check import TOLERANCE, check_export, join_checks
from batch_jobs.evaluate.latency import measure_latency_ms
from batch_jobs.evaluate.metrics import evaluate, primary_metric
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.runtime.environment import Environment
from batch_jobs.train.export import export
from batch_jobs.train.fitting import Training
from batch_jobs.train.interface import build_golden, build_signature, choose_golden_rows
from batch_jobs.train.material import VALIDATION, Material, Part
from batch_jobs.train.notes import Notes

_FINEST = 4 * float(np.finfo(np.float32).eps) / TOLERANCE
_COMMON_LIBRARIES = ("scikit-learn", "onnx", "onnxruntime", "numpy", "pyarrow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A model and what is known of it before it is reported on.

    `validated` are the rows that judged it, and `validation_scores` the answers that it was judged by: those of the
    graph, or with k folds of the models that had not seen the row. `training` is None where it was made elsewhere.
    """

    spec: LearningSpec
    model: bytes
    signature: Signature
    scorer: Scorer
    golden: Golden
    card: Card
    validated: Part
    validation_scores: Array
    curves: tuple[LearningCurve, ...] = ()
    training: Training | None = None

    @property
    def train_spec(self) -> TrainSpec:
        """Of a model that was trained, not made of others."""
        assert isinstance(self.spec, TrainSpec)  # noqa: S101  as the docstring says
        return self.spec


def to_files(exported: Exported) -> dict[str, bytes]:
    """What serves a model, by name."""
    documents = {
        ArtifactName.SIGNATURE: exported.signature,
        ArtifactName.GOLDEN: exported.golden,
        ArtifactName.CARD: exported.card,
    }
    texts = {str(name): document.model_dump_json(indent=1).encode() for name, document in documents.items()}
    return {str(ArtifactName.MODEL): exported.model, **texts}


def export_training(
    training: Training, material: Material, spec: TrainSpec, *, seconds: float, environment: Environment, notes: Notes
) -> Exported:
    """Exports what was fitted in so many seconds.

    Raises:
        InternalError: The exported model does not repeat the trained one.
    """
    predictor = training.predictor
    model = export(predictor, material)
    signature = build_signature(material, predictor.encoder)
    scorer, scale = Scorer(model, signature), to_scale(material.target, training.train.truth)
    known = None if training.is_refitted else training.validation_scores
    check, scores = _check(scorer, training, material, framework=known, scale=scale)
    rows = choose_golden_rows(training.checked.sample(seed=spec.seed).frame, predictor.encoder.hard_rows)
    golden = build_golden(rows, predictor.predict(rows), scorer, signature, scale=scale)
    evaluation = training.evaluation
    if not training.is_refitted:
        evaluation = evaluate(VALIDATION, material.target, training.validated.truth, scores)
    card = _build_card(
        training,
        material,
        spec,
        evaluation=evaluation,
        check=check,
        num_bytes=len(model),
        latency_ms=measure_latency_ms(scorer, training.validated.frame),
        seconds=seconds,
        environment=environment,
        notes=notes,
    )
    return Exported(
        spec=spec,
        model=model,
        signature=signature,
        scorer=scorer,
        golden=golden,
        card=card,
        validated=training.validated,
        validation_scores=training.validation_scores if training.is_refitted else scores,
        curves=training.curves,
        training=training,
    )


def to_scale(target: Target, truth: Array) -> float:
    """What differences are measured in: probabilities as they are, values in deviations of the target.

    Where the deviation is tiny beside the values themselves, by what a float32 of that size can tell apart.
    """
    if target.labels:
        return 1.0
    return max(float(truth.std()), _FINEST * float(np.abs(truth).max()))


def _check(
    scorer: Scorer, training: Training, material: Material, *, framework: Array | None, scale: float
) -> tuple[ExportCheck, Array]:
    """Compares the graph's scores of the checked rows, which it returns, with the framework's."""
    part, target = training.checked, material.target
    checks: list[ExportCheck] = []
    found: list[Array] = []
    start = 0
    for batch in part.frame.batches():
        now = slice(start, start + batch.num_rows)
        answers = scorer.answer(batch)
        expected = training.predictor.predict(batch) if framework is None else framework[now]
        checks.append(check_export(part.name, framework=expected, exported=answers, target=target, scale=scale))
        found.append(answers.scores)
        start = now.stop
    return join_checks(checks), np.concatenate(found)


def _build_card(
    training: Training,
    material: Material,
    spec: TrainSpec,
    *,
    evaluation: Evaluation,
    check: ExportCheck,
    num_bytes: int,
    latency_ms: float,
    seconds: float,
    environment: Environment,
    notes: Notes,
) -> Card:
    name = primary_metric(material.target, evaluation.metrics)
    implementation = spec.resolve_algorithm().implementations[spec.resolve_framework()]
    libraries = (*_COMMON_LIBRARIES, *(("imbalanced-learn",) if spec.resample else ()))
    features: dict[str, Any] | None = None
    if training.features is not None:
        features = training.features.model_dump(mode="json", exclude_defaults=True)
    return Card(
        algorithm=spec.algorithm,
        framework=spec.resolve_framework(),
        task=material.target.task,
        target=material.target.column,
        hyperparameters=spec.resolve_hyperparameters().model_dump(mode="json") | dict(training.adapted),
        features=features,
        seed=spec.seed,
        dataset=environment.dataset,
        dataset_digest=environment.dataset_digest,
        num_train_rows=training.num_train_rows,
        is_refitted=training.is_refitted,
        evaluations=[evaluation],
        primary_metric=name,
        primary_value=evaluation.metrics[name],
        importances=[],
        export_check=check,
        model_bytes=num_bytes,
        latency_ms=latency_ms,
        training_seconds=round(seconds, 3),
        warnings=list(notes.texts),
        versions={name: metadata.version(name) for name in (*implementation.libraries, *libraries)},
    )
