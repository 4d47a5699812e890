"""Members trained again in folds, so that rows which they were trained on can say how to combine them."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aimass_core.domain.algorithms import registry
from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.data.frames import Array
from batch_jobs.fuse.answers import Answered, stack
from batch_jobs.fuse.unseen import Trained
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.train.budget import Budget, begin_budget
from batch_jobs.train.checkpoints import CheckpointPlace
from batch_jobs.train.fitting import Fitting
from batch_jobs.train.material import TRAIN, Part, in_memory, load_material, read_channels
from batch_jobs.train.notes import Notes


def to_training(member: Trained, num_folds: int) -> TrainSpec:
    """How it was trained, in so many folds. Raises InvalidRequestError where that is not known."""
    card, data, name = member.model.card, member.data, member.model.name
    if data is None or card.algorithm not in registry.load_all():
        raise InvalidRequestError(
            f"out_of_fold: {name} ({card.algorithm}) cannot be trained again, as no training job of ours made it. "
            "Leave out_of_fold out, or that member"
        )
    if card.task is Task.FORECASTING:
        raise InvalidRequestError(
            "out_of_fold: folds would train on what comes after the rows that judge, and these are forecasts. Leave "
            "out_of_fold out"
        )
    found = {
        "algorithm": card.algorithm,
        "framework": card.framework,
        "hyperparameters": card.hyperparameters,
        "features": card.features,
        "validation": None,
        "folds": num_folds,
    }
    return TrainSpec.model_validate({name: getattr(data, name) for name in type(data).model_fields} | found)


def answer_out_of_fold(
    environment: Environment,
    spec: FuseSpec,
    members: Sequence[Trained],
    part: Part,
    *,
    reporter: Reporter,
    notes: Notes,
) -> tuple[Part, Answered]:
    """The rows of a part of the training channel that folds could judge, and what the fits answered that had not seen
    them. The members themselves stay as they are."""
    num_folds = spec.out_of_fold or 0
    specs = [to_training(member, num_folds) for member in members]
    began = time.monotonic()
    budget: Budget | None = None
    scores: list[Array] = []
    for number, (member, training) in enumerate(zip(members, specs, strict=True)):
        channels = in_memory({TRAIN: read_channels(environment, training, notes)[TRAIN]})
        whole = load_material(channels, environment, training, notes)
        budget = budget or begin_budget(environment.deadline, reading_seconds=time.monotonic() - began)
        own = whole.parts[TRAIN]
        index = np.searchsorted(own.rows, part.rows)
        # Folds are made of the rows in their order, which is then the same for all members.
        material = replace(whole, parts={TRAIN: own.take(index, name=TRAIN)})
        fitting = Fitting(
            material,
            build_learner(training),
            training,
            features=training.features,
            num_threads=environment.num_cpus,
            reporter=reporter,
            notes=notes,
            checkpoints=CheckpointPlace.of_job(environment, message=notes),
            budget=budget,
            cluster=environment.cluster,
            scratch_path=environment.base_path / "scratch",
            suffix=f" of {member.model.name}",
            num_fits_after=num_folds * (len(members) - number - 1),
        )
        scores.append(fitting.answer_out_of_fold(num_folds).scores)
    is_judged = np.isfinite(stack(scores)).all(axis=(0, 2))
    index = np.flatnonzero(is_judged)
    kept = part.take(index, name=part.name)
    target = material.target
    notes(f"{len(members)} members were trained again in {num_folds} folds, whose answers to {kept.num_rows} rows fit")
    return kept, Answered(scores=stack(scores)[:, index], truth=kept.truth, target=target)
