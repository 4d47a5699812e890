"""Every method: its whole as one graph answers as gate and experts run apart, in batches of any sort."""

from typing import Any

import numpy as np
import pytest

from aimass_core.domain.decomposition import DecompositionMethod
from aimass_core.domain.schemas import ColumnType
from batch_jobs.data.frames import Frame
from batch_jobs.data.targets import fit_scale
from batch_jobs.decompose.combining import Decoding, Routing
from batch_jobs.decompose.contract import Ground, Method, UnfitError
from batch_jobs.decompose.graph import build_graph, join_parts_signatures
from batch_jobs.decompose.methods import METHODS
from batch_jobs.decompose.methods.codes import draw_code
from batch_jobs.decompose.methods.components import split_matrices
from batch_jobs.decompose.methods.hierarchy import group_classes
from batch_jobs.decompose.wholes import Whole
from batch_jobs.evaluate.metrics import evaluate
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.train.interface import make_hard_rows
from tests.unit.batch_jobs.decompose.conftest import Open, class_columns, season_columns, value_columns

LINEAR: dict[str, Any] = {"algorithm": "linear"}


def _method(name: str) -> Method:
    return next(method for method in METHODS if method.method == DecompositionMethod(name))


def _scorer(whole: Whole, ground: Ground) -> Scorer:
    scale = fit_scale(ground.target, ground.train.truth)
    model = build_graph(whole, ground.material, scale).SerializeToString()
    return Scorer(model, join_parts_signatures(whole, ground.material))


def _check(whole: Whole, ground: Ground) -> Scorer:
    """All rows at once, one at a time, those of one expert alone, and hard ones."""
    scorer, frame = _scorer(whole, ground), ground.frame(ground.validation)
    scale = 1.0 if ground.target.labels else float(ground.train.truth.std())
    given = whole.share(frame)
    batches = [frame, *(frame.take(np.asarray([row])) for row in range(12)), make_hard_rows(frame)]
    batches += [frame.take(rows) for rows in map(np.flatnonzero, given.T) if len(rows)]
    for batch in batches:
        kept = batch.take(np.flatnonzero(~whole.find_undecided(batch)))
        np.testing.assert_allclose(scorer.answer(kept).scores / scale, whole.answer(kept) / scale, atol=2e-6)
    return scorer


@pytest.mark.parametrize(
    ("name", "num_experts", "expert"),
    [
        ("hierarchy", 3, None),
        ("hierarchy", 4, LINEAR),
        ("one_vs_rest", 6, LINEAR),
        ("output_codes", 5, None),
        ("clusters", 3, None),
        ("tree", 3, LINEAR),
        ("mixture", 2, LINEAR),
        ("feature_groups", 2, None),
        ("cascade", 2, None),
        ("cascade", 3, {"algorithm": "random_forest", "hyperparameters": {"num_trees": 90}}),
    ],
)
def test_a_whole_of_classes_answers_as_its_parts_do(
    open_ground: Open, name: str, num_experts: int, expert: dict[str, Any] | None
) -> None:
    ground = open_ground(class_columns(), **({"expert": expert} if expert else {}))
    whole = _method(name).build(num_experts, ground)
    assert len(whole.experts) == num_experts
    scorer = _check(whole, ground)
    scores = scorer.answer(ground.frame(ground.validation)).scores
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    if name != "feature_groups":
        # Any of them has learned the task: chance is one in six, and pairs alone are one in two.
        assert evaluate("validation", ground.target, ground.validation.truth, scores).metrics["accuracy"] > 0.7


@pytest.mark.parametrize("name", ["clusters", "tree", "mixture", "feature_groups"])
def test_a_whole_of_values_answers_as_its_parts_do(open_ground: Open, name: str) -> None:
    ground = open_ground(value_columns(), expert=LINEAR)
    whole = _method(name).build(2, ground)
    _check(whole, ground)
    if name == "tree":
        # Of one line for all, and of one for each side of a cut.
        truth, answers = ground.validation.truth, whole.answer(ground.frame(ground.validation))
        line, lines = (
            evaluate("validation", ground.target, truth, scores).metrics["r2"]
            for scores in (ground.single_scores, answers)
        )
        assert lines > line + 0.1


def test_labels_of_a_row_are_split_by_region(open_ground: Open) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    labels = ["|".join(name for name, value in zip("pq", row, strict=True) if value > 0) or "r" for row in x]
    columns = {
        "x": (ColumnType.NUMBER, x[:, 0].tolist()),
        "y": (ColumnType.NUMBER, x[:, 1].tolist()),
        "target": (ColumnType.STRING, labels),
    }
    ground = open_ground(columns, task="multilabel")
    _check(_method("tree").build(2, ground), ground)


def test_a_row_is_given_to_several_experts_where_the_gate_is_unsure(open_ground: Open) -> None:
    ground = open_ground(class_columns(), num_active=2)
    whole = _method("clusters").build(3, ground)
    combination = whole.combination
    assert isinstance(combination, Routing)
    for routing in (
        Routing(num_active=2, min_share=0.1, constants=combination.constants),
        Routing(num_active=3, min_share=0.0, constants=combination.constants),
    ):
        changed = Whole(
            name=whole.name,
            method=whole.method,
            target=whole.target,
            gate=whole.gate,
            experts=whole.experts,
            combination=routing,
        )
        _check(changed, ground)
    given = changed.share(ground.frame(ground.validation)).sum(axis=1)
    assert given.max() == 3


def test_a_gate_may_be_trained_as_any_model(open_ground: Open) -> None:
    ground = open_ground(class_columns(), gate={"algorithm": "random_forest", "hyperparameters": {"num_trees": 10}})
    whole = _method("tree").build(3, ground)
    assert whole.gate is not None
    assert whole.gate.exported.card.algorithm == "random_forest"
    _check(whole, ground)


def test_groups_with_one_class_or_few_rows_are_constants(open_ground: Open) -> None:
    columns = dict(class_columns())
    kind, labels = columns["target"]
    rare = [f"rare{row}" if row < 4 else label for row, label in enumerate(labels)]
    rare[4:6] = ["rare0", "rare1"]
    columns["target"] = (kind, rare)
    ground = open_ground(columns)
    whole = _method("hierarchy").build(8, ground)
    constants = [expert for expert in whole.experts if expert.is_constant]
    assert constants
    for expert in constants:
        assert expert.part.exported.card.algorithm == "constant"
        assert expert.constant is not None
        assert expert.constant.sum() == pytest.approx(1)
    _check(whole, ground)


def test_a_forecast_is_the_sum_of_its_components(open_ground: Open) -> None:
    quick = {"algorithm": "nlinear", "hyperparameters": {"epochs": 30, "learning_rate": 0.02}}
    ground = open_ground(season_columns(), expert=quick, horizon=6, window=36)
    method = _method("components")
    assert list(method.propose(ground)) == [3]
    whole = method.build(3, ground)
    assert [expert.purpose for expert in whole.experts] == ["trend", "season", "residual"]
    frame = ground.frame(ground.validation)
    _check(whole, ground)
    gaps = dict(frame.columns)
    gaps["target"] = gaps["target"].copy()
    gaps["target"][:, 3:6] = np.nan
    with_gaps = Frame(columns=gaps, num_rows=frame.num_rows)
    scale = float(ground.train.truth.std())
    np.testing.assert_allclose(
        _scorer(whole, ground).answer(with_gaps).scores / scale, whole.answer(with_gaps) / scale, atol=1e-5
    )
    parts = [expert.question.truth for expert in whole.experts if expert.question is not None]
    np.testing.assert_allclose(sum(parts), ground.validation.truth, atol=1e-4)
    found = evaluate("validation", ground.target, ground.validation.truth, whole.answer(frame))
    assert found.metrics["rmse"] < 2.0


@pytest.mark.parametrize(("width", "period"), [(12, 12), (7, 7), (9, None)])
def test_components_add_up_to_the_series(width: int, period: int | None) -> None:
    matrices = split_matrices(40, width=width, period=period)
    np.testing.assert_allclose(sum(matrices.values()), np.eye(40), atol=1e-12)
    if period is not None:
        season = np.tile(np.arange(period) - (period - 1) / 2, 40)[:40]
        found = season @ matrices["season"]
        np.testing.assert_allclose(found[period : 40 - period], season[period : 40 - period], atol=2.0)


def test_groups_are_of_classes_that_are_confused() -> None:
    likeness = np.full((6, 6), 0.01)
    for one, other in ((0, 3), (1, 4), (2, 5)):
        likeness[one, other] = likeness[other, one] = 0.4
    assert group_classes(likeness, 3) == [[0, 3], [1, 4], [2, 5]]
    assert sorted(index for group in group_classes(np.ones((7, 7)), 2) for index in group) == list(range(7))


@pytest.mark.parametrize(("num_experts", "num_classes"), [(3, 3), (5, 6), (13, 26), (63, 7)])
def test_a_code_tells_all_classes_apart(num_experts: int, num_classes: int) -> None:
    code = draw_code(num_experts, num_classes, seed=0)
    assert code.shape == (num_experts, num_classes)
    assert len({column.tobytes() for column in code.T.copy()}) == num_classes
    assert (np.abs(code.sum(axis=1)) < num_classes).all()
    assert len({(row * row[0]).tobytes() for row in code}) == num_experts


def test_a_wrong_answer_is_made_good_by_the_others() -> None:
    code = draw_code(15, 5, seed=0)
    said = np.where(code.T[:, :, None] == np.array([-1, 1]), 0.9, 0.1).astype(np.float32)
    said[0, 0] = said[0, 0, ::-1]
    scores = Decoding(code=code).combine(list(said.transpose(1, 0, 2)))
    assert scores.argmax(axis=1).tolist() == list(range(5))


@pytest.mark.parametrize(
    ("name", "num_experts", "words"),
    [
        ("components", 3, "this task is multiclass"),
        ("hierarchy", 6, "at most 5 experts"),
        ("one_vs_rest", 4, "num_experts is 4"),
        ("output_codes", 2, "choose at least 3"),
        ("output_codes", 40, "in 31 ways"),
        ("clusters", 64, "choose at most 16"),
        ("feature_groups", 9, "4 columns cannot be divided"),
    ],
)
def test_what_does_not_fit_is_refused_with_figures(open_ground: Open, name: str, num_experts: int, words: str) -> None:
    ground = open_ground(class_columns())
    with pytest.raises(UnfitError, match=words):
        _method(name).build(num_experts, ground)


def test_values_have_no_classes_to_split(open_ground: Open) -> None:
    ground = open_ground(value_columns())
    for name in ("hierarchy", "one_vs_rest", "output_codes"):
        with pytest.raises(UnfitError, match="this task is regression"):
            _method(name).propose(ground)


def test_texts_and_images_have_no_regions(open_ground: Open) -> None:
    words = ["good day", "bad day", "so so"]
    texts = [f"{words[row % 3]} number {row}" for row in range(120)]
    columns = {
        "text": (ColumnType.STRING, texts),
        "target": (ColumnType.STRING, [words[row % 3].split()[0] for row in range(120)]),
    }
    ground = open_ground(columns, expert=LINEAR)
    for name in ("clusters", "tree", "mixture"):
        with pytest.raises(UnfitError, match="numbers of words have no distance"):
            _method(name).propose(ground)
    _check(_method("hierarchy").build(2, ground), ground)
