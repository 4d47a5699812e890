"""The one graph: which experts it runs, and what it leaves of what parts have in common."""

from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES
from batch_jobs.data.targets import TargetScale
from batch_jobs.decompose.combining import Routing
from batch_jobs.decompose.graph import build_graph, join_parts_signatures
from batch_jobs.decompose.methods.cascade import Cascade, vary_limits
from batch_jobs.decompose.methods.hierarchy import Hierarchy
from batch_jobs.decompose.parts import PartModel
from batch_jobs.evaluate.scoring import Scorer
from tests.unit.batch_jobs.decompose.conftest import Open, class_columns


@dataclass(frozen=True, kw_only=True)
class BrokenPart(PartModel):
    """Its graph cannot be run: it reads a column that is not there."""

    @property
    def core(self) -> onnx.ModelProto:  # type: ignore[override]
        graph = GraphBuilder("broken")
        features = graph.input(FEATURES, TensorProto.FLOAT, ["rows", "columns"])
        column = graph.node("Gather", features, graph.constant([10_000], np.int64), axis=1)
        graph.output(graph.node("Concat", column, column, axis=1), SCORES, TensorProto.FLOAT, ["rows", 2])
        return graph.build()


def test_an_expert_is_run_only_where_a_row_is_given_to_it(open_ground: Open) -> None:
    ground = open_ground(class_columns())
    whole = Hierarchy().build(3, ground)
    first, *others = whole.experts
    assert first.places is not None
    assert len(first.places) == 2
    part = BrokenPart(
        exported=first.part.exported, predictor=first.part.predictor, target=first.part.target, num_train_rows=1
    )
    broken = replace(whole, experts=(replace(first, part=part), *others))
    model = build_graph(broken, ground.material, TargetScale()).SerializeToString()
    scorer, frame = Scorer(model, join_parts_signatures(broken, ground.material)), ground.frame(ground.validation)
    is_for_first = whole.share(frame)[:, 0]
    rest = frame.take(np.flatnonzero(~is_for_first))
    np.testing.assert_allclose(scorer.answer(rest).scores, whole.answer(rest), atol=1e-6)
    with pytest.raises(InvalidArgument):
        scorer.answer(frame)


def test_a_cascade_ends_where_all_are_sure(open_ground: Open) -> None:
    ground = open_ground(class_columns())
    whole = next(vary_limits(Cascade().build(2, ground), ground.frame(ground.validation)))
    first, last = whole.experts
    part = BrokenPart(
        exported=last.part.exported, predictor=last.part.predictor, target=last.part.target, num_train_rows=1
    )
    broken = replace(whole, experts=(first, replace(last, part=part)))
    model = build_graph(broken, ground.material, TargetScale()).SerializeToString()
    scorer, frame = Scorer(model, join_parts_signatures(broken, ground.material)), ground.frame(ground.validation)
    is_hard = whole.share(frame)[:, 1]
    easy = frame.take(np.flatnonzero(~is_hard))
    np.testing.assert_allclose(scorer.answer(easy).scores, first.part.answer(easy), atol=1e-6)
    with pytest.raises(InvalidArgument):
        scorer.answer(frame)


def test_columns_are_encoded_once_for_all_parts(open_ground: Open) -> None:
    ground = open_ground(class_columns())
    whole = Hierarchy().build(3, ground)
    graph = build_graph(whole, ground.material, TargetScale()).graph
    alone = onnx.load_from_string(whole.experts[0].part.exported.model).graph
    assert [value.name for value in graph.input] == ["x", "y", "z", "colour"]
    # The category is looked up in one place, and each expert is a branch.
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("If") == 3
    for kind in {node.op_type for node in alone.node} & {"LabelEncoder", "Equal"}:
        assert kinds.count(kind) == [node.op_type for node in alone.node].count(kind)


def test_a_row_that_the_gate_is_undecided_about_is_found() -> None:
    shares = np.array([[0.5, 0.5 - 1e-8], [0.9, 0.1], [0.9, 0.1 + 1e-7], [0.8, 0.2]], dtype=np.float32)
    assert Routing(constants={}).find_undecided(shares).tolist() == [True, False, False, False]
    several = Routing(num_active=2, min_share=0.1, constants={})
    assert several.find_undecided(shares).tolist() == [False, True, True, False]
    assert several.choose(shares).tolist() == [[True, True], [True, True], [True, True], [True, True]]
    np.testing.assert_array_equal(Routing(constants={}).choose(np.eye(3, dtype=np.float32)), np.eye(3, dtype=bool))
