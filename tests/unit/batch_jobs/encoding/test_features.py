"""Recipes in ONNX, each beside scikit-learn's or numpy's own answer."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import model_selection, preprocessing

from aimass_core.domain.algorithms import trees
from aimass_core.domain.features import FeatureSpec
from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.encoding.features.categories import Truth
from batch_jobs.encoding.features.encoder import FeatureEncoder
from batch_jobs.encoding.features.fitting import fit_features
from batch_jobs.encoding.table import fit_table_encoder

NUM_ROWS = 600
COLUMNS = [
    Column(name="a", type=ColumnType.NUMBER),
    Column(name="b", type=ColumnType.NUMBER),
    Column(name="when", type=ColumnType.DATETIME),
    Column(name="city", type=ColumnType.STRING),
    Column(name="flag", type=ColumnType.BOOLEAN),
    Column(name="note", type=ColumnType.STRING),
]
TARGETS = {
    Task.BINARY: Target(column="y", task=Task.BINARY, labels=("no", "yes")),
    Task.MULTICLASS: Target(column="y", task=Task.MULTICLASS, labels=("x", "y", "z")),
    Task.REGRESSION: Target(column="y", task=Task.REGRESSION, labels=None),
}


def _frame(seed: int = 0, num_rows: int = NUM_ROWS) -> Frame:
    rng = np.random.default_rng(seed)
    a = rng.lognormal(size=num_rows).astype(np.float32)
    a[rng.random(num_rows) < 0.1] = np.nan
    b = rng.integers(-5, 6, num_rows).astype(np.float32)
    when = rng.uniform(0, 2e9, num_rows)
    cities = np.array(["Rome", "Oslo", "", "Lima", "Bern"], object)
    words = np.array(["", "Hi! 12", "NO?", "a b  c 3.", "wow"], object)
    return Frame(
        columns={
            "a": a,
            "b": b,
            "when": when,
            "city": rng.choice(cities, num_rows, p=[0.4, 0.3, 0.1, 0.19, 0.01]),
            "flag": rng.choice(np.array(["true", "false"], object), num_rows),
            "note": rng.choice(words, num_rows),
        },
        num_rows=num_rows,
    )


def _truth(task: Task = Task.BINARY, num_rows: int = NUM_ROWS) -> Truth:
    rng = np.random.default_rng(5)
    values = rng.normal(size=num_rows) if task is Task.REGRESSION else rng.integers(0, 2, num_rows)
    if task is Task.MULTICLASS:
        values = rng.integers(0, 3, num_rows)
    return Truth(target=TARGETS[task], values=values, seed=0)


def _fit(spec: dict[str, Any], frame: Frame | None = None, truth: Truth | None = None) -> FeatureEncoder:
    return fit_features(
        FeatureSpec.model_validate(spec),
        frame or _frame(),
        COLUMNS,
        truth or _truth(),
        num_threads=1,
        message=lambda _: None,
    )


def _only(name: str, recipe: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Every other column dropped."""
    columns: dict[str, Any] = {column.name: {"drop": True} for column in COLUMNS if column.name != name}
    return {"columns": columns | ({name: recipe} if recipe is not None else {}), **spec}


def _made(spec: dict[str, Any], new: Frame) -> Array:
    return _fit(spec).transform(new)


def test_no_recipe_is_what_plain_encoding_gives() -> None:
    plain = fit_table_encoder(_frame(), COLUMNS)
    made = _fit({})
    np.testing.assert_array_equal(made.transform(_frame(1)), plain.transform(_frame(1)))
    assert (made.num_numeric, made.cardinalities) == (plain.num_numeric, plain.cardinalities)


def test_free_text_without_a_recipe_is_its_common_words() -> None:
    texts = np.array([f"{'Dr.' if row % 3 else 'Miss'} {row}" for row in range(NUM_ROWS)], object)
    columns = [*COLUMNS, Column(name="called", type=ColumnType.STRING)]
    frame = Frame(columns={**_frame().columns, "called": texts}, num_rows=NUM_ROWS)
    spec = FeatureSpec.model_validate({"products": [["a", "b"]]})
    made = fit_features(spec, frame, columns, _truth(), num_threads=1, message=lambda _: None)
    plain = fit_table_encoder(frame, columns)
    assert plain.encoding.words[0].names == ("called has Dr.", "called has Miss")
    places = [made.names.index(name) for name in plain.encoding.words[0].names]
    assert made.transform(frame)[:, places].sum(axis=0).tolist() == [NUM_ROWS - NUM_ROWS // 3, NUM_ROWS // 3]


@pytest.mark.parametrize(
    ("recipe", "transformer"),
    [
        ({"scale": "standard"}, preprocessing.StandardScaler()),
        ({"scale": "robust"}, preprocessing.RobustScaler()),
        ({"scale": "minmax"}, preprocessing.MinMaxScaler()),
        ({"transform": "yeo_johnson"}, preprocessing.PowerTransformer(standardize=False)),
        ({"transform": "yeo_johnson", "scale": "standard"}, preprocessing.PowerTransformer()),
        ({"transform": "quantile_uniform"}, preprocessing.QuantileTransformer(n_quantiles=100)),
    ],
)
@pytest.mark.parametrize("column", ["a", "b"])
def test_numbers_are_transformed_as_by_scikit_learn(column: str, recipe: dict[str, Any], transformer: Any) -> None:
    transformer.fit(_frame().columns[column][:, None].astype(np.float64))
    new = _frame(1)
    found = _made(_only(column, recipe), new)
    expected = transformer.transform(new.columns[column][:, None].astype(np.float64))
    # Between values that are alike scikit-learn's quantiles run from a middle, ours from an end.
    tolerance = 1e-6 if "quantile" not in str(recipe) else 0.006
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=tolerance)


def test_quantiles_become_a_normal_sample() -> None:
    found = _made(_only("a", {"transform": "quantile_normal"}), _frame())[:, 0]
    present = found[~np.isnan(found)]
    assert abs(present.mean()) < 0.02
    assert present.std() == pytest.approx(1, abs=0.05)
    order = np.argsort(_frame().columns["a"][~np.isnan(found)], kind="stable")
    assert (np.diff(present[order]) >= 0).all()


@pytest.mark.parametrize(("how", "value"), [("median", np.median), ("mean", np.mean), (-3.5, lambda _: -3.5)])
def test_missing_numbers_are_filled_and_told(how: Any, value: Any) -> None:
    values = _frame().columns["a"]
    found = _made(_only("a", {"impute": how, "indicator": True}), _frame())
    is_missing = np.isnan(values)
    np.testing.assert_allclose(
        found[:, 0], np.where(is_missing, np.float32(value(values[~is_missing].astype(float))), values)
    )
    assert found[:, 1].tolist() == is_missing.astype(float).tolist()


@settings(max_examples=60)
@given(
    fitted=hnp.arrays(np.float32, 40, elements=st.floats(-(2.0**100), 2.0**100, width=32) | st.just(np.nan)),
    new=hnp.arrays(np.float32, 30, elements=st.floats(width=32)),
    transform=st.sampled_from([None, "yeo_johnson", "quantile_uniform", "quantile_normal"]),
    scale=st.sampled_from([None, "standard", "robust", "minmax"]),
    impute=st.sampled_from([None, "median", "mean", "most_frequent", 0.5]),
)
def test_any_numbers_give_finite_or_missing_features_and_order_is_kept(
    fitted: Array, new: Array, transform: str | None, scale: str | None, impute: Any
) -> None:
    column = [Column(name="a", type=ColumnType.NUMBER)]
    recipe = {"transform": transform, "scale": scale, "impute": impute}
    encoder = fit_features(
        FeatureSpec.model_validate({"columns": {"a": recipe}}),
        Frame(columns={"a": fitted}, num_rows=40),
        column,
        _truth(num_rows=40),
        num_threads=1,
        message=lambda _: None,
    )
    found = encoder.transform(Frame(columns={"a": new}, num_rows=30))[:, 0]
    assert not np.isinf(found).any()
    if impute is not None and transform != "yeo_johnson" and scale is None:
        assert not np.isnan(found).any()
    ordered = found[np.isfinite(new)][np.argsort(new[np.isfinite(new)], kind="stable")]
    ordered = ordered[~np.isnan(ordered)].astype(np.float64)
    assert (np.diff(ordered) >= -1e-6 * np.maximum(np.abs(ordered[1:]), 1e-6)).all()


@pytest.mark.parametrize("task", trees.LIGHTGBM.tasks)
def test_target_encoding_is_scikit_learns_and_out_of_fold_for_training_rows(task: Task) -> None:
    frame, new, truth = _frame(), _frame(1), _truth(task)
    encoder = _fit(_only("city", {"encode": ["target"]}), frame, truth)
    kind = {Task.BINARY: "binary", Task.MULTICLASS: "multiclass", Task.REGRESSION: "continuous"}[task]
    folds = model_selection.KFold if task is Task.REGRESSION else model_selection.StratifiedKFold
    reference = preprocessing.TargetEncoder(target_type=kind, cv=folds(5, shuffle=True, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out_of_fold = reference.fit_transform(frame.columns["city"][:, None], truth.values)
    np.testing.assert_allclose(encoder.transform_training(frame), out_of_fold, rtol=1e-6)
    new.columns["city"][:3] = "a city that nobody knows"
    np.testing.assert_allclose(encoder.transform(new), reference.transform(new.columns["city"][:, None]), rtol=1e-6)


def test_a_target_mean_tells_a_training_row_nothing_of_its_own_target() -> None:
    """One value a row: out of fold there is nothing to know, and a leak would show as a perfect feature."""
    frame, truth = _frame(), _truth()
    frame.columns["city"][:] = [f"id {row}" for row in range(NUM_ROWS)]
    found = _fit(_only("city", {"encode": ["target"]}), frame, truth).transform_training(frame)[:, 0]
    assert abs(np.corrcoef(found, truth.values)[0, 1]) < 0.3
    assert len(np.unique(found)) <= 5


def test_categories_are_encoded_in_every_way() -> None:
    frame = _frame()
    spec = _only("city", {"encode": ["one_hot", "frequency", "ordinal", "code"], "order": ["Oslo", "Rome"]})
    encoder = _fit(spec, frame)
    new = _frame(1)
    new.columns["city"][:4] = ["Rome", "Oslo", "new", "Lima"]
    found = encoder.transform(new)
    plain = fit_table_encoder(frame, COLUMNS)
    codes = plain.transform(new)[:, plain.num_numeric]
    np.testing.assert_array_equal(found[:, -1], codes)
    np.testing.assert_array_equal(found[:, :5], codes[:, None] == np.arange(1, 6))
    share = [float(np.mean(frame.columns["city"] == name)) for name in ("Rome", "Oslo", "new", "Lima")]
    np.testing.assert_allclose(found[:4, 5], share, rtol=1e-6)
    assert found[:4, 6].tolist() == pytest.approx([1, 0, np.nan, np.nan], nan_ok=True)
    assert encoder.cardinalities == (plain.cardinalities[0],)


def test_combinations_of_numbers() -> None:
    spec = {
        "columns": {column.name: {"drop": True} for column in COLUMNS},
        "ratios": [["a", "b"]],
        "products": [["a", "b"]],
        "polynomial": {"columns": ["a", "b"], "degree": 3},
    }
    new = _frame(1)
    a, b = new.columns["a"].astype(float), new.columns["b"].astype(float)
    encoder = _fit(spec)
    found = encoder.transform(new)
    with np.errstate(divide="ignore"):
        ratio = np.where(b == 0, np.nan, a / np.where(b == 0, 1, b))
    expected = [a * a, a * b, b * b, a**3, a * a * b, a * b * b, b**3, a * b, ratio]
    np.testing.assert_allclose(found, np.stack(expected, axis=1), rtol=1e-6)
    assert encoder.names[0] == "a * a"
    assert [spec.column for spec in encoder.describe_inputs({column.name: column.name for column in COLUMNS})] == [
        "a",
        "b",
    ]


def test_a_cross_knows_the_pairs_that_occur() -> None:
    spec = {
        "columns": {column.name: {"drop": True} for column in COLUMNS},
        "crosses": [{"columns": ["city", "flag"], "encode": ["code", "frequency"]}],
    }
    frame = _frame()
    pairs = np.array([f"{c}|{f}" for c, f in zip(frame.columns["city"], frame.columns["flag"], strict=True)])
    found = _made(spec, frame)
    for pair in np.unique(pairs):
        assert len(np.unique(found[pairs == pair, 1])) == 1
        np.testing.assert_allclose(found[pairs == pair, 0], np.mean(pairs == pair), rtol=1e-6)
    unknown = frame.take(np.zeros(1, int))
    unknown.columns["flag"][0] = "neither"
    assert _made(spec, unknown).tolist() == [[0, 0]]


def test_texts_are_counted() -> None:
    texts = ["", "Hi! 12", "NO?", "a b  c 3.", "wow", "日本 ÄB 9", "...", " x "]
    frame = _frame(1, len(texts))
    frame.columns["note"][:] = texts
    found = _made(_only("note", {"statistics": ["words", "digits", "upper_case", "marks"]}), frame)
    expected = [
        (
            len(text.split()),
            sum(c in "0123456789" for c in text),
            sum("A" <= c <= "Z" for c in text),
            sum(c in "!?." for c in text),
        )
        for text in texts
    ]
    assert [tuple(row) for row in found.tolist()] == expected


def test_dates_give_the_parts_that_are_named() -> None:
    frame = _frame()
    plain = fit_table_encoder(frame, [COLUMNS[2]]).transform(frame)
    found = _made(_only("when", {"parts": ["hour", "year", "days"]}), frame)
    np.testing.assert_array_equal(found[:, :2], plain[:, [4, 0]])
    np.testing.assert_array_equal(found[:, 2], np.floor(frame.columns["when"] / 86_400))


@pytest.mark.parametrize("method", ["variance", "mutual_information", "permutation", "l1", "recursive"])
@pytest.mark.parametrize("task", trees.LIGHTGBM.tasks)
def test_selection_keeps_what_says_something(method: str, task: Task) -> None:
    frame = _frame()
    frame.columns["a"][:] = np.nan_to_num(frame.columns["a"])
    a = frame.columns["a"]
    values = a - a.mean() if task is Task.REGRESSION else np.digitize(a, np.quantile(a, [0.33, 0.66]))
    if task is Task.BINARY:
        values = (a > np.median(a)).astype(int)
    if method == "variance":
        frame.columns["b"][:] = 3.0
    spec = {
        "columns": {name: {"drop": True} for name in ("when", "city", "flag", "note")},
        "products": [["b", "b"]],
        "select": {"method": method, "keep": 1} if method != "variance" else {"method": method},
    }
    encoder = _fit(spec, frame, Truth(target=TARGETS[task], values=values, seed=0))
    assert encoder.names == ["a"]
    assert encoder.columns == ["a"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"columns": {"citty": {"encode": ["target"]}}}, "did you mean 'city'"),
        ({"columns": {"city": {"scale": "standard"}}}, "'city' is a string column, and scale does not apply"),
        ({"columns": {"a": {"encode": ["target"]}}}, "'a' is a number column, and encode does not apply"),
        ({"columns": {"when": {"impute": 0}}}, "may have parts, drop"),
        ({"products": [["a", "city"]]}, "'city' is a string column, and products take numbers"),
        ({"crosses": [{"columns": ["a", "city"]}]}, "crosses take texts or booleans"),
        ({"polynomial": {"columns": ["a", "nope"]}}, "features.polynomial names 'nope'"),
        ({"columns": {column.name: {"drop": True} for column in COLUMNS}}, "every column is dropped"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidDataError, match=words):
        _fit(spec)


def test_a_cross_of_ten_thousand_by_ten_thousand_values_is_refused() -> None:
    frame = _frame(0, 10_000)
    for name in ("city", "note"):
        frame.columns[name][:] = [f"{name} {row}" for row in range(10_000)]
    with pytest.raises(InvalidDataError, match="'city' has 10,000 values and 'note' has 10,000"):
        _fit({"crosses": [{"columns": ["city", "note"]}]}, frame, _truth(num_rows=10_000))


def test_too_many_features_are_refused() -> None:
    columns = [Column(name=f"c{number}", type=ColumnType.STRING) for number in range(30)]
    values = np.repeat(np.array([f"v{number}" for number in range(200)], object), 5)
    frame = Frame(columns={column.name: values for column in columns}, num_rows=1000)
    spec = FeatureSpec.model_validate({"columns": {column.name: {"encode": ["one_hot"]} for column in columns}})
    with pytest.raises(InvalidDataError, match="6,000 features"):
        fit_features(spec, frame, columns, _truth(num_rows=1000), num_threads=1, message=lambda _: None)
