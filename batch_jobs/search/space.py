"""The search space of a study as Optuna has it, and back: from a trial to the candidate and what it is trained with."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna import distributions as optuna
from optuna.trial import BaseTrial

from aimass_core.domain import search_spaces
from aimass_core.domain.distributions import (
    CategoricalDistribution,
    Distribution,
    FloatDistribution,
    IntDistribution,
    has_value,
    list_values,
    snap,
    to_scalar,
)
from aimass_core.domain.study_specs import Candidate
from aimass_core.errors import InvalidRequestError

ALGORITHM = "algorithm"


class StudySpace:
    """The spaces of all candidates of a study.

    Of one candidate Optuna's parameters have the names of hyperparameters and spec fields. Of several there is
    `algorithm`, the candidate's name, and `<candidate>.<hyperparameter>` in the trials of that candidate. A choice that
    is a list, an object or null is compact JSON to Optuna.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        """Raises InvalidRequestError where two have one name."""
        self._candidates = {candidate.name: candidate for candidate in candidates}
        if len(self._candidates) < len(candidates):
            names = ", ".join(candidate.name for candidate in candidates)
            raise InvalidRequestError(f"Each candidate of a study has a name of its own, and these are: {names}.")
        self._spaces = {name: search_spaces.resolve_space(candidate) for name, candidate in self._candidates.items()}

    @property
    def is_conditional(self) -> bool:
        """Whether some trials have hyperparameters that others do not have."""
        conditions = [bool(each.when) for space in self._spaces.values() for each in space.values()]
        return any(conditions) or (len(self._spaces) > 1 and bool(conditions))

    def suggest(self, trial: BaseTrial) -> tuple[Candidate, dict[str, Any]]:
        """The candidate, and by name the hyperparameters and spec fields that the trial varies.

        Of a finished trial it reads what was suggested.
        """
        names = list(self._candidates)
        name = trial.suggest_categorical(ALGORITHM, names) if len(names) > 1 else names[0]
        chosen: dict[str, Any] = {}
        for hyperparameter, distribution in self._spaces[name].items():
            if _is_there(distribution, chosen):
                chosen[hyperparameter] = _suggest(trial, self._parameter(name, hyperparameter), distribution)
        return self._candidates[name], chosen

    def distributions(self) -> dict[str, optuna.BaseDistribution]:
        """Of the parameters that every trial has."""
        if len(self._candidates) > 1:
            return {ALGORITHM: optuna.CategoricalDistribution(list(self._candidates))}
        (space,) = self._spaces.values()
        return {name: to_optuna(each) for name, each in space.items() if not each.when}

    def to_params(self, candidate: Candidate, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """What `study.enqueue_trial` takes for a trial of these hyperparameters and spec fields.

        What is not named has its default. A number outside of the space becomes the nearest one inside. A choice that
        the space does not have is left to the sampler.

        Raises:
            InvalidRequestError: A name that the space does not vary, with another value than all trials have.
        """
        algorithm, space = candidate.resolve_algorithm(), self._spaces[candidate.name]
        fixed = search_spaces.fixed_values(candidate)
        for name, value in hyperparameters.items():
            if name not in space and value != search_spaces.constant_value(algorithm, name, fixed):
                raise InvalidRequestError(
                    f"A trial of {candidate.name} cannot have {name} {value!r}: the study varies "
                    f"{', '.join(space) or 'nothing'}."
                )
        params: dict[str, Any] = {} if len(self._candidates) == 1 else {ALGORITHM: candidate.name}
        chosen: dict[str, Any] = {}
        for name, distribution in space.items():
            if not _is_there(distribution, chosen):
                continue
            wanted = hyperparameters.get(name, search_spaces.constant_value(algorithm, name, {}))
            value = snap(distribution, wanted)
            if has_value(distribution, value):
                chosen[name] = value
                params[self._parameter(candidate.name, name)] = to_scalar(value)
        return params

    def grid(self) -> dict[str, list[Any]]:
        """The values of each parameter. Raises InvalidRequestError where there is no grid."""
        search_spaces.check_grid(list(self._candidates.values()))
        (space,) = self._spaces.values()
        return {name: [to_scalar(value) for value in list_values(each) or ()] for name, each in space.items()}

    def _parameter(self, candidate: str, hyperparameter: str) -> str:
        return f"{candidate}.{hyperparameter}" if len(self._candidates) > 1 else hyperparameter


def to_optuna(distribution: Distribution) -> optuna.BaseDistribution:
    """Without its conditions, which Optuna does not know."""
    match distribution:
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return optuna.FloatDistribution(low, high, log=log, step=step)
        case IntDistribution(low=low, high=high, log=log, step=step):
            return optuna.IntDistribution(low, high, log=log, step=step)
        case CategoricalDistribution(choices=choices):
            return optuna.CategoricalDistribution([to_scalar(choice) for choice in choices])


def _suggest(trial: BaseTrial, name: str, distribution: Distribution) -> Any:
    match distribution:
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, log=log, step=step)
        case IntDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case CategoricalDistribution(choices=choices):
            by_scalar: dict[Any, Any] = {to_scalar(choice): choice for choice in choices}
            return by_scalar[trial.suggest_categorical(name, list(by_scalar))]


def _is_there(distribution: Distribution, chosen: Mapping[str, Any]) -> bool:
    return all(other in chosen and chosen[other] in values for other, values in distribution.when.items())
