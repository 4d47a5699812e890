"""Trains on the features that a job declares; `auto` looks for better ones, and keeps them only where they are."""

from pathlib import Path

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.features import FeatureMode, FeatureSpec
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Learner
from batch_jobs.encoding.features.checks import check_features, find_target_recipes
from batch_jobs.encoding.features.search import search_features
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER, primary_metric
from batch_jobs.runtime.cluster import Cluster
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.budget import Budget
from batch_jobs.train.checkpoints import CheckpointPlace
from batch_jobs.train.fitting import Fitting, OnFold, Training, num_fits, refit_share
from batch_jobs.train.material import TRAIN, Material
from batch_jobs.train.notes import Notes


def train_with_features(
    material: Material,
    learner: Learner,
    spec: TrainSpec,
    *,
    num_threads: int,
    reporter: Reporter,
    notes: Notes,
    checkpoints: CheckpointPlace,
    budget: Budget,
    cluster: Cluster,
    scratch_path: Path,
    on_fold: OnFold | None = None,
    wants_accuracy: bool = False,
) -> Training:
    """With `auto` the algorithm is fitted twice: without the recipes that were found and with them.

    The better of the two by the primary metric on validation rows is the model, so that `auto` costs time and never
    the score.
    """

    refit = refit_share(material, spec)

    def begin(features: FeatureSpec | None, *, suffix: str = "", num_fits_after: float = 0) -> Fitting:
        return Fitting(
            material,
            learner,
            spec,
            features=features,
            num_threads=num_threads,
            reporter=reporter,
            notes=notes,
            checkpoints=checkpoints,
            budget=budget,
            cluster=cluster,
            scratch_path=scratch_path,
            suffix=suffix,
            num_fits_after=num_fits_after + refit,
            on_fold=on_fold,
            wants_accuracy=wants_accuracy,
        )

    def finish(fitting: Fitting, training: Training) -> Training:
        return fitting.refit(training) if spec.refit else training

    declared = spec.features
    if declared is None:
        plain = begin(None)
        return finish(plain, plain.run())
    if material.data_kind is not DataKind.TABLE:
        raise InvalidRequestError(
            f"features are made of the columns of a table, and {spec.algorithm} learns from {material.data_kind}: "
            "leave `features` out"
        )
    check_features(declared, material.parts[TRAIN].sample(seed=spec.seed).frame, material.columns)
    if material.target.task is Task.MULTILABEL and (asking := find_target_recipes(declared)):
        raise InvalidRequestError(
            f"features: {', '.join(asking)} look at one target, and a multi-label task has one for each label: leave "
            "them out"
        )
    base = declared.model_copy(update={"default": FeatureMode.PLAIN})
    is_plain = not base.model_dump(exclude_defaults=True, exclude={"max_seconds"})
    is_auto = declared.default is FeatureMode.AUTO
    first = begin(None if is_plain else base, num_fits_after=num_fits(spec) if is_auto else 0)
    without = first.run()
    if not is_auto:
        return finish(first, without)
    reporter.progress("choosing features")
    known = without.train.sample(seed=spec.seed)
    found = search_features(
        base,
        known.frame,
        known.truth,
        material.columns,
        target=material.target,
        is_of_trees=spec.resolve_algorithm().is_of_trees,
        seed=spec.seed,
        num_threads=num_threads,
        message=notes,
    )
    if found == base:
        notes("features: auto found nothing that helps, so the columns stay as they are")
        return finish(first, without)
    second = begin(found, suffix=", features chosen")
    with_features = second.run()
    if _is_better(with_features, without, material, notes):
        return finish(second, with_features)
    return finish(first, without)


def _is_better(with_features: Training, without: Training, material: Material, notes: Notes) -> bool:
    """By the score, and by the loss too, as a score alone is noisy."""
    before, after = without.evaluation.metrics, with_features.evaluation.metrics
    name = primary_metric(material.target, before)
    names = {name, "rmse" if material.target.labels is None else "log_loss"}
    gains = [(before[key] - after[key]) if key in LOWER_IS_BETTER else (after[key] - before[key]) for key in names]
    words = ", ".join(f"{key} {after[key]:.5g} with them and {before[key]:.5g} without" for key in sorted(names))
    if min(gains) > 0:
        notes(f"features: the recipes that auto found are kept; on validation data {words}")
        return True
    notes(f"features: the recipes that auto found are not kept; on validation data {words}")
    return False
