"""Which smaller models may learn from the answers of an original, and with which hyperparameters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind
from aimass_core.domain.common import Request
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Task
from batch_jobs.compress.contract import Settings
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.material import TRAIN, Material

ALGORITHM, WIDTH = "algorithm", "width"
"""Settings of a distillation; all others are hyperparameters of the student."""
_OWN = {ALGORITHM, WIDTH}
_WIDTHS = (0.5, 0.25, 0.125)
# Leaves of all trees for one output, where the original is not of trees itself.
_LEAVES = (4000, 1600, 600, 200)
_SHARES = (0.3, 0.12, 0.05, 0.02)
# Shallow trees that count much each learn the most for their bytes from answers, which are smooth: of 800 leaves on
# adult AUC .9319 at depth 3 and a rate of .5, .9287 at depth 5; at a rate of .2 .9291 and .9234. Deeper ones are for
# data whose columns say little apart.
_DEPTHS = (3, 5)
_MIN_RATE, _MAX_RATE, _RATE_ROUNDS = 0.2, 0.5, 50.0
_MIN_WORDS_A_TEXT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """What is to be trained."""

    algorithm: AlgorithmSpec
    framework: str
    hyperparameters: Request


def resolve_student(settings: Settings, original: RegisteredModel) -> Student:
    """From the settings of a step. Raises InvalidRequestError where they do not fit the algorithm."""
    algorithm = registry.find(str(settings[ALGORITHM]))
    task = original.signature.task
    framework = next(iter(_frameworks(algorithm, task)), algorithm.default_framework)
    values = _known(algorithm, original)
    if WIDTH in settings:
        values |= _narrow(algorithm.resolve_hyperparameters(values), float(settings[WIDTH] or 0))
    values |= {name: value for name, value in settings.items() if name not in _OWN}
    return Student(
        algorithm=algorithm,
        framework=framework,
        hyperparameters=algorithm.resolve_hyperparameters(values),
    )


def propose_students(original: RegisteredModel, material: Material, *, num_leaves: int) -> Iterator[dict[str, Any]]:
    """Settings, the largest student of each algorithm first. `num_leaves` are those of the original's trees."""
    kind, task = find_kind(original, material), original.signature.task
    for name in _algorithms(kind, original):
        algorithm = registry.find(name)
        if task not in algorithm.tasks or not list(_frameworks(algorithm, task)):
            continue
        if name == "xgboost":
            yield from _trees(material, num_leaves)
        elif name == "linear":
            yield {ALGORITHM: name}
        else:
            # Beside trees a network is seldom worth the time that it takes to teach: one says whether it is.
            widths = _WIDTHS[1:2] if num_leaves else _WIDTHS
            yield from ({ALGORITHM: name, WIDTH: width} for width in widths)
        if name == "rnn" and kind is DataKind.TEXT:
            # The mean of the words' vectors, as in fastText.
            yield from ({ALGORITHM: name, "layers": 0, "embedding": 32, "max_words": words} for words in (4000, 1000))


def find_kind(original: RegisteredModel, material: Material) -> DataKind:
    """What a student learns from. A table of nothing but texts of several words is learned from as texts."""
    if material.data_kind is not DataKind.TABLE:
        return material.data_kind
    known = registry.load_all().get(original.card.algorithm)
    if known is not None and DataKind.TABLE not in known.kinds:
        return known.kinds[0]
    frame = material.parts[TRAIN].sample(seed=0).frame
    if any(column.type is not ColumnType.STRING for column in material.columns):
        return DataKind.TABLE
    spaces = [text.count(" ") for column in material.columns for text in frame.columns[column.name][:1000]]
    return DataKind.TEXT if np.mean(spaces) + 1 >= _MIN_WORDS_A_TEXT else DataKind.TABLE


def _algorithms(kind: DataKind, original: RegisteredModel) -> tuple[str, ...]:
    own = original.card.algorithm
    if original.signature.task is Task.FORECASTING:
        return (own,) if own in ("rnn", "nlinear") else ("nlinear",)
    if kind is DataKind.SERIES:
        return (own,) if own in ("rnn", "fcn") else ("fcn",)
    return {DataKind.TABLE: ("xgboost", "mlp", "linear"), DataKind.IMAGES: ("cnn",), DataKind.TEXT: ("rnn", "linear")}[
        kind
    ]


def _frameworks(algorithm: AlgorithmSpec, task: Task) -> Iterator[str]:
    """Those that are installed here and can learn from answers: any can where these are values."""
    for name, made in algorithm.implementations.items():
        if made.takes_soft_targets or not task.is_classification:
            try:
                for library in made.libraries:
                    metadata.version(library)
            except metadata.PackageNotFoundError:
                continue
            yield name


def _known(algorithm: AlgorithmSpec, original: RegisteredModel) -> dict[str, Any]:
    """The original's own hyperparameters, where it is of the same algorithm; its answers weigh the classes already."""
    values: dict[str, Any] = {}
    if original.card.algorithm == algorithm.name and not algorithm.is_of_trees:
        known = algorithm.hyperparameters.model_fields
        values = {name: value for name, value in original.card.hyperparameters.items() if name in known}
    fields = algorithm.hyperparameters.model_fields
    return values | ({"class_weights": "none"} if "class_weights" in fields else {})


def _narrow(hyperparameters: Request, width: float) -> dict[str, Any]:
    """The hyperparameters that make a network wide, at such a part of what they are."""
    found: dict[str, Any] = {}
    values: Mapping[str, Any] = hyperparameters.model_dump()
    resolved = getattr(hyperparameters, "resolve_channels", None)
    for name, least in (("hidden", 4), ("channels", 4), ("embedding", 4), ("max_words", 500)):
        value = resolved() if name == "channels" and resolved is not None else values.get(name)
        if isinstance(value, list):
            found[name] = [max(round(each * width), least) for each in value]
        elif isinstance(value, int):
            found[name] = max(round(value * width), min(value, least))
    return found


def _trees(material: Material, num_leaves: int) -> Iterator[dict[str, Any]]:
    num_outputs = material.target.num_outputs
    per_output = num_leaves / (num_outputs if num_outputs > 2 else 1)
    counts = [round(per_output * share) for share in _SHARES] if num_leaves else list(_LEAVES)
    for count in counts:
        for depth in _DEPTHS:
            num_rounds = max(round(count / 2**depth), 2)
            rate = min(max(_RATE_ROUNDS / num_rounds, _MIN_RATE), _MAX_RATE)
            yield {
                ALGORITHM: "xgboost",
                "num_rounds": num_rounds,
                "max_depth": depth,
                "learning_rate": round(rate, 3),
            }
