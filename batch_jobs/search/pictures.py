"""The pictures of a study among a job's files: as Plotly's JSON, and as one page."""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from optuna.study import Study

from aimass_core.domain.studies import Leaderboard
from batch_jobs.search.figures import build_figures, build_page
from batch_jobs.search.goals import Goal

FIGURES, PAGE = "figures", "study.html"


def write_pictures(
    path: Path,
    study: Study,
    goals: Sequence[Goal],
    *,
    title: str,
    description: str,
    settings: Mapping[str, str],
    leaderboard: Leaderboard,
) -> None:
    """Leaves figures/<name>.json and study.html."""
    names = [goal.metric for goal in goals]
    (path / FIGURES).mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # That few trials have a hyperparameter: true of every conditional space.
        warnings.filterwarnings("ignore", message="Some regimes for parameter")
        figures = build_figures(study, objective_names=names)
        page = build_page(
            study,
            title=title,
            objective_names=names,
            description=description,
            settings=settings,
            leaderboard=leaderboard,
        )
    for name, plot in figures.items():
        (path / FIGURES / f"{name}.json").write_text(json.dumps(plot), encoding="utf-8")
    (path / PAGE).write_text(page, encoding="utf-8")
