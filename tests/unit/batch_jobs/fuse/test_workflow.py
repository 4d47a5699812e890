"""Fuse jobs, from registered models to one that is better than each of them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest

from aimass_core.domain.fusion import FusionMethod, Placement, ServingGraph
from aimass_core.domain.models import ArtifactName
from aimass_core.domain.schemas import ColumnType
from batch_jobs.compress.optimization import rewrite_trees
from tests.unit.batch_jobs.channel_files import write_channel
from tests.unit.batch_jobs.fuse.conftest import Family, run_fuse, train_member


def test_several_models_become_one_that_is_better(tmp_path: Path, classifiers: Family) -> None:
    fused = run_fuse(tmp_path, classifiers.channels, classifiers.members)
    fusion, card = fused.fusion, fused.card
    assert fusion.score is not None
    best = next(member for member in fusion.members if member.name == fusion.best_member)
    assert fusion.score.value > best.score.value
    assert fusion.score.num_rows == best.score.num_rows == 180
    assert (fusion.placement, fusion.is_cross_fitted) == (Placement.ONE_GRAPH, True)
    assert {"log_loss", "ece"} <= fusion.score.metrics.keys()
    assert {entry.method for entry in fusion.methods} == set(FusionMethod)
    assert [entry.method for entry in fusion.methods if entry.is_chosen] == [fusion.method]
    assert (card.algorithm, card.primary_value) == ("fusion", pytest.approx(fusion.score.value))
    assert card.export_check is not None
    assert card.export_check.num_rows == 180
    assert {item.name for item in fused.environment.model_path.iterdir()} == set(ArtifactName) - {
        ArtifactName.FUSION,
        ArtifactName.EXPERTS,
    }
    assert card.importances
    predictions = pq.read_table(fused.environment.output_path / "validation_predictions.parquet")
    assert predictions.num_rows == 180


def test_trees_that_were_compressed_join_others_in_one_graph(tmp_path: Path, classifiers: Family) -> None:
    """They are operators of a version of ONNX that does not have those of the others any more."""
    trees, line, forest = classifiers.members
    path = tmp_path / "smaller"
    shutil.copytree(trees.path, path)
    smaller = rewrite_trees(onnx.load(path / "model.onnx"), is_packed=False)
    (path / "model.onnx").write_bytes(smaller.SerializeToString())
    members = [replace(trees, name="smaller@1", path=path), forest, line]
    fused = run_fuse(tmp_path / "fuse", classifiers.channels, members, method="stacking_linear", placement="one_graph")
    graph = onnx.load_from_string(fused.model).graph
    assert [node.op_type for node in graph.node if "Tree" in node.op_type] == ["TreeEnsemble"] * 2
    assert fused.card.export_check is not None
    assert fused.card.export_check.max_abs_difference < 1e-6


def test_served_apart_the_graph_is_the_combination_alone(tmp_path: Path, regressors: Family) -> None:
    together = run_fuse(tmp_path / "one", regressors.channels, regressors.members, method="convex_weighting")
    apart = run_fuse(
        tmp_path / "two", regressors.channels, regressors.members, method="convex_weighting", placement="apart"
    )
    assert 10 * len(apart.model) < len(together.model)
    assert apart.signature == together.signature
    graph = ServingGraph.model_validate_json((apart.environment.model_path / ArtifactName.FUSION).read_bytes())
    assert [member.name for member in graph.members] == ["trees@1", "line@1", "forest@2"]
    assert sum(member.weight or 0 for member in graph.members) == pytest.approx(1)
    assert apart.golden.inputs == together.golden.inputs
    np.testing.assert_allclose(apart.golden.outputs["value"], together.golden.outputs["value"], rtol=1e-5)
    assert apart.metrics == pytest.approx(together.metrics)


def test_it_is_served_apart_where_one_graph_is_too_large(tmp_path: Path, regressors: Family) -> None:
    fused = run_fuse(tmp_path, regressors.channels, regressors.members, max_model_bytes=5_000)
    assert fused.fusion.placement is Placement.APART
    assert fused.fusion.cost is not None
    assert fused.fusion.cost.model_bytes > 5_000  # of all that is loaded


def test_rows_of_training_fit_it_out_of_fold(tmp_path: Path, classifiers: Family) -> None:
    fused = run_fuse(tmp_path, classifiers.channels, classifiers.members, out_of_fold=3, method="stacking_linear")
    assert (fused.fusion.num_fit_rows, fused.fusion.is_cross_fitted) == (720, False)
    assert fused.fusion.score is not None
    assert fused.fusion.score.num_rows == 180
    assert fused.card.is_refitted is False


def test_forecasts_are_combined_over_all_steps(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = 10 * np.sin(np.arange(700) / 6) + 100 + rng.normal(0, 2, 700)
    channels = {"train": write_channel(tmp_path / "train", {"y": (ColumnType.NUMBER, values.tolist())}, target="y")}
    ahead = {"horizon": 3, "window": 12, "task": "forecasting"}
    members = [
        train_member(tmp_path, channels, "short@1", "nlinear", hyperparameters={"epochs": 3}, **ahead),
        train_member(tmp_path, channels, "other@1", "nlinear", hyperparameters={"hidden": [16], "epochs": 8}, **ahead),
    ]
    fused = run_fuse(tmp_path / "fuse", channels, members)
    assert fused.fusion.method is not None
    assert np.shape(fused.golden.outputs["value"])[1] == 3
    assert {entry.method for entry in fused.fusion.methods if entry.reason} == {
        FusionMethod.HARD_VOTING,
        FusionMethod.SOFT_VOTING,
        FusionMethod.STACKING_TREES,
    }
