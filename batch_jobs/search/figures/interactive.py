"""A study as Plotly figures: plain JSON that a browser draws."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
import plotly.graph_objects as go
from optuna import visualization
from optuna.trial import FrozenTrial
from plotly.subplots import make_subplots

from batch_jobs.evaluate.analysis.thinning import DIGITS, thin
from batch_jobs.evaluate.figures import BLUE, MUTED, ORANGE
from batch_jobs.search.figures.given import with_fields
from batch_jobs.search.figures.lanes import to_bars
from batch_jobs.search.figures.readable import (
    STATE_COLOURS,
    STATE_NAMES,
    FigureName,
    Readable,
    explain,
    to_readable,
)

Plot = dict[str, Any]

_MAX_POINTS = 1_000
_MAX_LINES = 120
_MAX_CURVES, _MAX_STEPS = 60, 100
_MAX_FRONT = 300
_MAX_AXES, _MAX_SLICES, _MAX_IMPORTANCES = 10, 12, 25


def build_figures(study: optuna.Study, *, objective_names: Sequence[str]) -> dict[FigureName, Plot]:
    """By name, those that can be drawn; `explain_left_out` says why the others cannot.

    However long a study is, they stay within some 100 KB: the best trials are kept, and an outline of all.
    """
    readable = to_readable(study, objective_names=objective_names, is_markup=True)
    left_out = explain(readable)
    return {name: _to_plot(build(readable)) for name, build in _BUILDERS.items() if name not in left_out}


def _history(readable: Readable) -> go.Figure:
    # NOTE: Optuna's own takes a trial's number for its position, and so wants all trials.
    return _stack([_history_of(readable.of_objective(index)) for index in range(len(readable.objectives))])


def _history_of(readable: Readable) -> go.Figure:
    name, history = readable.objectives[0], readable.history(_MAX_POINTS)
    figure = go.Figure(layout={"xaxis": {"title": {"text": "trial"}}, "yaxis": {"title": {"text": name}}})
    for title, colour, kept in (("feasible", BLUE, True), ("infeasible", MUTED, False)):
        points = [point for point in history if point.is_feasible is kept]
        if points:
            x, y = [point.number for point in points], [point.value for point in points]
            figure.add_scatter(name=title, x=x, y=y, mode="markers", marker={"color": colour, "size": 5})
    best = [(point.number, point.best) for point in history if point.best is not None]
    x, y = [number for number, _ in best], [value for _, value in best]
    figure.add_scatter(name="best so far", x=x, y=y, mode="lines", line={"color": ORANGE, "shape": "hv"})
    return figure


def _parallel_coordinates(readable: Readable) -> go.Figure:
    study = readable.to_study(readable.pick(readable.complete, _MAX_LINES))
    names = _present(study, readable.hyperparameters(_MAX_AXES))
    title = readable.objectives[0]
    figure = visualization.plot_parallel_coordinate(study, params=names, target_name=title)
    return figure.update_layout(plot_bgcolor=None)


def _importances(readable: Readable) -> go.Figure:
    shown = list(readable.importances.items())[:_MAX_IMPORTANCES][::-1]
    bars = go.Bar(x=[value for _, value in shown], y=[name for name, _ in shown], orientation="h", marker_color=BLUE)
    return go.Figure(bars, {"xaxis": {"title": {"text": "importance, in sum 1"}}, "yaxis": {"automargin": True}})


def _slice(readable: Readable) -> go.Figure:
    alone = readable.of_objective(0)
    study = alone.to_study(alone.pick(alone.complete, _MAX_POINTS // 2))
    names = _present(study, readable.hyperparameters(_MAX_SLICES))
    return visualization.plot_slice(study, params=names, target_name=readable.objectives[0])


def _pareto_front(readable: Readable) -> go.Figure:
    names = set(readable.hyperparameters(_MAX_SLICES))
    figures = []
    for front in readable.fronts():
        best = {trial.number for trial in front.front()}
        kept = best | {trial.number for trial in front.pick(front.complete, _MAX_FRONT)}
        shown = [
            # What is said of a trial that is pointed at.
            with_fields(
                trial,
                user_attrs={},
                params={name: value for name, value in trial.params.items() if name in names and trial.number in best},
            )
            for trial in front.complete
            if trial.number in kept
        ]
        figures.append(visualization.plot_pareto_front(front.to_study(shown), target_names=list(front.objectives)))
    return _stack(figures)


def _intermediate_values(readable: Readable) -> go.Figure:
    shown = readable.pick(readable.reported(), _MAX_CURVES)
    return visualization.plot_intermediate_values(readable.to_study(map(_with_few_steps, shown)))


def _with_few_steps(trial: FrozenTrial) -> FrozenTrial:
    steps = sorted(trial.intermediate_values)
    kept = thin(np.asarray([trial.intermediate_values[step] for step in steps]), _MAX_STEPS)
    return with_fields(trial, intermediate_values={steps[at]: trial.intermediate_values[steps[at]] for at in kept})


def _timeline(readable: Readable) -> go.Figure:
    bars = to_bars(readable.trials)
    figure = go.Figure()
    for state, colour in STATE_COLOURS.items():
        of_state = [bar for bar in bars if bar.state is state]
        if of_state:
            figure.add_bar(
                name=STATE_NAMES[state],
                orientation="h",
                base=[bar.begin for bar in of_state],
                x=[bar.end - bar.begin for bar in of_state],
                y=[f"worker {bar.worker}" for bar in of_state],
                text=[bar.title for bar in of_state],
                textposition="none",
                hovertemplate=f"%{{text}}, {STATE_NAMES[state]}, %{{x:.1f}} s<extra></extra>",
                marker_color=colour,
            )
    lanes = [f"worker {worker}" for worker in sorted({bar.worker for bar in bars}, reverse=True)]
    return figure.update_layout(
        barmode="overlay",
        showlegend=True,
        xaxis_title="seconds, without pauses of the study",
        yaxis={"categoryorder": "array", "categoryarray": lanes, "automargin": True},
    )


_BUILDERS: dict[FigureName, Callable[[Readable], go.Figure]] = {
    FigureName.HISTORY: _history,
    FigureName.PARETO_FRONT: _pareto_front,
    FigureName.IMPORTANCES: _importances,
    FigureName.SLICE: _slice,
    FigureName.PARALLEL_COORDINATES: _parallel_coordinates,
    FigureName.INTERMEDIATE_VALUES: _intermediate_values,
    FigureName.TIMELINE: _timeline,
}


def _present(study: optuna.Study, names: Sequence[str]) -> list[str]:
    """Of these, those that the trials that were kept have."""
    found = {name for trial in study.get_trials(deepcopy=False) for name in trial.params}
    return [name for name in names if name in found]


def _stack(figures: Sequence[go.Figure]) -> go.Figure:
    """Below each other, the legend once."""
    if len(figures) == 1:
        return figures[0]
    stacked = make_subplots(rows=len(figures), cols=1)
    for row, figure in enumerate(figures, start=1):
        stacked.add_traces(figure.data, rows=row, cols=1)
        stacked.update_xaxes(title=figure.layout.xaxis.title, row=row, col=1)
        stacked.update_yaxes(title=figure.layout.yaxis.title, row=row, col=1)
        if row > 1:
            stacked.update_traces(showlegend=False, row=row, col=1)
            stacked.update_traces(marker_showscale=False, row=row, col=1)
    return stacked


def _to_plot(figure: go.Figure) -> Plot:
    """Without Plotly's default theme and the title, which whoever shows it adds, and with digits that can be seen."""
    plot: Plot = _to_plain(figure.to_plotly_json())
    for name in ("template", "title"):
        plot["layout"].pop(name, None)
    return plot


def _to_plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _to_plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_to_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
