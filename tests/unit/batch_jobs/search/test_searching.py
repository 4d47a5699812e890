"""A search job on small data, from its channels to the best trial's artifacts."""

import time
from typing import Any

import pytest

from aimass_core.domain.studies import LeaderboardRow
from aimass_core.errors import InvalidRequestError
from tests.unit.batch_jobs.search.conftest import RunStudy, Studied

XGBOOST: dict[str, Any] = {
    "algorithm": "xgboost",
    "hyperparameters": {"num_rounds": 20, "early_stopping_rounds": 5},
    "space": {
        "max_depth": {"type": "int", "low": 2, "high": 6},
        "learning_rate": {"type": "float", "low": 0.05, "high": 0.5, "log": True},
    },
}
LINEAR: dict[str, Any] = {
    "algorithm": "linear",
    "space": {"l2": {"type": "float", "low": 1e-3, "high": 10, "log": True}},
}


def _chosen(studied: Studied) -> LeaderboardRow:
    (row,) = [row for row in studied.leaderboard.rows if row.is_chosen]
    return row


def test_the_best_of_all_trials_is_the_model(run_study: RunStudy) -> None:
    studied = run_study(candidates=[XGBOOST], max_trials=6)
    board = studied.leaderboard
    assert (board.metric, board.direction) == ("roc_auc", "maximize")
    scores = [row.score for row in board.rows]
    assert scores == sorted(scores, reverse=True)
    assert [row.rank for row in board.rows] == list(range(1, len(scores) + 1))
    assert _chosen(studied) == board.rows[0]
    assert studied.metrics["roc_auc"] == board.rows[0].score == studied.card.primary_value
    assert studied.card.model_bytes == board.rows[0].model_bytes == len(studied.model)
    assert studied.card.importances
    assert {path.name for path in studied.environment.model_path.iterdir()} == {
        "model.onnx", "signature.json", "golden.json", "card.json", "report.html", "report.json"
    }  # fmt: skip
    depth = studied.card.hyperparameters["max_depth"]
    assert 2 <= depth <= 6


def test_one_worker_reproduces_a_study_exactly(run_study: RunStudy) -> None:
    one, other, third = (
        run_study(candidates=[XGBOOST, LINEAR], max_trials=3, sampler="tpe", seed=seed, run_name=name)
        for name, seed in (("one", 3), ("other", 3), ("third", 4))
    )

    def scores(studied: Studied) -> list[tuple[str, float]]:
        return [(row.name, row.score) for row in studied.leaderboard.rows]

    assert scores(one) == scores(other)
    assert one.model == other.model
    assert scores(third) != scores(one)


def test_several_candidates_share_a_study(run_study: RunStudy) -> None:
    studied = run_study(candidates=[XGBOOST, LINEAR], max_trials=3, pruner="none")
    # Each candidate's own defaults are tried first.
    first = {row.trial: row.algorithm for row in studied.leaderboard.rows if row.trial in (0, 1)}
    assert first == {0: "xgboost", 1: "linear"}
    assert len(studied.leaderboard.rows) == 3


def test_a_limit_is_a_constraint_of_what_may_be_chosen(run_study: RunStudy) -> None:
    everything = run_study(candidates=[XGBOOST, LINEAR], max_trials=4, run_name="everything", pruner="none")
    sizes = sorted(row.model_bytes or 0 for row in everything.leaderboard.rows)
    limit = sizes[len(sizes) // 2]
    studied = run_study(candidates=[XGBOOST, LINEAR], max_trials=4, max_model_bytes=limit, pruner="none")
    assert studied.leaderboard.rows
    assert all((row.model_bytes or 0) <= limit for row in studied.leaderboard.rows)
    assert len(studied.model) <= limit


def test_no_trial_within_the_limits_says_by_how_much(run_study: RunStudy) -> None:
    with pytest.raises(
        InvalidRequestError, match=r"None of 2 complete trials keeps all limits: model_bytes was missed"
    ):
        run_study(candidates=[LINEAR], max_trials=2, max_model_bytes=10)


def test_several_objectives_have_a_front(run_study: RunStudy) -> None:
    studied = run_study(
        candidates=[XGBOOST],
        max_trials=5,
        sampler="nsga2",
        objectives=[{"metric": "accuracy"}, {"metric": "model_bytes"}],
    )
    assert studied.leaderboard.metric == "accuracy"
    assert len(studied.leaderboard.rows) == 5


@pytest.mark.parametrize("sampler", ["random", "grid", "qmc", "gp", "tpe", "cmaes", "nsga2"])
def test_every_sampler_runs_a_study(run_study: RunStudy, sampler: str) -> None:
    space = {
        "max_depth": {"type": "int", "low": 2, "high": 3},
        "learning_rate": {"type": "float", "low": 0.1, "high": 0.3, "step": 0.01},
    }
    studied = run_study(candidates=[XGBOOST | {"space": space}], max_trials=4, sampler=sampler, pruner="none")
    assert len(studied.leaderboard.rows) == 4


@pytest.mark.parametrize("pruner", ["none", "median", "asha", "hyperband", "patient"])
def test_every_pruner_runs_a_study(run_study: RunStudy, pruner: str) -> None:
    studied = run_study(candidates=[XGBOOST], max_trials=4, pruner=pruner)
    assert studied.leaderboard.rows


def test_a_grid_ends_when_all_of_it_was_tried(run_study: RunStudy) -> None:
    space = {"max_depth": {"type": "int", "low": 2, "high": 4}}
    studied = run_study(candidates=[XGBOOST | {"space": space}], sampler="grid", pruner="none")
    assert len(studied.leaderboard.rows) == 3


def test_what_was_tried_is_not_tried_again(run_study: RunStudy) -> None:
    space = {"max_depth": {"type": "int", "low": 2, "high": 3}}
    studied = run_study(candidates=[XGBOOST | {"space": space}], sampler="random", pruner="none", max_trials=12)
    assert len(studied.leaderboard.rows) == 2


def test_a_space_of_which_all_was_tried_ends_the_study_before_its_time(run_study: RunStudy) -> None:
    space = {"max_depth": {"type": "int", "low": 2, "high": 3}}
    deadline = time.monotonic() + 3600
    studied = run_study(candidates=[XGBOOST | {"space": space}], sampler="tpe", pruner="none", deadline=deadline)
    assert len(studied.leaderboard.rows) == 2
    assert any("there is hardly another in the search space" in text for text in studied.reporter.messages)


def test_a_grid_of_an_endless_space_is_refused(run_study: RunStudy) -> None:
    with pytest.raises(InvalidRequestError, match="learning_rate: it has no grid"):
        run_study(candidates=[XGBOOST], sampler="grid", max_trials=4)


def test_e7_when_time_is_up_the_running_trial_ends_with_what_it_has(run_study: RunStudy) -> None:
    endless: dict[str, Any] = {
        "algorithm": "mlp",
        "hyperparameters": {"hidden": [256, 256], "batch_size": 8, "epochs": 1000, "patience": 1000},
        "space": {"learning_rate": {"type": "float", "low": 1e-6, "high": 1e-5, "log": True}},
    }
    # How long one epoch and all that comes after it take on this machine, as busy as it is.
    begun = time.monotonic()
    short = endless | {"hyperparameters": endless["hyperparameters"] | {"epochs": 1}}
    run_study(candidates=[short], max_trials=1, run_name="short")
    needed = time.monotonic() - begun
    studied = run_study(candidates=[endless], deadline=time.monotonic() + max(8.0, 5 * needed))
    assert 0 in {row.trial for row in studied.leaderboard.rows}
    assert any("of 1000 epochs: the schedule ends with them" in warning for warning in studied.card.warnings)
    assert studied.card.hyperparameters["epochs"] < 1000


def test_e8_a_study_whose_trials_all_fail_names_the_commonest_cause_first(run_study: RunStudy) -> None:
    unfit = {"algorithm": "xgboost", "features": {"columns": {"nowhere": {}}}, "space": XGBOOST["space"]}
    with pytest.raises(InvalidRequestError) as raised:
        run_study(candidates=[XGBOOST | unfit], max_trials=3)
    assert "nowhere" in raised.value.message


def test_an_unknown_metric_is_refused_with_those_there_are(run_study: RunStudy) -> None:
    with pytest.raises(InvalidRequestError, match=r"'glory' is no metric of this data. It has: accuracy"):
        run_study(candidates=[LINEAR], max_trials=3, objectives=[{"metric": "glory"}])
