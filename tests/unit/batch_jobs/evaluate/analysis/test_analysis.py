"""Curves keep what matters when they are thinned, slices find the weak spot, examples are the worst."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from aimass_core.domain.reports import LearningCurve
from batch_jobs.data.frames import Frame
from batch_jobs.evaluate.analysis.curves import calibration, precision_recall_curves, roc_curves, thin_curve
from batch_jobs.evaluate.analysis.examples import worst_examples
from batch_jobs.evaluate.analysis.slices import find_slices
from batch_jobs.evaluate.analysis.thinning import MAX_POINTS, thin


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=3000))
def test_d8_thinned_curves_are_short_and_keep_ends_and_extremes(values: list[float]) -> None:
    found = np.asarray(values, dtype=np.float64)
    kept = thin(found)
    finite = found[np.isfinite(found)]
    assert len(kept) <= MAX_POINTS
    assert np.isfinite(found[kept]).all()
    assert (np.diff(kept) > 0).all()
    if len(finite):
        assert (found[kept].min(), found[kept].max()) == (finite.min(), finite.max())
        assert (found[kept][0], found[kept][-1]) == (finite[0], finite[-1])


def test_d8_a_million_points_keep_the_one_spike() -> None:
    values = np.sin(np.linspace(0, 50, 1_000_000))
    values[654_321] = 99.0
    curve = thin_curve(LearningCurve(name="x", steps=list(range(1_000_000)), values=values.tolist()))
    assert len(curve.steps) <= MAX_POINTS
    assert curve.steps[curve.values.index(99.0)] == 654_321


def test_curves_of_large_data_keep_their_area() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 100_000)
    score = 1 / (1 + np.exp(-rng.normal(truth * 1.5, 1.0)))
    scores = np.stack([1 - score, score], axis=1)
    (curve,) = roc_curves(truth, scores, ["no", "yes"])
    assert curve.label == "yes"
    assert curve.area == pytest.approx(roc_auc_score(truth, score))
    assert len(curve.x) <= MAX_POINTS
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(curve.area, abs=2e-3)
    (other,) = precision_recall_curves(truth, scores, ["no", "yes"])
    assert (other.x[0], other.x[-1]) == (0.0, 1.0)


def test_calibrated_probabilities_have_a_small_error_and_sure_ones_a_large() -> None:
    rng = np.random.default_rng(0)
    given_ = rng.random(50_000)
    truth = (rng.random(50_000) < given_).astype(int)
    fair = calibration(truth, np.stack([1 - given_, given_], axis=1), ["no", "yes"])
    assert fair.expected_error < 0.02
    assert sum(found.num_rows for found in fair.bins) == 50_000
    assert np.mean([found.low <= found.mean_probability <= found.high for found in fair.bins]) > 0.7
    sure = np.round(given_)
    assert calibration(truth, np.stack([1 - sure, sure], axis=1), ["no", "yes"]).expected_error > 0.2


def test_the_slice_where_the_model_guesses_comes_first_and_is_marked() -> None:
    rng = np.random.default_rng(0)
    size = 3000
    region = rng.choice(np.asarray(["north", "south", "east"], dtype=object), size)
    age = rng.normal(40, 10, size).astype(np.float32)
    age[::50] = np.nan
    truth = rng.integers(0, 3, size)
    right = np.where(region == "east", rng.random(size) < 0.4, rng.random(size) < 0.95)
    answer = np.where(right, truth, (truth + 1) % 3)
    scores = np.full((size, 3), 0.05)
    scores[np.arange(size), answer] = 0.9
    frame = Frame(columns={"age": age, "region": region}, num_rows=size)
    found = find_slices(frame, ["age", "region"], truth, scores, metric="accuracy", labels=list("abc"))
    assert found
    worst = found.items[0]
    assert (worst.column, worst.values, worst.is_worse) == ("region", "east", True)
    assert worst.num_rows == int((region == "east").sum())
    assert {"missing"} <= {item.values for item in found.items if item.column == "age"}
    assert [item.value for item in found.items] == sorted(item.value for item in found.items if item.value is not None)


def test_slices_of_a_regression_have_the_largest_error_first() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, 2000).astype(np.float32)
    truth = rng.normal(size=2000)
    scores = truth + rng.normal(size=2000) * x
    found = find_slices(Frame(columns={"x": x}, num_rows=2000), ["x"], truth, scores, metric="rmse", labels=None)
    assert found
    assert float(found.items[0].values.split(" to ")[1]) == pytest.approx(x.max(), rel=1e-3)


def test_slices_stop_when_their_time_is_up() -> None:
    ticks = itertools.count(0, 3)
    columns = {f"c{n}": np.repeat(np.arange(4, dtype=np.float32), 50) for n in range(8)}
    truth = np.zeros(200)
    found = find_slices(
        Frame(columns=columns, num_rows=200),
        list(columns),
        truth,
        truth + 1,
        metric="rmse",
        labels=None,
        clock=lambda: float(next(ticks)),
    )
    assert found
    assert {item.column for item in found.items} == {"c0"}


def test_texts_are_divided_by_their_length_and_shown_shortened() -> None:
    texts = np.asarray([f"{n} " + "word " * (n % 90) for n in range(200)], dtype=object)
    truth = np.asarray([0, 1] * 100)
    scores = np.stack([np.linspace(0, 1, 200), np.linspace(1, 0, 200)], axis=1)
    frame = Frame(columns={"text": texts}, num_rows=200)
    found = find_slices(frame, ["text"], truth, scores, metric="accuracy", labels=["a", "b"])
    assert found
    assert "length of text" in {item.column for item in found.items}
    examples = worst_examples(frame, ["text"], truth, scores, rows=np.arange(1000, 1200), labels=["a", "b"], types={})
    assert examples[0].row == 1000
    assert (examples[0].actual, examples[0].predicted, examples[0].probabilities[0].probability) == ("a", "b", 1.0)
    assert all(len(example.values["text"]) <= 300 for example in examples)
    assert [e.probabilities[0].probability for e in examples] == sorted(
        (e.probabilities[0].probability for e in examples), reverse=True
    )
