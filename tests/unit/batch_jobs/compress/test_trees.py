"""Ensembles of trees: written in fewer bytes with the same answers, and trimmed."""

from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import onnxmltools
import onnxruntime
import pytest
import xgboost
from onnx import helper
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

from batch_jobs.algorithms.export.trees import reading, writing
from batch_jobs.compress.contract import UnfitError
from batch_jobs.compress.optimization import Optimization, rewrite_trees
from batch_jobs.compress.trimming import Trimming
from batch_jobs.registered import operations
from tests.unit.batch_jobs.compress.tiny_models import COLUMNS, answer, build_ground, draw, fit_network, wrap

WIDTH = len(COLUMNS)


def _values() -> tuple[np.ndarray, np.ndarray]:
    frame, truth = draw()
    return np.stack([frame.columns[name] for name in COLUMNS], axis=1), truth


def _tree_node(model: onnx.ModelProto) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.op_type in reading.TREE_OPERATORS)


def _xgboost() -> onnx.ModelProto:
    fitted = xgboost.XGBClassifier(n_estimators=60, max_depth=4, n_jobs=1).fit(*_values())
    types = [("x", FloatTensorType([None, WIDTH]))]
    return wrap(_tree_node(onnxmltools.convert_xgboost(fitted, initial_types=types, target_opset=15)))


def _lightgbm() -> onnx.ModelProto:
    """With tests of sets: the third column is a category."""
    values, truth = _values()
    data = lightgbm.Dataset(values, truth, categorical_feature=[2], params={"verbose": -1})
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_per_group": 5, "cat_smooth": 1}
    fitted = lightgbm.train({**settings, "max_cat_to_onehot": 1}, data, num_boost_round=40)
    types = [("x", FloatTensorType([None, WIDTH]))]
    model = onnxmltools.convert_lightgbm(fitted, initial_types=types, target_opset=15, zipmap=False)
    return wrap(_tree_node(model))


def _forest() -> onnx.ModelProto:
    values, truth = _values()
    fitted = RandomForestClassifier(n_estimators=20, max_depth=8, random_state=0).fit(values, truth)
    return wrap(_tree_node(to_onnx(fitted, values[:1], options={"zipmap": False}, target_opset=15)))


MAKERS = pytest.mark.parametrize("make", [_xgboost, _lightgbm, _forest])
Make = Callable[[], onnx.ModelProto]


@MAKERS
@pytest.mark.parametrize(("layout", "share"), [("operator", 0.6), ("tables", 0.4)])
def test_optimization_answers_the_same_from_fewer_bytes(make: Make, layout: str, share: float, tmp_path: Path) -> None:
    model = make()
    before = model.SerializeToString()
    ground = build_ground(model, tmp_path)

    smaller = Optimization().apply(model, {"trees": layout}, ground)

    onnx.checker.check_model(smaller, full_check=True)
    assert smaller.ByteSize() < share * model.ByteSize()
    assert np.abs(answer(smaller, ground) - answer(model, ground)).max() < 1e-5
    assert model.SerializeToString() == before


@MAKERS
def test_what_was_written_is_read_again(make: Make) -> None:
    model = make()
    (known,) = (found.ensemble for found in reading.find(model.graph))

    (found,) = (found.ensemble for found in reading.find(writing.renew(model).graph))

    values, _ = _values()
    assert len(found.trees.roots) == len(known.trees.roots)
    assert found.trees.num_leaves == known.trees.num_leaves
    sums = [each.trees.sum_leaves(each.trees.find_leaves(values)) for each in (known, found)]
    assert np.abs(sums[0] - sums[1]).max() < 1e-6


@pytest.mark.parametrize("num_classes", [3, 800])
def test_leaves_of_several_values_are_looked_up(num_classes: int) -> None:
    """Where a row of values is wide, a few trees after the other are looked up."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2_000, 6)).astype(np.float32)
    truth = np.arange(2_000) % num_classes
    forest = RandomForestClassifier(n_estimators=7, max_depth=6, random_state=0).fit(values, truth)
    model = to_onnx(forest, values[:1], options={"zipmap": False}, target_opset=15)

    first = writing.renew(model)
    again = writing.renew(first)

    (read,) = reading.find(again.graph)
    assert read.ensemble.trees.leaf_values.shape[1] == num_classes
    expected = forest.predict_proba(values[:50])
    for written in (first, again):
        onnx.checker.check_model(written, full_check=True)
        session = onnxruntime.InferenceSession(written.SerializeToString())
        found = session.run([written.graph.output[-1].name], {"X": values[:50]})[0]
        assert np.abs(found - expected).max() < 1e-6
    assert len(again.graph.initializer) == len(first.graph.initializer)
    assert {node.op_type for node in first.graph.node if node.op_type.startswith("Tree")} == {"TreeEnsemble"}
    if num_classes == 3:
        assert first.ByteSize() < 0.6 * model.ByteSize()


def test_categories_become_sets() -> None:
    trees = reading.read(_tree_node(_lightgbm())).trees
    assert len(trees.sets) > 3
    assert any(len(values) > 1 for values in trees.sets)


@MAKERS
def test_trimming_keeps_the_score_with_fewer_leaves(make: Make, tmp_path: Path) -> None:
    model = make()
    ground = build_ground(model, tmp_path)
    method = Trimming()
    sizes = []
    for proposal in method.propose(model, ground):
        smaller = method.apply(model, proposal.settings, ground)
        onnx.checker.check_model(smaller, full_check=True)
        sizes.append(smaller.ByteSize() / model.ByteSize())
        loss = ground.score(model) - ground.score(smaller)
        if float(proposal.settings["leaves"] or 1) >= 0.25:
            assert loss < 0.01, proposal.settings
    assert sizes[0] < 0.35
    assert min(sizes) < 0.12


@MAKERS
@pytest.mark.parametrize("layout", ["operator", "tables"])
def test_what_was_trimmed_is_written_anew(make: Make, layout: str, tmp_path: Path) -> None:
    """Both write trees, and what the first has written is among the names that the second finds."""
    ground = build_ground(make(), tmp_path)
    trimmed = Trimming().apply(ground.original.graph, {"leaves": 0.5, "trees": "operator"}, ground)

    written = rewrite_trees(trimmed, is_packed=layout == "tables")

    onnx.checker.check_model(written, full_check=True)
    assert np.abs(answer(written, ground) - answer(trimmed, ground)).max() < 1e-5


def test_trimmed_trees_take_fewer_operations(tmp_path: Path) -> None:
    model = _xgboost()
    ground = build_ground(model, tmp_path)
    rows = [{name: np.full((1, 1), value, dtype=np.float32) for name in COLUMNS} for value in (-1, 0, 1)]

    smaller = Trimming().apply(model, {"leaves": 0.25}, ground)

    assert operations.count(smaller.SerializeToString(), rows) < 0.8 * operations.count(model.SerializeToString(), rows)


def test_every_comparison_packs_as_it_is(tmp_path: Path) -> None:
    """All modes, missing values to either side, and infinities."""
    for mode in ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ"):
        for missing in (0, 1):
            node = helper.make_node(
                "TreeEnsembleRegressor",
                ["x"],
                ["y"],
                domain="ai.onnx.ml",
                n_targets=2,
                nodes_treeids=[0] * 3,
                nodes_nodeids=[0, 1, 2],
                nodes_featureids=[1, 0, 0],
                nodes_modes=[f"BRANCH_{mode}", "LEAF", "LEAF"],
                nodes_values=[0.5, 0.0, 0.0],
                nodes_truenodeids=[1, 0, 0],
                nodes_falsenodeids=[2, 0, 0],
                nodes_missing_value_tracks_true=[missing, 0, 0],
                target_treeids=[0, 0],
                target_nodeids=[1, 2],
                target_ids=[0, 1],
                target_weights=[1.0, 1.0],
            )
            model = wrap(node)
            ground = build_ground(model, tmp_path)
            ensembles = [(found, found.ensemble) for found in reading.find(model.graph)]
            cases = np.asarray([0.5, np.nextafter(np.float32(0.5), 0), 0.7, np.nan, np.inf, -np.inf], dtype=np.float32)
            feed = dict.fromkeys(COLUMNS, cases[:, None])
            expected = ground.original.scorer.run(feed)[1]
            for is_packed in (False, True):
                written = writing.write(model, ensembles, is_packed=is_packed)
                found = _run(written, feed)
                assert (found == expected).all(), (mode, missing, is_packed, found, expected)


def _run(model: onnx.ModelProto, feed: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(["probabilities"], feed)[0])


def test_a_model_without_trees_is_not_trimmed(tmp_path: Path) -> None:
    model = fit_network()
    with pytest.raises(UnfitError, match="no trees"):
        Trimming().propose(model, build_ground(model, tmp_path))


def test_settings_out_of_range_are_refused(tmp_path: Path) -> None:
    model = _xgboost()
    ground = build_ground(model, tmp_path)
    with pytest.raises(UnfitError, match="above 0"):
        Trimming().apply(model, {"leaves": 1.5}, ground)
    with pytest.raises(UnfitError, match="operator"):
        Optimization().apply(model, {"trees": "forest"}, ground)


def test_a_network_without_anything_superfluous_is_left_alone(tmp_path: Path) -> None:
    model = fit_network()
    ground = build_ground(model, tmp_path)
    optimized = Optimization()
    smaller = optimized.apply(model, {}, ground)

    assert (answer(smaller, ground) == answer(model, ground)).all()
    with pytest.raises(UnfitError, match="nothing in it is superfluous"):
        optimized.apply(smaller, {}, ground)
