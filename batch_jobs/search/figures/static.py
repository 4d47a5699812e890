"""A study as the inline SVG of its page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from optuna.trial import FrozenTrial, TrialState

from batch_jobs.evaluate.analysis.thinning import thin
from batch_jobs.evaluate.figures import BLUE, MUTED, ORANGE, figure
from batch_jobs.search.figures.axes import frame, positions_of, set_log, set_scale
from batch_jobs.search.figures.coordinates import draw_lines
from batch_jobs.search.figures.lanes import to_bars
from batch_jobs.search.figures.readable import STATE_COLOURS, STATE_NAMES, FigureName, Readable, is_feasible_trial

_MAX_POINTS, _MAX_DOTS, _MAX_LINES = 400, 250, 150
_MAX_CURVES, _MAX_STEPS = 60, 60
_MAX_BARS, _MAX_SLICES, _MAX_AXES, _MAX_LANES = 20, 8, 8, 40
_WIDTH, _HEIGHT, _WHOLE_WIDTH = 4.7, 3.3, 10.0
_GOOD_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The pictures of one section, side by side, and what they mean."""

    title: str
    svgs: list[str]
    note: str = ""


def draw(name: FigureName, readable: Readable) -> Drawn:
    """A figure that can be drawn."""
    return _DRAWINGS[name](readable)


def _history(readable: Readable) -> Drawn:
    width = _WHOLE_WIDTH if len(readable.objectives) == 1 else _WIDTH
    svgs = [_history_of(readable.of_objective(index), width) for index in range(len(readable.objectives))]
    return Drawn(
        title="History",
        svgs=svgs,
        note="A dot is a complete trial, the line the best until then. Far worse trials may lie outside.",
    )


def _history_of(readable: Readable, width: float) -> str:
    points, name = readable.history(_MAX_POINTS), readable.objectives[0]
    with figure(width, _HEIGHT, title=f"History of {name}", is_plain=True) as (drawn, output):
        axes = drawn.add_subplot()
        for is_feasible, colour in ((False, MUTED), (True, BLUE)):
            shown = [point for point in points if point.is_feasible is is_feasible]
            label = None if is_feasible else "breaks a constraint"
            if shown:
                numbers, values = [point.number for point in shown], [point.value for point in shown]
                axes.plot(numbers, values, ".", color=colour, markersize=5, label=label)
        best = [(point.number, point.best) for point in points if point.best is not None]
        axes.step(*zip(*best, strict=True) if best else ([], []), where="post", color=ORANGE, linewidth=1.6)
        frame(axes, [point.value for point in points], direction=readable.directions[0])
        axes.set(xlabel="trial", ylabel=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if any(not point.is_feasible for point in points):
            axes.legend()
    return output.svg


def _pareto_front(readable: Readable) -> Drawn:
    svgs = [
        _front_of(front, first, second)
        for front in readable.fronts()
        for first in range(len(front.objectives))
        for second in range(first + 1, len(front.objectives))
    ]
    note = "No trial is better in both than those on the line. Trials that break a constraint are grey."
    if len(readable.objectives) > 2:
        note = "No trial is better in all objectives than the orange ones. Trials that break a constraint are grey."
    return Drawn(title="Pareto front", svgs=svgs, note=note)


def _front_of(readable: Readable, first: int, second: int) -> str:
    front = readable.front()
    names = readable.objectives[second], readable.objectives[first]
    with figure(_WIDTH, _HEIGHT, title=f"{names[1]} against {names[0]}", is_plain=True) as (drawn, output):
        axes = drawn.add_subplot()
        shown = readable.pick(readable.complete, _MAX_DOTS)
        for is_feasible, colour in ((False, MUTED), (True, BLUE)):
            of_kind = [trial.values for trial in shown if is_feasible_trial(trial) is is_feasible]
            if of_kind:
                axes.plot(*np.asarray(of_kind)[:, [second, first]].T, ".", color=colour, markersize=5)
        if front:
            corners = np.asarray(sorted((trial.values[second], trial.values[first]) for trial in front))
            style = "-" if len(readable.objectives) == 2 else ""
            axes.plot(*corners.T, style, marker="o", markersize=4, color=ORANGE, linewidth=1.4)
        frame(axes, [trial.values[first] for trial in shown], direction=readable.directions[first])
        costs = np.asarray([trial.values[second] for trial in shown])
        if costs.min() > 0 and costs.max() > 30 * costs.min():
            set_log(axes, costs.min(), costs.max())
        axes.set(xlabel=names[0], ylabel=names[1])
    return output.svg


def _importances(readable: Readable) -> Drawn:
    shown = list(readable.importances.items())[:_MAX_BARS][::-1]
    with figure(_WHOLE_WIDTH, 0.9 + 0.26 * len(shown), title="Importance of hyperparameters", is_plain=True) as (
        drawn,
        output,
    ):
        axes = drawn.add_subplot()
        axes.barh(range(len(shown)), [value for _, value in shown], color=BLUE, height=0.65)
        axes.set_yticks(range(len(shown)), [name for name, _ in shown])
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="importance, in sum 1")
    note = "What a hyperparameter has to do with the best tenth of the trials (PED-ANOVA)."
    if len(readable.importances) > len(shown):
        note += f" {len(readable.importances) - len(shown)} that matter less are left out."
    return Drawn(title="Importance of hyperparameters", svgs=[output.svg], note=note)


def _slice(readable: Readable) -> Drawn:
    names = readable.hyperparameters(_MAX_SLICES)
    shown = readable.pick(readable.complete, _MAX_DOTS)
    good = {trial.number for trial in _good(readable, shown)}
    svgs = []
    for name in names:
        having = [trial for trial in shown if name in trial.params]
        if not having:
            continue
        with figure(_WIDTH, 2.6, title=f"Slice of {name}", is_plain=True) as (drawn, output):
            axes = drawn.add_subplot()
            for is_good, colour in ((False, MUTED), (True, BLUE)):
                of_kind = [trial for trial in having if (trial.number in good) is is_good]
                positions = positions_of(name, of_kind, having)
                axes.plot(positions, [trial.values[0] for trial in of_kind], ".", color=colour, markersize=5)
            set_scale(axes, name, having)
            frame(axes, [trial.values[0] for trial in shown], direction=readable.directions[0])
            axes.set(xlabel=name, ylabel=readable.objectives[0])
        svgs.append(output.svg)
    return Drawn(title="Slices", svgs=svgs, note=_note_of_good(readable) + _left_out(readable, names))


def _parallel_coordinates(readable: Readable) -> Drawn:
    shown = readable.pick(readable.complete, _MAX_LINES)
    names = [n for n in readable.hyperparameters(_MAX_AXES) if any(n in trial.params for trial in shown)]
    good = {trial.number for trial in _good(readable, shown)}
    svg, is_lacking = draw_lines(shown, names, good=good, objective=readable.objectives[0])
    note = _note_of_good(readable)
    if is_lacking:
        note += " At the bottom: trials without the hyperparameter."
    return Drawn(title="Parallel coordinates", svgs=[svg], note=note + _left_out(readable, names))


def _intermediate_values(readable: Readable) -> Drawn:
    reported = readable.reported()
    shown = readable.pick(reported, _MAX_CURVES)
    used = [state for state in STATE_COLOURS if any(trial.state is state for trial in shown)]
    everything = []
    with figure(_WHOLE_WIDTH, _HEIGHT + 0.3, title="Intermediate values", is_plain=True) as (drawn, output):
        axes = drawn.add_subplot()
        for trial in sorted(shown, key=lambda trial: trial.state is TrialState.COMPLETE):
            steps = sorted(trial.intermediate_values)
            values = np.asarray([trial.intermediate_values[step] for step in steps])
            kept = thin(values, _MAX_STEPS)
            everything += values[kept].tolist()
            marker = "." if len(steps) == 1 else None
            colour = STATE_COLOURS[trial.state]
            axes.plot(np.asarray(steps)[kept], values[kept], color=colour, linewidth=0.9, alpha=0.7, marker=marker)
        frame(axes, everything)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="step", ylabel="intermediate value")
        axes.legend(handles=_legend(used))
    note = f"Of {len(reported):,} trials the best and some others." if len(reported) > len(shown) else ""
    return Drawn(title="Intermediate values", svgs=[output.svg], note=note)


def _timeline(readable: Readable) -> Drawn:
    bars = to_bars(readable.trials)
    workers = sorted({bar.worker for bar in bars})[:_MAX_LANES]
    used = [state for state in STATE_COLOURS if any(bar.state is state for bar in bars)]
    length = max(bar.end for bar in bars)
    unit, divisor = ("minutes", 60) if length > 600 else ("seconds", 1)
    with figure(_WHOLE_WIDTH, 1.2 + 0.3 * len(workers), title="Timeline of workers") as (drawn, output):
        axes = drawn.add_subplot()
        for lane, worker in enumerate(workers):
            for state in used:
                spans = [
                    (bar.begin / divisor, max(bar.end - bar.begin, length / 2_000) / divisor)
                    for bar in bars
                    if bar.worker == worker and bar.state is state
                ]
                axes.broken_barh(spans, (lane - 0.36, 0.72), facecolors=STATE_COLOURS[state])
        axes.set_yticks(range(len(workers)), [f"worker {worker}" for worker in workers])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel=f"{unit}, without pauses of the study", xlim=(0, length / divisor or 1))
        axes.legend(handles=_legend(used), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(used))
    return Drawn(title="Timeline of workers", svgs=[output.svg])


def _legend(states: Sequence[TrialState]) -> list[Patch]:
    return [Patch(color=STATE_COLOURS[state], label=STATE_NAMES[state]) for state in states]


def _left_out(readable: Readable, names: Sequence[str]) -> str:
    count = len(readable.hyperparameters(10**6)) - len(names)
    return f" {count} hyperparameters that matter less are left out." if count else ""


def _note_of_good(readable: Readable) -> str:
    return "The best tenth of the trials is blue." if len(readable.objectives) == 1 else "The Pareto front is blue."


def _good(readable: Readable, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The best tenth; of several objectives the front."""
    if len(readable.objectives) > 1:
        front = {trial.number for trial in readable.front()}
        return [trial for trial in trials if trial.number in front]
    size = max(round(len(readable.complete) * _GOOD_SHARE), 1)
    return readable.best(size, [trial for trial in readable.complete if is_feasible_trial(trial)])


_DRAWINGS = {
    FigureName.HISTORY: _history,
    FigureName.PARETO_FRONT: _pareto_front,
    FigureName.IMPORTANCES: _importances,
    FigureName.SLICE: _slice,
    FigureName.PARALLEL_COORDINATES: _parallel_coordinates,
    FigureName.INTERMEDIATE_VALUES: _intermediate_values,
    FigureName.TIMELINE: _timeline,
}
