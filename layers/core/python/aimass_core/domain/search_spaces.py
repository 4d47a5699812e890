"""Search spaces of candidates: held against what their algorithms accept, and settled to what trials really vary."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from aimass_core.domain.algorithms.contract import AlgorithmSpec, DataKind
from aimass_core.domain.distributions import (
    CategoricalDistribution,
    Choice,
    Distribution,
    FloatDistribution,
    IntDistribution,
    SearchSpace,
    has_value,
    list_values,
    to_scalar,
)
from aimass_core.domain.features import FeatureSpec
from aimass_core.domain.study_specs import SPEC_FIELDS, Candidate
from aimass_core.domain.training import Resample
from aimass_core.errors import ErrorDetail, InvalidRequestError

MAX_GRID_POINTS = 100_000

_SPEC_TYPES: Mapping[str, Any] = {"features": FeatureSpec | None, "resample": Resample | None}
_SHOWN = 80


def check_space(
    algorithm: AlgorithmSpec,
    framework: str,
    space: SearchSpace | None,
    *,
    fixed: Mapping[str, Any],
    location: str = "body.spec.space",
) -> None:
    """Holds a search space against what an algorithm accepts.

    Args:
        algorithm: that trials train.
        framework: one that the algorithm has.
        space: as it was declared. None: the algorithm's own.
        fixed: hyperparameters and spec fields that are the same in all trials.
        location: of the space in the request, for the details.

    Raises:
        InvalidRequestError: One detail for each fault, at `<location>.<hyperparameter>`.
    """
    is_own = space is None
    declared = algorithm.space if space is None else space
    faults = list(_Check(algorithm, framework, declared, fixed, is_own=is_own).faults())
    if not faults and not _settle(algorithm, framework, declared, fixed, is_own=is_own):
        if not declared:
            reason = f"{algorithm.name} brings none" if is_own else "it is empty"
        else:
            reason = "all of it is fixed"
        faults = [("", f"{reason}: declare what trials are to vary")]
    if faults:
        words = "; ".join(f"{name}: {fault}" if name else fault for name, fault in faults[:20])
        raise InvalidRequestError(
            f"The search space of {algorithm.name} is not valid: {words}.",
            details=[ErrorDetail(location=f"{location}.{name}".rstrip("."), message=fault) for name, fault in faults],
        )


def resolve_space(candidate: Candidate) -> dict[str, Distribution]:
    """What trials of a candidate vary: its own space, or its algorithm's without what is fixed or the framework lacks.

    What a condition depends on comes before it. Conditions on what does not vary are settled: the hyperparameter is
    there without a condition, or not at all.
    """
    algorithm, framework = candidate.resolve_algorithm(), candidate.resolve_framework()
    space = algorithm.space if candidate.space is None else candidate.space
    return _settle(algorithm, framework, space, fixed_values(candidate), is_own=candidate.space is None)


def fixed_values(candidate: Candidate) -> dict[str, Any]:
    """The hyperparameters and spec fields of a candidate that are the same in all trials."""
    fields = {name: getattr(candidate, name) for name in SPEC_FIELDS}
    return {**candidate.hyperparameters, **{name: value for name, value in fields.items() if value is not None}}


def constant_value(algorithm: AlgorithmSpec, name: str, fixed: Mapping[str, Any]) -> Any:
    """What a hyperparameter or spec field is in trials that do not vary it. Raises InvalidRequestError: no such one."""
    if name in fixed:
        return fixed[name]
    if name not in _known(algorithm):
        raise InvalidRequestError(f"{_unknown(algorithm, name)}.")
    if name in SPEC_FIELDS:
        return None
    return to_jsonable_python(algorithm.hyperparameters.model_fields[name].get_default(call_default_factory=True))


def check_grid(candidates: Sequence[Candidate], *, location: str = "body.spec.candidates") -> None:
    """Raises InvalidRequestError where the spaces of candidates have no grid: it would be endless, or conditional."""
    if len(candidates) > 1:
        message = f"a grid is of one candidate, and there are {len(candidates)}: leave one, or take another sampler"
        raise InvalidRequestError(f"{message}.", details=[ErrorDetail(location=location, message=message)])
    details, num_points = [], 1
    for name, distribution in resolve_space(candidates[0]).items():
        values = list_values(distribution)
        if values is None:
            fault = "it has no grid: give it a step, or few enough choices"
        elif distribution.when:
            fault = "a grid has all hyperparameters in every trial: leave `when` out"
        else:
            num_points *= len(values)
            continue
        details.append(ErrorDetail(location=f"{location}.0.space.{name}", message=fault))
    if not details and num_points > MAX_GRID_POINTS:
        fault = f"the grid has {num_points} points, and {MAX_GRID_POINTS} are the most: take fewer values"
        details = [ErrorDetail(location=f"{location}.0.space", message=fault)]
    if details:
        words = "; ".join(f"{each.location.rpartition('.')[2]}: {each.message}" for each in details[:20])
        raise InvalidRequestError(f"There is no grid of this search space: {words}.", details=details)


def _settle(
    algorithm: AlgorithmSpec, framework: str, space: SearchSpace, fixed: Mapping[str, Any], *, is_own: bool
) -> dict[str, Distribution]:
    absent = {*fixed, *algorithm.implementations[framework].lacks} if is_own else set()
    varied = {name: each for name, each in space.items() if name not in absent}
    settled: dict[str, Distribution] = {}
    for name in TopologicalSorter(_dependencies(varied)).static_order():
        conditions = {}
        for other, values in varied[name].when.items():
            if other in settled:
                conditions[other] = values
            elif other in varied or constant_value(algorithm, other, fixed) not in values:
                break
        else:
            settled[name] = varied[name].model_copy(update={"when": conditions})
    return settled


def _dependencies(space: SearchSpace) -> dict[str, list[str]]:
    """What each needs to be chosen before it. Lists, as the order of a set changes from process to process."""
    return {name: [other for other in each.when if other in space] for name, each in space.items()}


@dataclass(frozen=True, slots=True)
class _Check:
    algorithm: AlgorithmSpec
    framework: str
    space: SearchSpace
    fixed: Mapping[str, Any]
    _: KW_ONLY
    is_own: bool

    def faults(self) -> Iterator[tuple[str, str]]:
        """Names, and what is wrong with them."""
        for name, distribution in self.space.items():
            if name not in _known(self.algorithm):
                yield name, _unknown(self.algorithm, name)
                continue
            if not self.is_own:
                yield from ((name, fault) for fault in self._exclusions(name))
            yield from ((name, fault) for fault in self._range(name, distribution))
            yield from ((f"{name}.when", fault) for fault in self._conditions(distribution))
        try:
            TopologicalSorter(_dependencies(self.space)).prepare()
        except CycleError as error:
            names = error.args[1]
            yield f"{names[0]}.when", f"conditions run in a circle: {' needs '.join(reversed(names))}"

    def _exclusions(self, name: str) -> Iterator[str]:
        if name in self.fixed:
            yield f"it is fixed to {_show(self.fixed[name])} and varied: leave one of them out"
        made = self.algorithm.implementations
        if name in made[self.framework].lacks:
            others = " and ".join(other for other, each in made.items() if name not in each.lacks)
            yield f"{self.algorithm.name} has it in {others} alone, not in {self.framework}: leave it out"

    def _range(self, name: str, distribution: Distribution) -> Iterator[str]:
        if isinstance(distribution, CategoricalDistribution):
            for value in distribution.choices:
                if fault := self._fault(name, value):
                    yield f"the choice {_show(value)}: {fault}"
            texts = [to_scalar(value) for value in distribution.choices]
            if len(set(texts)) < len(texts):
                yield "two choices are the same text, as one is a text that looks like another's JSON"
            return
        if name in SPEC_FIELDS:
            yield f"it is no number: take type categorical, with the {name} to choose from"
            return
        found = {bound: self._fault(name, value) for bound, value in _bounds(distribution).items()}
        if any(fault and "valid integer" in fault for fault in found.values()) and distribution.type == "float":
            yield "it is a whole number: take type int"
            return
        yield from (f"{bound} is {_bounds(distribution)[bound]}: {fault}" for bound, fault in found.items() if fault)

    def _fault(self, name: str, value: Choice) -> str | None:
        """What the algorithm has against a value."""
        if name in SPEC_FIELDS:
            accepted: Any = _SPEC_TYPES[name]
        else:
            declared = self.algorithm.hyperparameters.model_fields[name]
            accepted = Annotated[declared.annotation, declared]
        try:
            # As `AlgorithmSpec.resolve_hyperparameters` reads them.
            TypeAdapter[Any](accepted).validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            return str(error.errors(include_url=False)[0]["msg"])
        return None

    def _conditions(self, distribution: Distribution) -> Iterator[str]:
        for other, values in distribution.when.items():
            if other not in _known(self.algorithm):
                yield _unknown(self.algorithm, other)
            elif not values:
                yield f"there is no value of {other} with which it is there: name some, or leave the condition out"
            elif other in self.space and (other not in self.fixed or not self.is_own):
                known = self.space[other]
                yield from (
                    f"{other} is never {_show(value)}: take values of its own distribution"
                    for value in values
                    if not has_value(known, value)
                )
            elif not self.is_own and (value := constant_value(self.algorithm, other, self.fixed)) not in values:
                yield f"it is never there, as {other} is {_show(value)} in all trials"


def _known(algorithm: AlgorithmSpec) -> list[str]:
    """What trials of the algorithm may vary."""
    fields = SPEC_FIELDS if DataKind.TABLE in algorithm.kinds else ()
    return [*algorithm.hyperparameters.model_fields, *fields]


def _unknown(algorithm: AlgorithmSpec, name: str) -> str:
    close = difflib.get_close_matches(name, _known(algorithm), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(_known(algorithm))}"
    return f"{algorithm.name} has no hyperparameter {name!r}: {hint}"


def _bounds(distribution: FloatDistribution | IntDistribution) -> dict[str, float]:
    return {"low": distribution.low, "high": distribution.high}


def _show(value: Any) -> str:
    text = json.dumps(to_jsonable_python(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
