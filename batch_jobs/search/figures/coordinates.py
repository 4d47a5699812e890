"""Parallel coordinates: an axis for each hyperparameter, a line for each trial."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.collections import LineCollection
from optuna.trial import FrozenTrial

from batch_jobs.evaluate.figures import BLUE, INK, MUTED, figure, to_label
from batch_jobs.search.figures.axes import MAX_TICKS, is_log, to_choices

_ABSENT = -0.14


def draw_lines(
    trials: Sequence[FrozenTrial], names: Sequence[str], *, good: set[int], objective: str
) -> tuple[str, bool]:
    """The picture, and whether trials lack some of the hyperparameters: their lines pass below the axis.

    Args:
        trials: complete ones.
        names: of the hyperparameters, in order; the first objective comes last.
        good: the numbers of the trials to stress.
        objective: its name.
    """
    columns = [_column(name, trials) for name in names]
    columns.append(_Column.of_numbers(objective, np.asarray([trial.values[0] for trial in trials])))
    lines = np.stack([np.stack([np.full(len(trials), at), c.heights], axis=1) for at, c in enumerate(columns)], axis=1)
    is_good = np.asarray([trial.number in good for trial in trials])
    with figure(10.0, 4.0, title="Parallel coordinates") as (drawn, output):
        axes = drawn.add_subplot()
        axes.add_collection(LineCollection(lines[~is_good], colors=MUTED, linewidths=0.6, alpha=0.6))
        axes.add_collection(LineCollection(lines[is_good], colors=BLUE, linewidths=1.1))
        for at, column in enumerate(columns):
            axes.axvline(at, color=INK, linewidth=0.8)
            for height, text in column.ticks:
                axes.text(at + 0.03, height, text, fontsize=8, color=INK, va="center")
        axes.set_xticks(range(len(columns)), [to_label(column.name, 20) for column in columns], rotation=20, ha="right")
        axes.set_yticks([])
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.set(xlim=(-0.1, len(columns) - 0.6), ylim=(-0.18, 1.06))
    return output.svg, any(np.isclose(column.heights, _ABSENT).any() for column in columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """An axis of the parallel coordinates: heights from 0 to 1, and which texts stand where."""

    name: str
    heights: np.ndarray
    ticks: list[tuple[float, str]]

    @classmethod
    def of_numbers(cls, name: str, values: np.ndarray, *, is_log: bool = False) -> "_Column":
        scaled = np.log(values) if is_log else values
        low, high = np.nanmin(scaled), np.nanmax(scaled)
        heights = (scaled - low) / (high - low) if high > low else np.where(np.isnan(scaled), np.nan, 0.5)
        ends = [(1.0, np.nanmax(values))] if high == low else [(0.0, np.nanmin(values)), (1.0, np.nanmax(values))]
        ticks = [(0.5 if high == low else at, f"{value:.3g}") for at, value in ends]
        return cls(name=name, heights=np.where(np.isnan(heights), _ABSENT, heights), ticks=ticks)


def _column(name: str, trials: Sequence[FrozenTrial]) -> _Column:
    having = [trial for trial in trials if name in trial.params]
    choices = to_choices(name, having)
    if choices is None:
        values = np.asarray([float(trial.params.get(name, np.nan)) for trial in trials])
        return _Column.of_numbers(name, values, is_log=is_log(name, having))
    at = {choice: index / (len(choices) - 1) if len(choices) > 1 else 0.5 for index, choice in enumerate(choices)}
    heights = [at[str(trial.params[name])] if name in trial.params else _ABSENT for trial in trials]
    step = -(-len(choices) // MAX_TICKS)
    ticks = [(height, to_label(choice, 14)) for choice, height in list(at.items())[::step]]
    return _Column(name=name, heights=np.asarray(heights), ticks=ticks)
