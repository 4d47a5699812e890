"""What an algorithm declares: to the API, which validates requests by it, and to the container, which finds the code.

A package adds an algorithm by an entry point in the group `aimass.algorithms` that names an `AlgorithmSpec`:

    [project.entry-points."aimass.algorithms"]
    nearest = "my_package.spec:NEAREST"

The module of the spec imports nothing heavy; `Implementation.learner` is imported where the training runs. Install
the package in the container's image, and in the API's layer (`layers/deps`), so that requests can be validated.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError

from aimass_core.domain.common import Contract, Request
from aimass_core.domain.distributions import Distribution, SearchSpace
from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Task
from aimass_core.errors import ErrorDetail, InvalidRequestError


class DataKind(StrEnum):
    """What an algorithm learns from.

    TABLE: a matrix of quantities and category codes. IMAGES: pixels. SERIES: values over time, one or more channels.
    TEXT: token ids of the columns of free text; hyperparameters that extend `TextReading` say how they are read.
    """

    TABLE = "table"
    IMAGES = "images"
    SERIES = "series"
    TEXT = "text"

    @property
    def dataset_kind(self) -> DatasetKind:
        """The kind of dataset that such data lies in."""
        return DatasetKind.IMAGES if self is DataKind.IMAGES else DatasetKind.TABLE


class TextReading(Request):
    """How texts are read: the base of the hyperparameters of an algorithm that learns from them."""

    max_words: int = Field(default=20_000, ge=10, le=200_000, description="Of texts: so many words are told apart.")
    max_tokens: int = Field(default=256, ge=1, le=2048, description="Of each text: words and marks that are read.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """An algorithm in one framework.

    `learner` is "package.module:Class" of a `batch_jobs.algorithms.learning.Learner`, constructed with the
    hyperparameters. The versions of the distributions in `libraries` are noted in the model's card. `is_distributed`:
    the learner's processes on several machines train one model together (see `FitContext.cluster`). `is_streamed`: it
    learns from features that are larger than memory (see `Examples`). `takes_soft_targets`: it learns probabilities
    where it is given such, and so from the answers of another classifier. `lacks` are the hyperparameters that it takes
    at their default alone.
    """

    learner: str
    libraries: tuple[str, ...]
    is_distributed: bool = False
    is_streamed: bool = False
    takes_soft_targets: bool = False
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmSpec:
    """One algorithm. Its description is the docstring of its hyperparameters; its first framework is the default.

    `is_of_trees`: it splits single columns, so that no monotone change of a column changes what it learns. `space` is
    what a search varies where nobody says otherwise.
    """

    name: str
    kinds: tuple[DataKind, ...]
    tasks: tuple[Task, ...]
    hyperparameters: type[Request]
    implementations: Mapping[str, Implementation] = field(hash=False)
    is_of_trees: bool = False
    space: SearchSpace = field(default_factory=dict, hash=False)

    @property
    def default_framework(self) -> str:
        """The one that is taken where none is asked for."""
        return next(iter(self.implementations))

    def resolve_hyperparameters(self, values: Mapping[str, Any]) -> Request:
        """An instance of `hyperparameters` with defaults filled in. A figure in quotes is refused, not guessed at.

        Raises:
            InvalidRequestError: Unknown, of another type or out of range; one detail for each fault.
        """
        try:
            # As JSON: strict, but for the names of an enumeration.
            return self.hyperparameters.model_validate_json(json.dumps(dict(values)), strict=True)
        except ValidationError as error:
            details = [_to_detail(fault) for fault in error.errors(include_url=False)]
            faults = "; ".join(
                f"{detail.location.rpartition('hyperparameters.')[2]}: {detail.message}" for detail in details
            )
            known = ", ".join(self.hyperparameters.model_fields)
            raise InvalidRequestError(
                f"The hyperparameters of {self.name} are not valid: {faults}. It takes: {known}.",
                details=details,
            ) from error

    def check_framework(self, framework: str) -> None:
        """Raises InvalidRequestError where it has no such implementation."""
        if framework not in self.implementations:
            known = ", ".join(self.implementations)
            raise InvalidRequestError(
                f"The algorithm {self.name} has no implementation for {framework!r}. It has: {known}.",
                details=[ErrorDetail(location="body.spec.framework", message=f"must be one of {known}")],
            )

    def check_lacking(self, framework: str, hyperparameters: Request) -> None:
        """Raises InvalidRequestError where they set what the framework's implementation lacks."""
        for name in self.implementations[framework].lacks:
            value, default = getattr(hyperparameters, name), self.hyperparameters.model_fields[name].default
            if value != default:
                others = [other for other, made in self.implementations.items() if name not in made.lacks]
                message = (
                    f"{self.name} has {name} in {' and '.join(others)} alone, not in {framework}: choose that "
                    f"framework, or leave {name} out"
                )
                raise InvalidRequestError(
                    f"The hyperparameters of {self.name} are not valid: {message}.",
                    details=[ErrorDetail(location=f"body.spec.hyperparameters.{name}", message=message)],
                )

    def check_task(self, task: Task) -> None:
        """Raises InvalidRequestError where it cannot do that."""
        if task not in self.tasks:
            known = ", ".join(self.tasks)
            raise InvalidRequestError(
                f"The algorithm {self.name} does not do {task}. It does: {known}.",
                details=[ErrorDetail(location="body.spec.task", message=f"must be one of {known}")],
            )

    def fits(self, kind: DatasetKind) -> bool:
        """Whether it can learn from such a dataset."""
        return any(own.dataset_kind is kind for own in self.kinds)


def _to_detail(fault: Mapping[str, Any]) -> ErrorDetail:
    path = ".".join(["body", "spec", "hyperparameters", *(str(part) for part in fault["loc"])])
    given = fault.get("input")
    shown = f", and it is {given:g}" if isinstance(given, int | float) and not isinstance(given, bool) else ""
    return ErrorDetail(location=path, message=f"{fault['msg']}{shown}")


class AlgorithmInfo(Contract):
    """One algorithm as GET /v1/algorithms answers it; `hyperparameters` is a JSON Schema with ranges and defaults."""

    name: str
    description: str
    kinds: list[DataKind]
    tasks: list[Task]
    frameworks: list[str] = Field(description="The first is the default.")
    distributed: list[str] = Field(default=[], description="The frameworks in which several machines train together.")
    hyperparameters: dict[str, object]
    space: dict[str, Distribution] = Field(default={}, description="What a search varies where nobody says otherwise.")
