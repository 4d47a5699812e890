"""What an autotrain job ends with beside its best trial: a fusion, a decomposition, a compressed model."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from aimass_core.domain.compression import Compression
from aimass_core.domain.decomposition import Decomposition
from aimass_core.domain.fusion import Fusion
from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Card
from aimass_core.domain.study_specs import AutotrainSpec
from aimass_core.errors import InvalidRequestError
from batch_jobs.evaluate.scoring import Scorer
from tests.unit.batch_jobs.channel_files import write_channel
from tests.unit.batch_jobs.fuse.conftest import make_table
from tests.unit.batch_jobs.search.conftest import RunStudy, Studied


def _check_golden(studied: Studied) -> None:
    """The file that is handed over answers its golden request."""
    golden, signature = studied.golden, studied.signature
    inputs = {}
    for spec in signature.inputs:
        dtype = {"BYTES": object, "FP64": np.float64}.get(str(spec.datatype.value), np.float32)
        inputs[spec.name] = np.asarray(golden.inputs[spec.name], dtype=dtype)
    scores = Scorer(studied.model, signature).run(inputs)[-1]
    np.testing.assert_allclose(scores, list(golden.outputs.values())[-1], atol=golden.tolerance)


def test_a_study_ends_with_the_best_way_to_combine_its_models(run_study: RunStudy, tmp_path: Path) -> None:
    channels = {"train": write_channel(tmp_path / "values", make_table("regression"), target="target")}
    studied = run_study(
        kind="autotrain",
        channels=channels,
        max_trials=8,
        algorithms=["xgboost", "linear", "mlp"],
        fuse=True,
    )
    fusion = Fusion.model_validate_json((studied.environment.output_path / "fusion.json").read_bytes())
    (chosen,) = [row for row in studied.leaderboard.rows if row.is_chosen]
    assert fusion.method is not None
    assert fusion.score is not None
    assert {each.method for each in fusion.methods} >= {"greedy_weighting", "stacking_linear", "blending"}
    assert fusion.score.value == min(each.score.value for each in fusion.methods if each.score is not None)
    assert (chosen.algorithm, studied.card.algorithm) == ("fusion", "fusion")
    assert f"({fusion.method})" in chosen.name
    assert chosen.score == pytest.approx(fusion.score.value)
    assert chosen.score < min(row.score for row in studied.leaderboard.rows if row.trial is not None)
    assert {each.algorithm for each in fusion.members} == {"xgboost", "linear", "mlp"}
    _check_golden(studied)


def test_a_fusion_that_folds_judged_is_known_by_their_means(run_study: RunStudy, tmp_path: Path) -> None:
    channels = {"train": write_channel(tmp_path / "values", make_table("regression", num_rows=300), target="target")}
    studied = run_study(
        kind="autotrain", channels=channels, max_trials=4, algorithms=["xgboost", "linear"], fuse=True, folds=3
    )
    board = studied.leaderboard
    (chosen,) = [row for row in board.rows if row.is_chosen]
    assert chosen == board.rows[0]
    assert chosen.score == pytest.approx(studied.card.evaluations[0].metrics["rmse"])
    _check_golden(studied)


def test_a_study_ends_with_a_decomposition_where_that_is_better_for_its_operations(
    run_study: RunStudy, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    side, numbers = rng.uniform(-1, 1, 900), rng.normal(size=(900, 6))
    value = 10 * np.where(side > 0, numbers[:, :3].sum(axis=1), -numbers[:, 3:].sum(axis=1))
    columns = {f"x{number}": (ColumnType.NUMBER, column.tolist()) for number, column in enumerate(numbers.T)}
    columns |= {"side": (ColumnType.NUMBER, side.tolist()), "target": (ColumnType.NUMBER, value.tolist())}
    studied = run_study(
        kind="autotrain",
        channels={"train": write_channel(tmp_path / "regions", columns, target="target")},
        max_trials=1,
        preset="small",
        algorithms=["random_forest"],
        decompose=True,
    )
    found = Decomposition.model_validate_json((studied.environment.output_path / "decomposition.json").read_bytes())
    single, *wholes = found.wholes
    assert single.name.startswith("trial ")
    (best,) = [row for row in studied.leaderboard.rows if row.is_chosen]
    chosen = [whole for whole in wholes if whole.is_chosen]
    assert [whole.name for whole in chosen] == [best.name]
    assert chosen[0].score.value < single.score.value
    assert (chosen[0].cost.num_operations or 0) <= (single.cost.num_operations or 0)
    assert studied.card.algorithm == "decomposition"
    # Gate and experts are models of their own, as those of a decompose job are.
    parts = sorted(path.name for path in studied.environment.parts_path.iterdir())
    assert len([name for name in parts if name.startswith("expert-")]) == studied.card.hyperparameters["num_experts"]
    for name in parts:
        assert Card.model_validate_json((studied.environment.parts_path / name / "card.json").read_bytes()).model_bytes
    _check_golden(studied)


def test_a_study_whose_models_all_miss_a_limit_ends_with_a_compressed_one(run_study: RunStudy) -> None:
    studied = run_study(
        kind="autotrain", max_trials=3, algorithms=["xgboost"], max_model_bytes=4_000, metric="log_loss", preset="fast"
    )
    (row,) = studied.leaderboard.rows
    table = Compression.model_validate_json((studied.environment.output_path / "compression.json").read_bytes())
    assert row.is_chosen
    assert row.trial is None
    assert row.name.endswith(", compressed")
    assert row.model_bytes == len(studied.model)
    assert len(studied.model) <= 4_000
    assert table.candidates[0].cost.model_bytes > 4_000
    assert studied.card.hyperparameters["compressed_from"] == table.parent
    _check_golden(studied)


@pytest.mark.slow  # half a minute of one processor
def test_what_keeps_the_limits_is_not_given_up_for_a_worse_one(run_study: RunStudy) -> None:
    studied = run_study(kind="autotrain", max_trials=4, algorithms=["linear", "xgboost"], max_model_bytes=6_000)
    board = studied.leaderboard
    assert board.rows[0].is_chosen
    assert len(studied.model) <= 6_000


@pytest.mark.slow
def test_limits_that_even_a_compressed_model_misses_are_told_with_what_comes_nearest(run_study: RunStudy) -> None:
    words = r"None of 2 complete trials .* comes nearest: .* model_bytes"
    with pytest.raises(InvalidRequestError, match=words) as caught:
        run_study(kind="autotrain", max_trials=2, algorithms=["linear"], max_model_bytes=10, preset="fast")
    assert "Compressing trial" in caught.value.message


@pytest.mark.parametrize(
    ("options", "words"),
    [({"fuse": True, "preset": "small"}, "ends with one model"), ({"decompose": True, "folds": 3}, "not by folds")],
)
def test_endings_that_exclude_each_other(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AutotrainSpec.model_validate({"kind": "autotrain", "dataset": "tiny", **options})


def test_texts_are_not_decomposed_by_a_study(run_study: RunStudy, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(200)]
    columns = {
        "text": (ColumnType.STRING, [" ".join(rng.choice(words, 12)) for _ in range(80)]),
        "target": (ColumnType.STRING, ["yes", "no"] * 40),
    }
    channels = {"train": write_channel(tmp_path / "texts", columns, target="target")}
    studied = run_study(
        kind="autotrain", channels=channels, max_trials=1, preset="small", algorithms=["linear"], decompose=True
    )
    assert any("nothing is decomposed" in text for text in studied.reporter.messages)
    assert studied.leaderboard.rows[0].is_chosen
