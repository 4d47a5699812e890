"""The page of a study is complete in itself, shows the user's texts as texts, and stays small."""

import base64
import hashlib
import re
from collections.abc import Callable
from xml.etree import ElementTree

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from aimass_core.domain.studies import Leaderboard, LeaderboardRow
from aimass_core.domain.study_specs import Direction
from batch_jobs.search.figures import build_page
from batch_jobs.search.storage import FAILURE
from tests.unit.batch_jobs.pages import Tags
from tests.unit.batch_jobs.search.figures.studies import (
    HOSTILE,
    conditional_study,
    front_study,
    long_study,
    pruned_study,
    study_of,
    trial_of,
)

MAX_BYTES = 1_500_000


def _titles(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


@pytest.mark.parametrize(
    ("make", "objectives"),
    [
        (pruned_study, [HOSTILE]),
        (front_study, ["accuracy", HOSTILE]),
        (conditional_study, ["loss"]),
        (long_study, ["loss"]),
        (optuna.create_study, ["loss"]),
    ],
)
def test_i1_the_page_fetches_nothing_and_escapes_all_texts(
    make: Callable[[], optuna.Study], objectives: list[str]
) -> None:
    row = LeaderboardRow(rank=1, name=HOSTILE, algorithm=HOSTILE, trial=0, score=0.5)
    page = build_page(
        make(),
        title=HOSTILE,
        description=HOSTILE,
        objective_names=objectives,
        settings={HOSTILE: HOSTILE},
        leaderboard=Leaderboard(metric=HOSTILE, direction=Direction.MAXIMIZE, rows=[row]),
    )
    seen = Tags()
    seen.feed(page)
    assert seen.tags & {"script", "img", "iframe", "object", "link", "base", "form"} == set()
    assert [name for name, _ in seen.attributes if name.startswith("on") or name == "style"] == []
    links = [value for name, value in seen.attributes if name in {"src", "href", "xlink:href"}]
    assert [link for link in links if not link.startswith("#")] == []
    assert "&lt;script&gt;alert(1)" in page
    for svg in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        ElementTree.fromstring(svg)
    assert len(page.encode()) < MAX_BYTES
    sheets = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode() for sheet in sheets]
    assert re.findall(r"style-src 'sha256-([^']+)'", page) == digests


def test_the_best_trial_and_what_happened_to_the_others() -> None:
    study = pruned_study()
    page = build_page(study, title="digits", objective_names=["accuracy"], settings={"Sampler": "tpe"})
    assert f"Hyperparameters of trial {study.best_trial.number}" in _titles(page)
    assert f"{study.best_trial.params['rate']:.6g}" in page
    assert _titles(page)[1:] == [
        "Search",
        "Why trials failed",
        "History",
        "Pareto front",
        "Importance of hyperparameters",
        "Slices",
        "Parallel coordinates",
        "Intermediate values",
        "Timeline of workers",
    ]
    failed = len(study.get_trials(states=(TrialState.FAIL,)))
    assert f"<b>{failed}</b><span>failed</span>" in page
    assert f"<li>{failed} trials: It was" in page
    assert "Not drawn" not in page


def test_the_leaderboard_says_which_model_was_registered() -> None:
    rows = [
        LeaderboardRow(rank=1, name="ensemble of 3", algorithm="ensemble", score=0.99, model_bytes=2_000_000),
        LeaderboardRow(rank=2, name="trial 4", algorithm="fast", trial=4, score=0.98, latency_ms=0.05, is_chosen=True),
        *(LeaderboardRow(rank=n, name=f"trial {n}", algorithm="fast", trial=n, score=0.5) for n in range(5, 40)),
    ]
    board = Leaderboard(metric="accuracy", direction=Direction.MAXIMIZE, rows=rows)
    study = study_of(*(trial_of(1.0 - n / 10) for n in range(6)))
    page = build_page(study, title="x", objective_names=["accuracy"], leaderboard=board)
    assert "<b>trial 4</b> (registered)" in page
    assert "1.9 MiB" in page
    assert "0.050 ms" in page
    assert "and 12 more in leaderboard.json" in page
    assert "Hyperparameters of trial 4" in _titles(page)


def test_a_trial_that_breaks_a_constraint_is_not_shown_as_the_best() -> None:
    study = conditional_study()
    page = build_page(study, title="x", objective_names=["loss"])
    feasible = min(trial.value for trial in study.trials if trial.params["algorithm"] == "fast")
    shown = next(trial for trial in study.trials if f"Hyperparameters of trial {trial.number}<" in page)
    assert shown.value == feasible


def test_of_several_objectives_the_front_is_listed() -> None:
    study = front_study()
    page = build_page(study, title="x", objective_names=["accuracy", "model_bytes"])
    table = page[page.index("Trials of the Pareto front") :].partition("</table>")[0]
    assert re.findall(r'<tr><td class="n">(\d+)</td>', table) == [
        str(trial.number) for trial in sorted(study.best_trials, key=lambda trial: trial.values[0])
    ]
    assert "intermediate values (No trial reported intermediate values)" in page


def test_e8_when_every_trial_fails_the_commonest_cause_comes_first() -> None:
    causes = ["rare"] + ["common"] * 3
    trials = [create_trial(state=TrialState.FAIL, system_attrs={FAILURE: cause}) for cause in causes]
    page = build_page(study_of(*trials), title="x", objective_names=["loss"])
    assert re.findall(r"<li>(.*?)</li>", page) == ["3 trials: common", "1 trial: rare"]
    assert "Not drawn: history (No trial is complete), " in page
