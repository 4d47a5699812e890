"""The models that a job combines: whether they answer the same question, and what they answer."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from aimass_core.domain.fusion import FuseSpec
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError, InvalidRequestError
from batch_jobs.algorithms.export.ensembles import find_conflict, join_signatures
from batch_jobs.fuse.answers import Answered, stack
from batch_jobs.fuse.unseen import Trained
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.runtime.environment import Environment
from batch_jobs.train.material import Material, Part


def load_members(environment: Environment, spec: FuseSpec) -> list[Trained]:
    """In the order of the job.

    Raises:
        InvalidRequestError: One is there twice, is absent, or answers another question than the others.
    """
    models = []
    for number, name in enumerate(spec.members, start=1):
        path = environment.models.get(f"member-{number}")
        if path is None:
            raise InvalidRequestError(f"the member {name!r} is not there: it was deleted meanwhile. Leave it out")
        models.append(RegisteredModel.load(path, name=name))
    _require_different(models)
    _require_alike(models)
    known = spec.member_data or [None] * len(models)
    return [Trained(model=model, data=data) for model, data in zip(models, known, strict=True)]


def answer(models: Sequence[RegisteredModel], material: Material, part: Part) -> Answered:
    """Of all rows of a part. Raises InvalidDataError where an answer is no number."""
    found = []
    for model in models:
        scores = np.concatenate([model.scorer.answer(batch).scores for batch in part.frame.batches()])
        num_bad = int((~np.isfinite(scores.reshape(len(scores), -1))).any(axis=1).sum())
        if num_bad:
            raise InvalidDataError(
                f"{model.name} answers {num_bad} of {len(scores)} rows with what is no number: it cannot be combined. "
                "Leave it out"
            )
        found.append(scores)
    return Answered(scores=stack(found), truth=part.truth, target=material.target)


def _require_different(models: Sequence[RegisteredModel]) -> None:
    """By name, and by what they are: a version may be registered twice."""
    names, files = Counter(model.name for model in models), Counter(model.model for model in models)
    twice = [model.name for model in models if names[model.name] > 1 or files[model.model] > 1]
    if twice:
        raise InvalidRequestError(
            f"{' and '.join(dict.fromkeys(twice))} is the same model twice. Name each member once: how much it counts "
            "is found out"
        )


def _require_alike(models: Sequence[RegisteredModel]) -> None:
    first = models[0]
    if first.signature.task is Task.CUSTOM:
        raise InvalidRequestError(
            f"{first.name} is a custom model: what its outputs mean is not known. Combined can be models that answer "
            "labels with probabilities, or values"
        )
    joined = first.signature
    for model in models[1:]:
        if reason := find_conflict(joined, model.signature):
            raise InvalidRequestError(
                f"{model.name} cannot be combined with {first.name}: {reason}. Members answer the same question: one "
                "task, target, labels and horizon, and columns of the same types"
            )
        joined = join_signatures([joined, model.signature])
