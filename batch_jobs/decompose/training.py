"""Trains the parts of a decomposition as any model is trained, and describes those that have no algorithm of ours."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

from aimass_core.domain.decomposition import DecomposeSpec, PartSpec
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.schemas import Column
from aimass_core.domain.signatures import Card
from aimass_core.domain.training import LearningSpec
from batch_jobs.algorithms.learning import Fitted
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.data.frames import Frame
from batch_jobs.data.targets import Target, fit_scale
from batch_jobs.decompose.parts import PartModel
from batch_jobs.encoding.choice import fit_encoder
from batch_jobs.encoding.contract import Encoder
from batch_jobs.registered.results import describe
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.budget import Budget
from batch_jobs.train.checkpoints import CheckpointPlace
from batch_jobs.train.export import export
from batch_jobs.train.exporting import export_training
from batch_jobs.train.fitting import Fitting, Predictor
from batch_jobs.train.interface import build_signature
from batch_jobs.train.material import TRAIN, VALIDATION, Material, Part
from batch_jobs.train.notes import Notes

_MIN_VALIDATION_ROWS = 20
_LIBRARIES = ("onnx", "onnxruntime", "numpy")


def to_train_spec(spec: DecomposeSpec, part: PartSpec) -> TrainSpec:
    """What a part is trained as, on the same data."""
    known = spec.model_dump(mode="json", include={*LearningSpec.model_fields})
    return TrainSpec.model_validate({**known, **part.model_dump(mode="json")})


@dataclass(slots=True, kw_only=True)
class Trainer:
    """Of one job. Experts, and a gate of the same kind, share the `encoder`, which has seen all training rows."""

    environment: Environment
    spec: DecomposeSpec
    material: Material
    expert: PartSpec
    gate: PartSpec
    encoder: Encoder
    reporter: Reporter
    notes: Notes
    deadline: float | None = None
    """Until when the parts of the whole at hand have to be trained."""
    num_fits_left: int = 1
    """Of the whole at hand."""
    label: str = ""
    """Tells the fits of a job apart, also when it goes on after an interruption."""

    def begin(self, label: str, *, num_fits: int, deadline: float | None) -> None:
        """What is trained now is of another whole."""
        self.label, self.num_fits_left, self.deadline = label, num_fits, deadline

    def train(
        self,
        name: str,
        target: Target,
        train: Part,
        validation: Part,
        *,
        is_gate: bool = False,
        instead: PartSpec | None = None,
        columns: Sequence[Column] | None = None,
        encoder: Encoder | None = None,
    ) -> PartModel:
        """By the algorithm of experts, or of the gate.

        Args:
            name: Of the part.
            target: Its own.
            train: Its rows, with the truth of its own target.
            validation: Likewise. Where they are few, some of the others take their place.
            is_gate: It is the gate.
            instead: What it is trained as, where not as the experts.
            columns: It reads these alone, by an encoder of its own.
            encoder: Its own, fitted already.
        """
        began, part = time.monotonic(), instead or (self.gate if is_gate else self.expert)
        notes = Notes(_Silent())
        spec = to_train_spec(self.spec, part).model_copy(update={"task": None})
        parts = {TRAIN: train}
        if validation.num_rows >= _MIN_VALIDATION_ROWS:
            parts[VALIDATION] = validation
        material = replace(
            self.material, target=target, columns=self.material.columns if columns is None else columns, parts=parts
        )
        if encoder is None and columns is None and self._reads_alike(spec):
            encoder = self.encoder
        environment = self.environment
        fitting = Fitting(
            material,
            build_learner(spec),
            spec,
            features=None,
            num_threads=environment.num_cpus,
            reporter=self.reporter,
            notes=notes,
            checkpoints=CheckpointPlace.of_job(environment, message=self.notes),
            budget=Budget(deadline=self.deadline),
            cluster=environment.cluster,
            scratch_path=environment.base_path / "scratch",
            suffix=f", {self.label} {name}".rstrip(),
            num_fits_after=max(self.num_fits_left - 1, 0),
            encoder=encoder,
        )
        training = fitting.run()
        self.num_fits_left = max(self.num_fits_left - 1, 1)
        if training.is_short_of_time:
            # Once of each whole, as a note is told once.
            self.notes(f"{self.label}: its time was up before all of it was trained as long as it was to be")
        exported = export_training(
            training, material, spec, seconds=time.monotonic() - began, environment=environment, notes=notes
        )
        return PartModel(exported=exported, predictor=training.predictor, target=target, num_train_rows=train.num_rows)

    def describe(
        self,
        fitted: Fitted,
        target: Target,
        train: Part,
        validation: Part,
        *,
        algorithm: str,
        framework: str,
        hyperparameters: Mapping[str, Any],
        seconds: float = 0.0,
    ) -> PartModel:
        """What was fitted otherwise, checked and described as any model. It is behind the encoder that parts share."""
        predictor = Predictor(
            fitted=fitted, encoder=self.encoder, scale=fit_scale(target, train.truth), labels=target.labels
        )
        judged = validation if validation.num_rows else replace(train, name=VALIDATION)
        material = replace(self.material, target=target, parts={TRAIN: train, VALIDATION: judged})
        environment = self.environment
        card = Card(
            algorithm=algorithm,
            framework=framework,
            task=target.task,
            target=target.column,
            hyperparameters=dict(hyperparameters),
            seed=self.spec.seed,
            dataset=environment.dataset,
            dataset_digest=environment.dataset_digest,
            num_train_rows=train.num_rows,
            evaluations=[],
            model_bytes=0,
            training_seconds=round(seconds, 3),
            versions={name: metadata.version(name) for name in _LIBRARIES},
        )
        exported = describe(
            export(predictor, material),
            build_signature(material, self.encoder),
            material,
            data=self.spec,
            card=card,
            expected=predictor.predict,
        )
        return PartModel(exported=exported, predictor=predictor, target=target, num_train_rows=train.num_rows)

    def _reads_alike(self, spec: TrainSpec) -> bool:
        """Whether an algorithm's features are those of the experts."""
        kind, own = self.material.data_kind, to_train_spec(self.spec, self.expert)
        readings = [
            {name: getattr(found.resolve_hyperparameters(), name, None) for name in ("max_words", "max_tokens")}
            for found in (spec, own)
        ]
        return kind in spec.resolve_algorithm().kinds and readings[0] == readings[1]


class _Silent:
    """A part's own notes are on its card; those of the whole job are told."""

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter."""

    def message(self, text: str) -> None:
        """See Reporter."""


def fit_shared_encoder(material: Material, spec: TrainSpec) -> Encoder:
    """On all training rows."""
    frame = material.parts[TRAIN].frame
    assert isinstance(frame, Frame)  # noqa: S101  rows are in memory
    return fit_encoder(
        material.data_kind,
        frame,
        material.columns,
        targets=material.parts[TRAIN].truth,
        hyperparameters=spec.resolve_hyperparameters(),
        image_shape=material.image_shape,
        window=spec.num_window_rows if material.target.horizon else None,
    )
