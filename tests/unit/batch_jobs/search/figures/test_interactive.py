"""Plotly figures of studies: all of them plain JSON, small, true to the trials, and free of markup."""

import json
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import optuna
import plotly.graph_objects as go
import pytest
from optuna.trial import TrialState, create_trial

from batch_jobs.search.figures import FigureName, build_figures, explain_left_out, importances
from tests.unit.batch_jobs.search.figures.studies import (
    BEGIN,
    HOSTILE,
    conditional_study,
    front_study,
    long_study,
    pruned_study,
    study_of,
    trial_of,
)

MAX_BYTES = 200_000


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for text in _texts(list(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    ("make", "objectives", "left_out"),
    [
        (pruned_study, ["accuracy"], set()),
        (front_study, ["accuracy", "model_bytes"], {FigureName.INTERMEDIATE_VALUES}),
        (conditional_study, ["loss"], {FigureName.INTERMEDIATE_VALUES, FigureName.PARETO_FRONT}),
        (long_study, ["loss"], set()),
    ],
)
def test_figures_are_small_plain_json_that_plotly_accepts(
    make: Callable[[], optuna.Study], objectives: list[str], left_out: set[FigureName]
) -> None:
    study = make()
    figures = build_figures(study, objective_names=objectives)
    assert set(figures) == set(FigureName) - left_out
    assert set(explain_left_out(study)) == left_out
    for plot in figures.values():
        written = json.dumps(plot, allow_nan=False)
        assert len(written) < MAX_BYTES
        assert plot["data"]
        assert "template" not in plot["layout"]
        go.Figure(json.loads(written))


def test_i1_names_and_choices_are_texts_for_plotly() -> None:
    figures = build_figures(pruned_study(), objective_names=[HOSTILE])
    texts = _texts(json.loads(json.dumps(figures)))
    assert any("&lt;script&gt;" in text for text in texts)
    ours = ("<br>", "<extra>", "</extra>", "<b>", "</b>")
    plain = "\n".join(texts)
    for tag in ours:
        plain = plain.replace(tag, "")
    assert "<" not in plain
    assert "\x1b" not in plain


def test_the_history_has_every_improvement_and_the_numbers_of_the_trials() -> None:
    study = long_study()
    best, expected = math.inf, []
    for trial in study.get_trials(deepcopy=False):
        if trial.value is not None and trial.value < best:
            best = trial.value
            expected.append((trial.number, float(f"{best:.5g}")))
    line = build_figures(study, objective_names=["loss"])[FigureName.HISTORY]["data"][-1]
    shown = list(zip(line["x"], line["y"], strict=True))
    assert set(expected) <= set(shown)
    assert [value for _, value in shown] == sorted((value for _, value in shown), reverse=True)


def test_the_history_of_each_objective_has_its_own_direction() -> None:
    study = front_study()
    history = build_figures(study, objective_names=["accuracy", "model_bytes"])[FigureName.HISTORY]
    lines = [trace for trace in history["data"] if trace["name"] == "best so far"]
    for line, values, pick in zip(
        lines, zip(*(trial.values for trial in study.trials), strict=True), (max, min), strict=True
    ):
        assert line["y"][-1] == float(f"{pick(values):.5g}")
    assert [history["layout"][axis]["title"]["text"] for axis in ("yaxis", "yaxis2")] == ["accuracy", "model_bytes"]


def test_a_trial_that_breaks_a_constraint_is_never_the_best_so_far() -> None:
    study = conditional_study()
    history = build_figures(study, objective_names=["loss"])[FigureName.HISTORY]
    infeasible, line = (next(t for t in history["data"] if t["name"] == name) for name in ("infeasible", "best so far"))
    assert max(infeasible["y"]) < 0 <= min(line["y"])


def test_e4_values_that_are_not_finite_are_left_out() -> None:
    reported = {0: math.nan, 1: 0.5, 2: math.inf}
    trials = [
        trial_of(0.5, user_attrs={"latency_ms": math.nan, "model_bytes": 3}, intermediate_values=reported),
        trial_of(math.inf, choice="b"),
        trial_of(None, choice=None),
        trial_of(0.25, choice=HOSTILE, user_attrs={"latency_ms": "fast", "model_bytes": 2}),
        trial_of(0.75, choice=HOSTILE + "x"),
    ]
    figures = build_figures(study_of(*trials), objective_names=["loss"])
    json.dumps(figures, allow_nan=False)
    assert figures[FigureName.HISTORY]["data"][0]["x"] == [0, 3, 4]
    assert figures[FigureName.INTERMEDIATE_VALUES]["data"][0]["y"] == [0.5]
    assert sum(len(trace["x"]) for trace in figures[FigureName.PARETO_FRONT]["data"]) == 2


@pytest.mark.parametrize(
    ("trials", "drawn"),
    [
        ([], set()),
        ([trial_of(None)], set()),
        ([trial_of(1.0)], {FigureName.HISTORY}),
        ([create_trial(value=1.0), create_trial(value=2.0)], {FigureName.HISTORY}),
        ([create_trial(state=TrialState.WAITING)], set()),
        ([create_trial(state=TrialState.PRUNED, intermediate_values={3: 1.0})], {FigureName.INTERMEDIATE_VALUES}),
    ],
)
def test_what_cannot_be_drawn_is_left_out_with_a_reason(
    trials: list[optuna.trial.FrozenTrial], drawn: set[FigureName]
) -> None:
    study = optuna.create_study()
    for trial in trials:
        trial.datetime_start = BEGIN if trial.state is not TrialState.WAITING else None
    study.add_trials(trials)
    begun = {FigureName.TIMELINE} if any(trial.datetime_start for trial in trials) else set()
    assert set(build_figures(study, objective_names=["loss"])) == drawn | begun
    reasons = explain_left_out(study)
    assert set(reasons) == set(FigureName) - drawn - begun
    assert all(reason.endswith(".") for reason in reasons.values())


def test_a_running_trial_reaches_to_the_last_sign_of_life() -> None:
    running = create_trial(state=TrialState.RUNNING)
    running.datetime_start = BEGIN
    done = trial_of(1.0, datetime_start=BEGIN, datetime_complete=BEGIN + timedelta(seconds=40))
    bars = build_figures(study_of(running, done), objective_names=["loss"])[FigureName.TIMELINE]["data"]
    assert {trace["name"]: trace["x"] for trace in bars} == {"complete": [40.0], "running": [40.0]}


def test_importances_are_of_conditional_spaces_and_several_objectives_too() -> None:
    for study in (conditional_study(), front_study(60), pruned_study()):
        found = importances(study)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert sum(found.values()) == pytest.approx(1)
        assert set(found) == {name for trial in study.trials for name in trial.params}
    assert next(iter(importances(pruned_study()))) == "rate"
    assert importances(optuna.create_study()) == {}


def test_as_many_objective_names_as_objectives() -> None:
    with pytest.raises(ValueError, match="has 2 objectives"):
        build_figures(front_study(3), objective_names=["accuracy"])
