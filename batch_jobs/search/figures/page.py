"""`study.html`: one self-contained page about a study; its pictures are small and still, and nothing is fetched."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from aimass_core.domain.studies import Leaderboard, TrialAttribute
from aimass_core.services.pages import render_page, to_figure
from batch_jobs.search.figures.readable import (
    STATE_NAMES,
    FigureName,
    Readable,
    explain,
    is_feasible_trial,
    to_readable,
)
from batch_jobs.search.figures.static import draw
from batch_jobs.search.storage import FAILURE

_MAX_ROWS = 25
_MAX_FAILURES = 8
_MAX_SHOWN = 300
_ORDER = (
    FigureName.HISTORY,
    FigureName.PARETO_FRONT,
    FigureName.IMPORTANCES,
    FigureName.SLICE,
    FigureName.PARALLEL_COORDINATES,
    FigureName.INTERMEDIATE_VALUES,
    FigureName.TIMELINE,
)


def build_page(
    study: optuna.Study,
    *,
    title: str,
    objective_names: Sequence[str],
    description: str = "",
    settings: Mapping[str, str] | None = None,
    leaderboard: Leaderboard | None = None,
) -> str:
    """The page.

    Args:
        study: with its trials.
        title: its name.
        objective_names: one for each direction.
        description: what was searched, on which data.
        settings: what else is worth knowing, by what it is: sampler, pruner, budget and how much of it was used.
        leaderboard: the models that came of it.
    """
    readable = to_readable(study, objective_names=objective_names, is_markup=False)
    left_out = explain(readable)
    chosen = _chosen(readable, leaderboard)
    return render_page(
        "batch_jobs.search.figures",
        "study.html.j2",
        title=title,
        description=description,
        settings=dict(settings or {}),
        readable=readable,
        leaderboard=leaderboard,
        max_rows=_MAX_ROWS,
        chosen=chosen,
        hyperparameters=_hyperparameters(study, chosen),
        tiles=_tiles(readable, chosen),
        front=_front(readable) if len(readable.objectives) > 1 else [],
        failures=_failures(study),
        drawn=[draw(name, readable) for name in _ORDER if name not in left_out],
        left_out={name.value.replace("_", " "): reason for name, reason in left_out.items()},
        attribute=TrialAttribute,
    )


def _chosen(readable: Readable, leaderboard: Leaderboard | None) -> FrozenTrial | None:
    """What the leaderboard marks; without one, the best feasible trial. None: an ensemble, or nothing."""
    if leaderboard is not None:
        numbers = {row.trial for row in leaderboard.rows if row.is_chosen}
        return next((trial for trial in readable.complete if trial.number in numbers), None)
    if len(readable.objectives) > 1:
        return None
    feasible = [trial for trial in readable.complete if is_feasible_trial(trial)]
    return next(iter(readable.best(1, feasible)), None)


def _hyperparameters(study: optuna.Study, chosen: FrozenTrial | None) -> dict[str, str]:
    """In full, not as a picture can carry them."""
    if chosen is None:
        return {}
    found = next(trial for trial in study.get_trials(deepcopy=False) if trial.number == chosen.number)
    return {name: _to_text(value) for name, value in found.params.items()}


def _to_value(value: float) -> str:
    """An objective's; some, like bytes, are whole."""
    return f"{value:,.0f}" if value.is_integer() and abs(value) >= 10 else to_figure(value)


def _to_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _tiles(readable: Readable, chosen: FrozenTrial | None) -> list[tuple[str, str]]:
    counts = Counter(trial.state for trial in readable.trials)
    found = []
    if chosen is not None:
        found += [(_to_value(value), name) for name, value in zip(readable.objectives, chosen.values, strict=True)]
    found.append((f"{len(readable.trials):,}", "trials"))
    found += [(f"{counts[state]:,}", name) for state, name in STATE_NAMES.items() if counts[state]]
    return found


def _front(readable: Readable) -> list[tuple[int, list[str], str]]:
    """Of several objectives the trials that no other beats: number, values, hyperparameters."""
    found = []
    for trial in sorted(readable.front(), key=lambda trial: trial.values[0])[:_MAX_ROWS]:
        text = ", ".join(f"{name} {_to_text(value)}" for name, value in trial.params.items())
        found.append((trial.number, [_to_value(value) for value in trial.values], text))
    return found


def _failures(study: optuna.Study) -> list[tuple[str, int]]:
    """The commonest first."""
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    reasons = Counter(_to_text(trial.system_attrs.get(FAILURE, "The reason is not known.")) for trial in failed)
    return reasons.most_common(_MAX_FAILURES)
