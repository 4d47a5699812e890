"""Axes of pictures of studies: the range of an objective, the scale of a hyperparameter."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from batch_jobs.evaluate.figures import to_label

MAX_TICKS = 8


def frame(axes: Axes, values: Sequence[float], *, direction: StudyDirection | None = None) -> None:
    """Shows where most trials are: some hopeless ones must not press the rest into a line. The good end stays."""
    low, first, third, high = np.quantile(values, [0.1, 0.25, 0.75, 0.9])
    reach = 4 * (third - first)
    bottom, top = min(values), max(values)
    if reach > 0 and direction is not StudyDirection.MINIMIZE:
        bottom = max(bottom, min(low, first - reach))
    if reach > 0 and direction is not StudyDirection.MAXIMIZE:
        top = min(top, max(high, third + reach))
    margin = 0.06 * (top - bottom) or abs(top) * 0.05 or 1.0
    axes.set_ylim(bottom - margin, top + margin)


def set_log(axes: Axes, low: float, high: float) -> None:
    """With plain numbers, as figures have no mathematical text."""
    axes.set_xscale("log")
    steps = (1.0,) if high > 100 * low else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=5 * len(steps)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def is_log(name: str, trials: Sequence[FrozenTrial]) -> bool:
    """Whether a hyperparameter is equally likely by order of magnitude."""
    found = trials[0].distributions[name]
    return isinstance(found, FloatDistribution | IntDistribution) and found.log


def to_choices(name: str, trials: Sequence[FrozenTrial]) -> list[str] | None:
    """Of a categorical one, those that were tried."""
    distribution = trials[0].distributions[name]
    if not isinstance(distribution, CategoricalDistribution):
        return None
    tried = {str(trial.params[name]) for trial in trials}
    return [str(choice) for choice in distribution.choices if str(choice) in tried]


def positions_of(name: str, trials: Sequence[FrozenTrial], having: Sequence[FrozenTrial]) -> list[float]:
    """Of trials along the hyperparameter's axis; `having` are all that have it."""
    choices = to_choices(name, having)
    if choices is None:
        return [float(trial.params[name]) for trial in trials]
    return [float(choices.index(str(trial.params[name]))) for trial in trials]


def set_scale(axes: Axes, name: str, having: Sequence[FrozenTrial]) -> None:
    """Makes the horizontal axis that of a hyperparameter."""
    choices = to_choices(name, having)
    if choices is not None:
        step = -(-len(choices) // MAX_TICKS)
        axes.set_xticks(range(0, len(choices), step), [to_label(choice, 12) for choice in choices[::step]])
        if sum(len(to_label(choice, 12)) for choice in choices[::step]) > 30:
            axes.tick_params(axis="x", rotation=45)
        axes.set_xlim(-0.5, len(choices) - 0.5)
    elif is_log(name, having):
        values = [trial.params[name] for trial in having]
        set_log(axes, min(values), max(values))
    else:
        is_integer = isinstance(having[0].distributions[name], IntDistribution)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=is_integer))
