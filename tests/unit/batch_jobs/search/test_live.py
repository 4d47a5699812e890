"""What is to be seen of a study while it runs."""

import json
from pathlib import Path

import optuna

from aimass_core.domain.studies import Leaderboard
from aimass_core.domain.study_specs import Direction
from batch_jobs.search.archive import Archive
from batch_jobs.search.goals import Goal
from batch_jobs.search.live import Live


def test_pictures_and_leaderboard_follow_the_trials_but_not_each_of_them(tmp_path: Path) -> None:
    study = optuna.create_study(direction="maximize")
    now = 0.0
    live = Live(
        Archive(None, tmp_path),
        study,
        [Goal(metric="roc_auc", direction=Direction.MAXIMIZE)],
        title="mine",
        description="",
        settings={},
        scratch_path=tmp_path,
        clock=lambda: now,
    )
    folder = tmp_path / "study" / "studies" / "local" / "local" / "live"

    def add_trial(value: float) -> None:
        trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
        trial.set_user_attr("algorithm", "linear")
        study.tell(trial, value)
        live.update()

    def scores() -> list[float]:
        board = Leaderboard.model_validate_json((folder / "leaderboard.json").read_bytes())
        assert not any(row.is_chosen for row in board.rows)
        return [row.score for row in board.rows]

    live.update()
    assert not folder.exists()
    add_trial(0.6)
    assert scores() == [0.6]
    assert not (folder / "study.html").exists()
    now = 10.0
    add_trial(0.7)
    assert scores() == [0.7, 0.6]
    add_trial(0.8)
    assert scores() == [0.7, 0.6]
    now = 70.0
    add_trial(0.9)
    assert scores() == [0.9, 0.8, 0.7, 0.6]
    assert json.loads((folder / "figures" / "history.json").read_bytes())["data"]
    assert b"<svg" in (folder / "study.html").read_bytes()
