"""Fits: hold-out or k-fold, with the encoding learned from the training rows of each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.features import FeatureSpec
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.reports import LearningCurve, ResampledClass
from aimass_core.domain.signatures import Evaluation, Task
from aimass_core.domain.training import LearningSpec
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Examples, FitContext, Fitted, Learner, Problem
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.labels import rarest_labels
from batch_jobs.data.maps import blocks, write_map
from batch_jobs.data.splits import Split, hold_out, k_folds
from batch_jobs.data.stored import StoredFrame
from batch_jobs.data.targets import TargetScale, fit_scale
from batch_jobs.encoding.choice import fit_encoder
from batch_jobs.encoding.contract import Encoder
from batch_jobs.encoding.features.categories import Truth
from batch_jobs.encoding.features.fitting import fit_features
from batch_jobs.evaluate.metrics import evaluate, primary_metric
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.budget import Budget, Share
from batch_jobs.train.checkpoints import CheckpointPlace, Points
from batch_jobs.train.material import TRAIN, VALIDATION, Material, Part, Sample
from batch_jobs.train.notes import Notes
from batch_jobs.train.resampling import resample

OnFold = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """A fitted model with the encoder that it was fitted behind."""

    fitted: Fitted
    encoder: Encoder
    scale: TargetScale
    labels: tuple[str, ...] | None

    def predict(self, frame: Frame | StoredFrame) -> NDArray[np.float32]:
        """The framework's own answer: probabilities [rows, classes], or values [rows]."""
        return self.answer(self.encoder.transform(batch) for batch in frame.batches())

    def answer(self, parts: Iterable[Array]) -> NDArray[np.float32]:
        """The same of features, which come in parts."""
        found = [self.fitted.predict(features) for features in parts]
        scores = np.concatenate(found) if len(found) > 1 else found[0]
        return scores if self.labels else self.scale.to_values(scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The outcome of fitting.

    `checked` are the rows on which the export has to repeat the framework: the validation channel, or all rows where
    the model `is_refitted`. `validated` are the rows that were judged and `validation_scores` the answers they were
    judged by: those of the model itself, or where it is refitted those of a fit that had not seen the row.
    """

    predictor: Predictor
    num_train_rows: int
    train: Part
    checked: Part
    validated: Part
    validation_scores: Array
    evaluation: Evaluation
    curves: tuple[LearningCurve, ...]
    features: FeatureSpec | None
    """How the columns were made into features; None: plainly."""
    resampled: tuple[ResampledClass, ...]
    """Of the fit of the model."""
    adapted: Mapping[str, Any] = field(default_factory=dict)
    """Hyperparameters that are others than were asked for, as the fit was to end in time."""
    is_short_of_time: bool = False
    """With more time there would have been more steps, or smaller ones."""
    is_refitted: bool = False
    """It was fitted on all rows, those that judge included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfFold:
    """What the fits of all folds answered: `scores` of all rows, NaN of those that no fold judges, with the `rows`,
    the `steps` and the `evaluations` of each fold."""

    scores: Array
    rows: Sequence[Array]
    steps: Sequence[int]
    evaluations: Sequence[Evaluation]

    @property
    def judged(self) -> Array:
        """Those that a fold judges, in order."""
        return np.sort(np.concatenate(self.rows))


@dataclass(frozen=True, slots=True)
class _FitListener:
    """Passes on how one fit goes, and keeps the points of its curves."""

    label: str
    reporter: Reporter
    notes: Notes
    points: Points
    deviation: float
    """A regression's losses come in units of it, and are shown in the target's own."""

    def step(self, step: int, num_steps: int, losses: Mapping[str, float]) -> None:
        shown = {name: loss * self.deviation if name.endswith("/rmse") else loss for name, loss in losses.items()}
        self.reporter.progress(self.label, step=step, num_steps=num_steps)
        self.reporter.metrics(step, shown)
        for name, value in shown.items():
            points = self.points.setdefault(name, [])
            while points and points[-1][0] >= step:
                points.pop()  # a resumed fit repeats what came after its checkpoint
            points.append((step, value))

    def message(self, text: str) -> None:
        self.notes(text)


def num_fits(spec: TrainSpec) -> int:
    """Of one fitting: one for each fold, and that of the model."""
    return spec.folds + 1 if spec.folds else 1


def refit_share(material: Material, spec: TrainSpec) -> float:
    """What a fit on all rows takes, where that without validation rows takes 1."""
    if not spec.refit:
        return 0.0
    train, validation = hold_out_rows(material, spec)
    return (train.num_rows + validation.num_rows) / train.num_rows


class Fitting:
    """Carries out the fits of one job."""

    def __init__(
        self,
        material: Material,
        learner: Learner,
        spec: TrainSpec,
        *,
        features: FeatureSpec | None,
        num_threads: int,
        reporter: Reporter,
        notes: Notes,
        checkpoints: CheckpointPlace,
        budget: Budget,
        cluster: Cluster,
        scratch_path: Path,
        suffix: str = "",
        num_fits_after: float = 0,
        encoder: Encoder | None = None,
        on_fold: OnFold | None = None,
        wants_accuracy: bool = False,
    ) -> None:
        """`suffix` tells the fits of several fittings of one job apart; `num_fits_after` of them follow this one's, a
        larger fit counting more. `encoder`: one that is fitted already, which several models share. `on_fold` hears
        what each fold is worth, and may end it all by raising. `wants_accuracy`: see `FitContext`."""
        self._material = material
        self._learner = learner
        self._spec = spec
        self._features = features
        self._encoder = encoder
        self._on_fold = on_fold
        self._wants_accuracy = wants_accuracy
        self._num_threads = num_threads
        self._reporter = reporter
        self._notes = notes
        self._checkpoints = checkpoints
        self._budget = budget
        self._cluster = cluster
        self._scratch_path = scratch_path
        self._suffix = suffix
        self._num_fits_left: float = num_fits_after + num_fits(spec)
        self._is_cut_short = self._is_short_of_time = False
        self._adapted: dict[str, Any] = {}
        self._points: Points = {}
        self._resampled: tuple[ResampledClass, ...] = ()

    def run(self) -> Training:
        """By folds where they are asked for, else by the validation channel or a hold-out."""
        return self._cross_validate(self._spec.folds) if self._spec.folds else self._validate_once()

    def _validate_once(self) -> Training:
        train, validation = hold_out_rows(self._material, self._spec)
        if VALIDATION not in self._material.parts:
            num_rows = train.num_rows + validation.num_rows
            self._notes(
                f"{validation.num_rows} of {num_rows} rows are held out for validation"
                f"{'' if self._spec.refit else '; the model is the one fitted on the others'}"
            )
        predictor, scores = self._fit_and_judge(train, validation, label="fit")
        return Training(
            predictor=predictor,
            num_train_rows=train.num_rows,
            train=train,
            checked=validation,
            validated=validation,
            validation_scores=scores,
            evaluation=evaluate(VALIDATION, self._material.target, validation.truth, scores),
            curves=self._curves(),
            features=self._features,
            resampled=self._resampled,
            adapted=self._adapted,
            is_short_of_time=self._is_short_of_time,
        )

    def _cross_validate(self, num_folds: int) -> Training:
        whole, target = self._material.parts[TRAIN], self._material.target
        folds = self.answer_out_of_fold(num_folds)
        scores, judged = folds.scores, folds.judged
        final_steps = max(round(float(np.mean(folds.steps))), 1)
        self._notes(
            f"the model is fitted on all {whole.num_rows} rows in {final_steps} steps, the mean of {num_folds} folds"
        )
        predictor, _ = self._fit(whole, None, num_steps=final_steps, label="final fit")
        means, spreads = mean_metrics(folds.evaluations)
        primary = primary_metric(target, means)
        self._notes(f"{num_folds} folds: {primary} {means[primary]:.4f} ± {spreads[primary]:.4f}")
        pooled = evaluate(VALIDATION, target, whole.truth[judged], scores[judged])
        return Training(
            predictor=predictor,
            num_train_rows=whole.num_rows,
            train=whole,
            checked=whole,
            validated=whole.take(judged, name=VALIDATION),
            validation_scores=scores[judged],
            evaluation=pooled.model_copy(
                update={"metrics": means | {f"{name}_std": spread for name, spread in spreads.items()}}
            ),
            curves=self._curves(),
            features=self._features,
            resampled=self._resampled,
            adapted=self._adapted,
            is_short_of_time=self._is_short_of_time,
            is_refitted=True,
        )

    def answer_out_of_fold(self, num_folds: int) -> OutOfFold:
        """One fit for each fold, which answers the rows that it had not seen."""
        whole, target = self._material.parts[TRAIN], self._material.target
        shape = (whole.num_rows,) if target.labels is None else (whole.num_rows, target.num_outputs)
        scores = np.full(shape, np.nan, dtype=np.float32)
        splits = divide_into_folds(self._material, self._spec, num_folds)
        steps: list[int] = []
        evaluations: list[Evaluation] = []
        for number, split in enumerate(splits, start=1):
            train, validation = whole.take(split.train, name=TRAIN), whole.take(split.validation, name=VALIDATION)
            label = f"fold {number} of {num_folds}"
            predictor, scores[split.validation] = self._fit_and_judge(train, validation, label=label)
            steps.append(predictor.fitted.num_steps)
            evaluations.append(evaluate(VALIDATION, target, validation.truth, scores[split.validation]))
            if self._on_fold is not None:
                self._on_fold(evaluations[-1].metrics)
        rows = [split.validation for split in splits]
        return OutOfFold(scores=scores, rows=rows, steps=steps, evaluations=evaluations)

    def refit(self, training: Training) -> Training:
        """The same on all rows, those of validation included, in as many steps as were best; the last of a job's fits.

        Where time is up before that is done, it is left as it was.
        """
        found = self.fit_all_rows(max(training.predictor.fitted.num_steps, 1))
        if found is None:
            return training
        predictor, whole = found
        return replace(
            training,
            predictor=predictor,
            num_train_rows=whole.num_rows,
            train=whole,
            checked=whole,
            resampled=self._resampled,
            is_refitted=True,
        )

    @property
    def resampled(self) -> tuple[ResampledClass, ...]:
        """Of the last fit."""
        return self._resampled

    def fit_all_rows(self, num_steps: int) -> tuple[Predictor, Part] | None:
        """The model of all rows, and these. None where time is up before that is done, which is said."""
        whole = self._material.all_rows()
        self._notes(
            f"the model is fitted again on all {whole.num_rows} rows in {num_steps} steps, as many as were best; its "
            "figures of validation are those of the fit that had not seen the rows"
        )
        self._num_fits_left = 1
        try:
            predictor, _ = self._fit(whole, None, num_steps=num_steps, label="fit on all rows")
        except InvalidRequestError:
            # Time that is up before the first step leaves no model; here there is one.
            if not self._is_cut_short:
                raise
        if self._is_cut_short or predictor.fitted.num_steps < num_steps:
            self._notes(
                "time was up before the fit on all rows was done: the model is the one that was fitted without the "
                "validation rows. Give it a larger max_seconds"
            )
            return None
        return predictor, whole

    def _fit_and_judge(self, train: Part, validation: Part, *, label: str) -> tuple[Predictor, Array]:
        """With the answers to the validation rows."""
        predictor, judges = self._fit(train, validation, num_steps=None, label=label)
        assert judges is not None  # noqa: S101  there are validation rows
        return predictor, predictor.answer(blocks(judges.features))

    def _fit(
        self, train: Part, validation: Part | None, *, num_steps: int | None, label: str
    ) -> tuple[Predictor, Examples | None]:
        """And the validation rows as they were encoded."""
        material, target, label = self._material, self._material.target, f"{label}{self._suffix}"
        scale = fit_scale(target, train.truth)
        encoder, examples = self._encode(train, scale)
        if self._spec.resample is not None:
            examples, self._resampled = resample(
                examples, material, num_numeric=encoder.num_numeric, seed=self._spec.seed, message=self._notes
            )
        problem = Problem(
            task=target.task,
            kind=material.data_kind,
            num_outputs=target.num_outputs,
            num_numeric=encoder.num_numeric,
            cardinalities=encoder.cardinalities,
            target_channel=target.position if target.horizon else None,
            target_scale=scale,
            seed=self._spec.seed,
            num_threads=self._num_threads,
        )
        judges = None if validation is None else self._to_examples(validation, encoder, scale)
        self._points = {}
        share, adapted = self._budget.share(self._num_fits_left), dict[str, Any]()
        fitted = self._learner.fit(
            problem,
            examples,
            judges,
            context=FitContext(
                listener=_FitListener(label, self._reporter, self._notes, self._points, scale.deviation),
                num_steps=num_steps,
                checkpoints=self._checkpoints.of_fit(label, self._points),
                is_time_up=self._watch_time(share),
                find_seconds_left=share.seconds_left,
                adapt=adapted.update,
                cluster=self._cluster,
                scratch_path=self._scratch_path,
                wants_accuracy=self._wants_accuracy and target.task in (Task.BINARY, Task.MULTICLASS),
            ),
        )
        self._num_fits_left -= 1
        self._is_short_of_time = self._is_short_of_time or self._is_cut_short or bool(adapted)
        if adapted:
            # The fits that follow are the same model on other rows.
            self._adapted |= adapted
            hyperparameters = self._spec.resolve_hyperparameters().model_dump(mode="json") | self._adapted
            self._learner = build_learner(self._spec.model_copy(update={"hyperparameters": hyperparameters}))
        return Predictor(fitted=fitted, encoder=encoder, scale=scale, labels=target.labels), judges

    def _watch_time(self, share: Share) -> Callable[[], bool]:
        self._is_cut_short = False

        def ask() -> bool:
            self._is_cut_short = self._is_cut_short or share.is_up()
            return self._is_cut_short

        return ask

    def _encode(self, train: Part, scale: TargetScale) -> tuple[Encoder, Examples]:
        material, spec, known = self._material, self._spec, train.sample(seed=self._spec.seed)
        if self._features is None:
            encoder = self._encoder or fit_encoder(
                material.data_kind,
                known.frame,
                material.columns,
                targets=known.truth,
                hyperparameters=spec.resolve_hyperparameters(),
                image_shape=material.image_shape,
                window=spec.num_window_rows if material.target.horizon else None,
            )
            return encoder, self._to_examples(train, encoder, scale, known=known)
        features = fit_features(
            self._features,
            known.frame,
            material.columns,
            Truth(target=material.target, values=_to_learn(known.truth, scale), seed=spec.seed),
            num_threads=self._num_threads,
            message=self._notes,
        )
        fitted_on = features.transform_training(known.frame)
        if isinstance(train.frame, Frame):
            return features, Examples(features=fitted_on, targets=_to_learn(train.truth, scale))
        examples = self._to_examples(train, features, scale, known=known)
        own = np.arange(train.num_rows) if self._cluster.is_alone else self._share(train.frame)[self._cluster.rank]
        _, places, rows = np.intersect1d(
            own, np.arange(train.num_rows)[known.index], assume_unique=True, return_indices=True
        )
        examples.features[places] = fitted_on[rows]
        return features, replace(examples, sample=fitted_on)

    def _to_examples(
        self, part: Part, encoder: Encoder, scale: TargetScale, *, known: Sample | None = None
    ) -> Examples:
        """On disk where the part is. Then the rows that are trained on are those of which some are `known`, and of them
        each machine reads its own row groups."""
        targets = _to_learn(part.truth, scale)
        if isinstance(part.frame, Frame):
            return Examples(features=encoder.transform(part.frame), targets=targets)
        frame, shares = part.frame, None
        if known is not None and not self._cluster.is_alone:
            positions = self._share(frame)
            shares = tuple(map(len, positions))
            frame, targets = frame.take(positions[self._cluster.rank]), targets[np.concatenate(positions)]
        features = write_map(
            (encoder.transform(batch) for batch in frame.batches()), num_rows=frame.num_rows, folder=self._scratch_path
        )
        sample = None if known is None else encoder.transform(known.frame)
        return Examples(features=features, targets=targets, sample=sample, shares=shares)

    def _share(self, frame: StoredFrame) -> list[Array]:
        """Which of the rows that are trained on each machine reads."""
        shares = frame.channel.shares(self._cluster.num_processes)
        if not all(map(len, shares)):
            raise InvalidRequestError(
                f"the training data has {len(frame.channel.groups)} row groups, and each of {len(shares)} machines "
                "needs one with rows to train on: train on fewer machines"
            )
        return shares

    def _curves(self) -> tuple[LearningCurve, ...]:
        return tuple(
            LearningCurve(name=name, steps=[step for step, _ in points], values=[value for _, value in points])
            for name, points in self._points.items()
        )


def hold_out_rows(material: Material, spec: LearningSpec) -> tuple[Part, Part]:
    """What is trained on and what validates, without folds."""
    whole = material.parts[TRAIN]
    if VALIDATION in material.parts:
        return whole, material.parts[VALIDATION]
    split = hold_out(whole.num_rows, classes=_classes(material), fraction=spec.held_out_fraction, seed=spec.seed)
    return whole.take(split.train, name=TRAIN), whole.take(split.validation, name=VALIDATION)


def divide_into_folds(material: Material, spec: LearningSpec, num_folds: int) -> list[Split]:
    """The positions of each fold."""
    num_rows = material.parts[TRAIN].num_rows
    return list(k_folds(num_rows, classes=_classes(material), num_folds=num_folds, seed=spec.seed))


def judge_by_folds(material: Material, spec: LearningSpec, scores: Array) -> dict[str, float]:
    """The means over the folds of what the answers to all judged rows, in their order, are worth."""
    splits = divide_into_folds(material, spec, spec.folds or 1)
    judged = np.sort(np.concatenate([split.validation for split in splits]))
    truth = material.parts[TRAIN].truth
    evaluations = [
        evaluate(VALIDATION, material.target, truth[rows], scores[np.searchsorted(judged, rows)])
        for rows in (split.validation for split in splits)
    ]
    return mean_metrics(evaluations)[0]


def mean_metrics(evaluations: Sequence[Evaluation]) -> tuple[dict[str, float], dict[str, float]]:
    """Of the metrics that all have, the means and the standard deviations."""
    names = [name for name in evaluations[0].metrics if all(name in other.metrics for other in evaluations)]
    values = {name: [other.metrics[name] for other in evaluations] for name in names}
    means = {name: float(np.mean(found)) for name, found in values.items()}
    return means, {name: float(np.std(found)) for name, found in values.items()}


def validated_rows(material: Material, spec: LearningSpec) -> Part:
    """Those that judge a fit, with folds those of all."""
    if spec.folds is None:
        return hold_out_rows(material, spec)[1]
    judged = [split.validation for split in divide_into_folds(material, spec, spec.folds)]
    return material.parts[TRAIN].take(np.sort(np.concatenate(judged)), name=VALIDATION)


def _classes(material: Material) -> Array | None:
    task, truth = material.target.task, material.parts[TRAIN].truth
    if task is Task.MULTILABEL:
        return rarest_labels(truth)
    return truth if task.is_classification else None


def _to_learn(truth: Array, scale: TargetScale) -> Array:
    if truth.dtype.kind != "f":
        return truth
    targets = scale.to_standard(truth)
    # A horizon of one is a single value to a learner.
    return targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
