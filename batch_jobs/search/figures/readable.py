"""A study as pictures can carry it: names short and printable, numbers finite, and few enough trials."""

import html
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from aimass_core.domain.studies import TrialAttribute
from batch_jobs.evaluate.figures import BLUE, COLOURS, ORANGE, to_label
from batch_jobs.search.figures.given import to_study, with_fields

COSTS = {TrialAttribute.LATENCY_MS: "latency of one row, ms", TrialAttribute.MODEL_BYTES: "bytes of the model"}
STATE_NAMES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
STATE_COLOURS = dict(zip(STATE_NAMES, (BLUE, ORANGE, COLOURS[3], COLOURS[2]), strict=True))
_LABEL_LENGTH = 32


class FigureName(StrEnum):
    """What is drawn of a study."""

    HISTORY = "history"
    PARALLEL_COORDINATES = "parallel_coordinates"
    IMPORTANCES = "importances"
    SLICE = "slice"
    PARETO_FRONT = "pareto_front"
    INTERMEDIATE_VALUES = "intermediate_values"
    TIMELINE = "timeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A trial in the history of a study; `best` is that of the feasible trials until then."""

    number: int
    value: float
    is_feasible: bool
    best: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A study to draw.

    Attributes:
        trials: with their own numbers; a complete one has finite values only.
        directions: of the objectives.
        objectives: their names.
        importances: of the hyperparameters, the greatest first; empty where there is too little to tell.
    """

    trials: Sequence[FrozenTrial]
    directions: Sequence[StudyDirection]
    objectives: Sequence[str]
    importances: Mapping[str, float]

    @property
    def complete(self) -> list[FrozenTrial]:
        return [trial for trial in self.trials if trial.state is TrialState.COMPLETE]

    def hyperparameters(self, limit: int) -> list[str]:
        """Of complete trials, those that matter most first."""
        every = dict.fromkeys(name for trial in self.complete for name in trial.params)
        return list(dict.fromkeys([*self.importances, *every]))[:limit]

    def costs(self) -> list[TrialAttribute]:
        """What is known of trials beside their score."""
        return [cost for cost in COSTS if any(_cost(trial, cost) is not None for trial in self.complete)]

    def fronts(self) -> list["Readable"]:
        """Scores against each other or, where there is one, against latency and bytes."""
        if len(self.objectives) > 1:
            return [self]
        found = []
        for cost in self.costs():
            priced = [(trial, value) for trial in self.complete if (value := _cost(trial, cost)) is not None]
            trials = [with_fields(trial, values=[*trial.values, value]) for trial, value in priced]
            directions = [*self.directions, StudyDirection.MINIMIZE]
            objectives = [*self.objectives, COSTS[cost]]
            found.append(
                Readable(trials=trials, directions=directions, objectives=objectives, importances=self.importances)
            )
        return found

    def of_objective(self, index: int) -> "Readable":
        """As if it were the only one."""
        trials = [
            with_fields(trial, values=[trial.values[index]]) if trial.state is TrialState.COMPLETE else trial
            for trial in self.trials
        ]
        names, directions = [self.objectives[index]], [self.directions[index]]
        return Readable(trials=trials, directions=directions, objectives=names, importances=self.importances)

    def to_study(self, trials: Iterable[FrozenTrial] | None = None) -> optuna.Study:
        """Of all trials, or of these."""
        return to_study(self.trials if trials is None else trials, self.directions)

    def front(self) -> list[FrozenTrial]:
        """The feasible trials that no other beats in everything; of one objective, the best."""
        return self.to_study().best_trials if self.complete else []

    def best(self, count: int, trials: Sequence[FrozenTrial] | None = None) -> list[FrozenTrial]:
        """By the first objective, the best first; trials without values come last."""
        sign = -1 if self.directions[0] is StudyDirection.MAXIMIZE else 1
        every = self.complete if trials is None else trials
        return sorted(every, key=lambda trial: sign * trial.values[0] if trial.values else math.inf)[:count]

    def pick(self, trials: Sequence[FrozenTrial], limit: int) -> list[FrozenTrial]:
        """Half of them the best by the first objective, half from the whole length of the study."""
        if len(trials) <= limit:
            return list(trials)
        best = self.best(limit // 2, trials)
        numbers = {trial.number for trial in best}
        rest = [trial for trial in trials if trial.number not in numbers]
        spread = [rest[at] for at in np.linspace(0, len(rest) - 1, limit - len(best)).astype(int)]
        return sorted([*best, *spread], key=lambda trial: trial.number)

    def history(self, limit: int) -> list["Point"]:
        """Of the first objective: all trials that were the best so far, and of the others every so many."""
        complete = self.complete
        values = np.asarray([trial.values[0] for trial in complete])
        sign = -1 if self.directions[0] is StudyDirection.MAXIMIZE else 1
        is_feasible = np.asarray([is_feasible_trial(trial) for trial in complete], dtype=bool)
        best = np.minimum.accumulate(np.where(is_feasible, sign * values, np.inf))
        spread = np.linspace(0, len(complete) - 1, min(limit, len(complete))).astype(int)
        kept = {*spread.tolist(), *(np.flatnonzero(best[1:] < best[:-1]) + 1).tolist()}
        return [
            Point(
                number=complete[at].number,
                value=float(values[at]),
                is_feasible=bool(is_feasible[at]),
                best=sign * float(best[at]) if np.isfinite(best[at]) else None,
            )
            for at in sorted(kept)
        ]

    def reported(self) -> list[FrozenTrial]:
        """Trials with intermediate values."""
        return [trial for trial in self.trials if trial.intermediate_values]


def importances(study: optuna.Study) -> dict[str, float]:
    """What each hyperparameter has to do with the best tenth of the trials, in sum 1, the greatest first.

    By PED-ANOVA, which Optuna takes too; those of conditional spaces and several objectives are included. Empty where
    fewer than two trials tell of any.
    """
    complete = [trial for trial in study.get_trials(deepcopy=False) if _is_shown(trial) and trial.values]
    return _importances(complete, study.directions)


def _importances(complete: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> dict[str, float]:
    if sum(bool(trial.params) for trial in complete) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        try:
            found = optuna.importance.get_param_importances(to_study(complete, directions))
        except UserWarning:
            return {}  # the best trials are worth as much as all: nothing tells them apart
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def to_readable(study: optuna.Study, *, objective_names: Sequence[str], is_markup: bool) -> Readable:
    """The study without what it queued.

    Args:
        study: to draw.
        objective_names: one for each direction.
        is_markup: whether what draws it would take `<` for the begin of a tag, as Plotly does.
    """
    trials = [trial for trial in study.get_trials(deepcopy=False) if _is_shown(trial)]
    names = _to_labels((name for trial in trials for name in trial.params), is_markup=is_markup)
    shown = [_to_shown(trial, names, is_markup=is_markup) for trial in trials]
    complete = [trial for trial in shown if trial.state is TrialState.COMPLETE]
    objectives = [_to_label(name, is_markup=is_markup) for name in objective_names]
    if len(objectives) != len(study.directions):
        raise ValueError(f"objective_names are {objectives}: the study has {len(study.directions)} objectives")
    found = _importances(complete, study.directions)
    return Readable(trials=shown, directions=study.directions, objectives=objectives, importances=found)


def explain_left_out(study: optuna.Study) -> dict[FigureName, str]:
    """Why a figure is not drawn, of those that are not."""
    names = [str(index) for index, _ in enumerate(study.directions)]
    return explain(to_readable(study, objective_names=names, is_markup=False))


def explain(readable: Readable) -> dict[FigureName, str]:
    """As `explain_left_out`."""
    complete, names = readable.complete, readable.hyperparameters(1)
    needs_two = f"It takes two complete trials, and there {'is one' if len(complete) == 1 else 'is none'}."
    all_alike = "Too many trials are worth the same."
    no_cost = "There is one objective, and neither latency nor bytes of the models are known."
    found = {
        FigureName.HISTORY: "No trial is complete." if not complete else "",
        FigureName.PARALLEL_COORDINATES: needs_two if len(complete) < 2 else "",
        FigureName.IMPORTANCES: needs_two if len(complete) < 2 else "" if readable.importances else all_alike,
        FigureName.SLICE: needs_two if len(complete) < 2 else "",
        FigureName.PARETO_FRONT: needs_two if len(complete) < 2 else no_cost if not readable.fronts() else "",
        FigureName.INTERMEDIATE_VALUES: "No trial reported intermediate values." if not readable.reported() else "",
        FigureName.TIMELINE: "" if any(trial.datetime_start for trial in readable.trials) else "No trial has begun.",
    }
    if not names:
        for name in (FigureName.PARALLEL_COORDINATES, FigureName.IMPORTANCES, FigureName.SLICE):
            found[name] = found[name] or "The trials have no hyperparameters."
    return {name: reason for name, reason in found.items() if reason}


def is_feasible_trial(trial: FrozenTrial) -> bool:
    """Whether it keeps all constraints."""
    return all(value <= 0 for value in trial.constraints.values())


def _is_shown(trial: FrozenTrial) -> bool:
    return trial.state is not TrialState.WAITING and all(map(math.isfinite, trial.values or ()))


def _cost(trial: FrozenTrial, name: TrialAttribute) -> float | None:
    value = trial.user_attrs.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _to_shown(trial: FrozenTrial, names: Mapping[str, str], *, is_markup: bool) -> FrozenTrial:
    params: dict[str, Any] = {}
    distributions: dict[str, BaseDistribution] = {}
    for name, value in trial.params.items():
        distribution, label = trial.distributions[name], names[name]
        params[label], distributions[label] = value, distribution
        if isinstance(distribution, CategoricalDistribution):
            texts = _to_labels((c for c in distribution.choices if isinstance(c, str)), is_markup=is_markup)
            choices = [texts[c] if isinstance(c, str) else c for c in distribution.choices]
            params[label] = texts[value] if isinstance(value, str) else value
            distributions[label] = CategoricalDistribution(choices)
    return with_fields(
        trial,
        params=params,
        distributions=distributions,
        user_attrs={name: trial.user_attrs[name] for name in TrialAttribute if name in trial.user_attrs},
        intermediate_values={step: value for step, value in trial.intermediate_values.items() if math.isfinite(value)},
    )


def _to_label(text: str, *, is_markup: bool) -> str:
    label = to_label(text, _LABEL_LENGTH)
    return html.escape(label, quote=False) if is_markup else label


def _to_labels(texts: Iterable[str], *, is_markup: bool) -> dict[str, str]:
    """A label for each text, no two alike."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for text in texts:
        if text in found:
            continue
        label = _to_label(text, is_markup=is_markup)
        count = 2
        while label in used:
            label, count = f"{_to_label(text, is_markup=is_markup)} ({count})", count + 1
        found[text] = label
        used.add(label)
    return found
