"""An autotrain job on small data, from its channels to one model."""

import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.search import portfolio
from tests.unit.batch_jobs.channel_files import write_channel
from tests.unit.batch_jobs.search.conftest import NUM_ROWS, RunStudy


def test_the_portfolio_is_tried_first_and_the_best_is_handed_over(run_study: RunStudy) -> None:
    studied = run_study(kind="autotrain", max_trials=8, preset="fast")
    board = studied.leaderboard
    scores = [row.score for row in board.rows]
    assert scores == sorted(scores, reverse=True)
    (chosen,) = [row for row in board.rows if row.is_chosen]
    # An ensemble may be a little behind the best alone, which is the best by luck too.
    assert chosen.trial in (None, board.rows[0].trial)
    assert studied.card.evaluations[0].metrics["roc_auc"] == chosen.score
    first = portfolio.configurations(DataKind.TABLE, Task.BINARY, num_rows=NUM_ROWS, num_columns=6)[0]
    assert [row.algorithm for row in board.rows if row.trial == 0] == [first.algorithm]
    assert len({row.algorithm for row in board.rows}) > 1
    assert len(studied.model) == chosen.model_bytes


def test_an_ensemble_is_one_model_and_better_than_its_members(run_study: RunStudy) -> None:
    studied = run_study(
        kind="autotrain",
        max_trials=8,
        algorithms=["xgboost", "linear", "lightgbm"],
        metric="log_loss",
        seed=1,
        validation_fraction=0.2,
    )
    (chosen,) = [row for row in studied.leaderboard.rows if row.is_chosen]
    assert chosen.algorithm == "ensemble" == studied.card.algorithm
    assert chosen.score < min(row.score for row in studied.leaderboard.rows if row.trial is not None)
    session = onnxruntime.InferenceSession(studied.model)
    assert {value.name for value in session.get_outputs()} == {"label", "probabilities"}
    assert sum(part["weight"] for part in studied.card.hyperparameters.values()) == pytest.approx(1, abs=1e-4)


def test_small_gives_up_a_little_score_for_size(run_study: RunStudy) -> None:
    studied = run_study(kind="autotrain", max_trials=6, preset="small", algorithms=["xgboost", "linear"])
    rows = studied.leaderboard.rows
    (chosen,) = [row for row in rows if row.is_chosen]
    near = [row for row in rows if 1 - row.score <= 1.05 * (1 - rows[0].score)]
    assert chosen.model_bytes == min(row.model_bytes or 0 for row in near)


def test_limits_hold_for_what_is_registered(run_study: RunStudy) -> None:
    studied = run_study(
        kind="autotrain", max_trials=5, algorithms=["xgboost", "linear"], max_model_bytes=20_000, metric="log_loss"
    )
    assert len(studied.model) <= 20_000


def test_what_is_chosen_is_fitted_again_on_all_rows(run_study: RunStudy) -> None:
    studied = run_study(kind="autotrain", max_trials=2, preset="balanced", algorithms=["linear"])
    (chosen,) = [row for row in studied.leaderboard.rows if row.is_chosen]
    assert studied.card.is_refitted
    assert studied.card.num_train_rows == NUM_ROWS
    # What it is known by is what a fit that had not seen these rows reached.
    assert studied.card.evaluations[0].metrics["roc_auc"] == pytest.approx(chosen.score, abs=1e-6)


def test_all_rows_judge_where_they_are_few(run_study: RunStudy) -> None:
    studied = run_study(kind="autotrain", max_trials=4, algorithms=["linear", "xgboost"])
    assert any(f"5 folds of {NUM_ROWS} rows judge each trial" in text for text in studied.reporter.messages)
    assert studied.card.num_train_rows == NUM_ROWS
    assert studied.card.evaluations[0].num_rows == NUM_ROWS
    held_out = run_study(kind="autotrain", max_trials=2, algorithms=["linear"], validation_fraction=0.25)
    assert held_out.card.evaluations[0].num_rows == NUM_ROWS // 4


def _write_many(path: Path, *, num_rarer: int = 4_000) -> dict[str, Path]:
    number = np.linspace(-1, 1, 8_000)
    columns = {
        "x": (ColumnType.NUMBER, number.tolist()),
        "y": (ColumnType.STRING, np.where(np.arange(8_000) < num_rarer, "rare", "common").tolist()),
    }
    return {"train": write_channel(path / "rows", columns, target="y")}


@pytest.mark.parametrize(("num_rarer", "num_judging"), [(40, 1_600), (4_000, 1_500)])
def test_of_two_classes_the_rarer_one_has_rows_that_judge(
    run_study: RunStudy, tmp_path: Path, num_rarer: int, num_judging: int
) -> None:
    channels = _write_many(tmp_path, num_rarer=num_rarer)
    studied = run_study(kind="autotrain", max_trials=1, preset="fast", algorithms=["linear"], channels=channels)
    assert studied.card.evaluations[0].num_rows == num_judging


@pytest.mark.parametrize(("seconds", "num_judging"), [(250, 1_500), (400, 8_000)])
def test_more_rows_judge_by_folds_where_there_is_more_time(
    run_study: RunStudy, tmp_path: Path, seconds: int, num_judging: int
) -> None:
    what = {"kind": "autotrain", "max_trials": 1, "preset": "fast", "algorithms": ["linear"]}
    studied = run_study(**what, channels=_write_many(tmp_path), deadline=time.monotonic() + seconds)
    assert studied.card.evaluations[0].num_rows == num_judging


def test_an_algorithm_that_does_not_fit_is_refused(run_study: RunStudy) -> None:
    with pytest.raises(InvalidRequestError, match="cnn does not do binary with table data"):
        run_study(kind="autotrain", max_trials=2, algorithms=["xgboost", "cnn"])


def test_trials_end_early_enough_for_the_rest(run_study: RunStudy) -> None:
    what = {"kind": "autotrain", "preset": "fast", "algorithms": ["xgboost", "linear"]}
    # How long two trials and all that comes after them take on this machine, as busy as it is.
    begun = time.monotonic()
    run_study(**what, max_trials=2, run_name="short")
    needed = time.monotonic() - begun
    studied = run_study(**what, deadline=time.monotonic() + max(10.0, 4 * needed))
    assert studied.leaderboard.rows
    assert "reporting" in studied.reporter.phases


def test_what_is_perfect_is_not_searched_on(run_study: RunStudy, tmp_path: Path) -> None:
    number = np.linspace(-1, 1, NUM_ROWS)
    columns = {
        "number": (ColumnType.NUMBER, number.tolist()),
        "target": (ColumnType.STRING, np.where(number > 0, "yes", "no").tolist()),
    }
    easy = {"train": write_channel(tmp_path / "easy", columns, target="target")}
    studied = run_study(kind="autotrain", channels=easy, max_trials=30, algorithms=["linear", "xgboost"])
    assert len(studied.leaderboard.rows) < 30
    assert [row.score for row in studied.leaderboard.rows[:3]] == [1.0, 1.0, 1.0]
    assert any("3 trials reach roc_auc 1: there is nothing better" in text for text in studied.reporter.messages)


def test_the_row_of_a_model_of_all_rows_tells_the_size_of_its_file(run_study: RunStudy) -> None:
    studied = run_study(kind="autotrain", max_trials=3, preset="small", algorithms=["xgboost"])
    (chosen,) = [row for row in studied.leaderboard.rows if row.is_chosen]
    assert studied.card.is_refitted
    assert chosen.model_bytes == len(studied.model)
