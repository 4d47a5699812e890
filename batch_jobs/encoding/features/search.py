"""`auto`: tries recipes on the training rows with a small fast model, group after group, and says what each gave.

A group is kept where it lowers the loss of rows that the small model was not fitted on, in each of three folds. For
algorithms of trees the small model is LightGBM, for the others a linear one, as trees do not see what changes no more
than the shape of a column.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.linear import LinearHyperparameters
from aimass_core.domain.algorithms.trees import LightGBMHyperparameters
from aimass_core.domain.features import ColumnRecipe, Cross, Encode, FeatureSpec, Selection
from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, FitContext, Learner, Problem
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.splits import Split, k_folds
from batch_jobs.data.targets import Target, fit_scale
from batch_jobs.encoding.features.categories import Truth
from batch_jobs.encoding.features.encoder import FeatureEncoder
from batch_jobs.encoding.features.fitting import fit_features

MAX_ROWS = 20_000
NUM_FOLDS = 3
MIN_GAIN = 2e-3
_MAX_COMBINED = 8
_MAX_MADE = 6
_MAX_RANKED_ROWS = 5_000
_MIN_LEVELS = 8
_SKEWED = 1.0


def search_features(
    base: FeatureSpec,
    frame: Frame,
    truth: Array,
    columns: Sequence[Column],
    *,
    target: Target,
    is_of_trees: bool,
    seed: int,
    num_threads: int,
    message: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> FeatureSpec:
    """The base with the recipes that helped; the base itself where none did, or time was up before one could."""
    deadline = clock() + base.max_seconds
    sample = np.sort(np.random.default_rng(seed).permutation(frame.num_rows)[:MAX_ROWS])
    judge = _Judge(
        frame=frame.take(sample),
        truth=truth[sample],
        columns=columns,
        target=target,
        learner=_small_trees() if is_of_trees else _linear(),
        seed=seed,
        # On so few rows, threads wait for each other longer than they work.
        num_threads=num_threads if len(sample) > MAX_ROWS // 2 else 1,
    )
    best, losses = base, judge.losses(base)
    groups = _tree_groups if is_of_trees else _smooth_groups
    # A column with a recipe of the user's is left to it.
    free = [column for column in columns if column.name not in base.columns]
    for words, extend in groups(judge, _by_relevance(judge, free)):
        if clock() > deadline:
            message(f"features: {base.max_seconds} s were up before auto had tried {words}")
            break
        candidate = extend(best)
        if candidate == best:
            continue
        found = judge.losses(candidate)
        gain = 1.0 - float(found.mean() / losses.mean())
        is_better = gain > MIN_GAIN and bool((found < losses).all())
        message(f"features: {words}: loss {-gain:+.2%} on held out rows, {'kept' if is_better else 'not kept'}")
        if is_better:
            best, losses = candidate, found
    return best


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    frame: Frame
    truth: Array
    columns: Sequence[Column]
    target: Target
    learner: Learner
    seed: int
    num_threads: int

    def losses(self, spec: FeatureSpec) -> NDArray[np.float64]:
        """Of each fold: the log loss, or the root mean squared error in deviations of the target."""
        classes = self.truth if self.target.labels is not None else None
        splits = k_folds(len(self.truth), classes=classes, num_folds=NUM_FOLDS, seed=self.seed)
        return np.array([self._loss(spec, split) for split in splits])

    def _loss(self, spec: FeatureSpec, split: Split) -> float:
        encoder, problem, train = self._prepare(spec, split.train)
        values = self._standardise(self.truth[split.validation], split.train)
        judged = self.frame.take(split.validation)
        held_out = Examples(features=encoder.transform(judged), targets=values)
        fitted = self.learner.fit(problem, train, held_out, context=FitContext(listener=_Silent()))
        scores = fitted.predict(held_out.features).astype(np.float64)
        if self.target.task is Task.REGRESSION:
            return float(np.sqrt(np.mean((scores - held_out.targets) ** 2)))
        likelihoods = scores[np.arange(len(scores)), held_out.targets] / scores.sum(axis=1)
        return float(-np.log(np.clip(likelihoods, 1e-15, 1.0)).mean())

    def gains(self, spec: FeatureSpec) -> dict[str, float]:
        """Of each feature, what a small model of trees gains by its splits."""
        from batch_jobs.algorithms.lightgbm.trees import FittedTrees

        encoder, problem, train = self._prepare(spec, np.arange(len(self.truth)))
        fitted = _small_trees().fit(problem, train, None, context=FitContext(listener=_Silent(), num_steps=50))
        assert isinstance(fitted, FittedTrees)  # noqa: S101  the type is lost in the protocol
        return dict(zip(encoder.names, fitted.booster.feature_importance("gain").tolist(), strict=True))

    def _prepare(self, spec: FeatureSpec, rows: Array) -> tuple[FeatureEncoder, Problem, Examples]:
        train, values = self.frame.take(rows), self._standardise(self.truth[rows], rows)
        encoder = fit_features(
            spec,
            train,
            self.columns,
            Truth(target=self.target, values=values, seed=self.seed),
            num_threads=self.num_threads,
            message=lambda _: None,
        )
        problem = Problem(
            task=self.target.task,
            kind=DataKind.TABLE,
            num_outputs=self.target.num_outputs,
            num_numeric=encoder.num_numeric,
            cardinalities=encoder.cardinalities,
            seed=self.seed,
            num_threads=self.num_threads,
        )
        return encoder, problem, Examples(features=encoder.transform_training(train), targets=values)

    def _standardise(self, values: Array, rows: Array) -> Array:
        return (
            values if self.target.labels is not None else fit_scale(self.target, self.truth[rows]).to_standard(values)
        )


class _Silent:
    def step(self, step: int, num_steps: int, losses: Any) -> None: ...

    def message(self, text: str) -> None: ...


def _small_trees() -> Learner:
    from batch_jobs.algorithms.lightgbm.trees import Trees

    return Trees(LightGBMHyperparameters(num_rounds=300, early_stopping_rounds=20, learning_rate=0.1, num_leaves=15))


def _linear() -> Learner:
    from batch_jobs.algorithms.sklearn.linear import Linear

    return Linear(LinearHyperparameters(max_iterations=300))


_NAMES = {"ratios": "{} / {}", "products": "{} * {}"}
Group = tuple[str, Callable[[FeatureSpec], FeatureSpec]]


def _tree_groups(judge: _Judge, columns: Sequence[Column]) -> Iterator[Group]:
    numbers, categories = _numbers(judge.frame, columns), _categories(judge.frame, columns)
    many = [name for name in categories if _num_levels(judge.frame, name) >= _MIN_LEVELS]
    yield "ratios of numbers", lambda spec: _with_pairs(judge, spec, "ratios", numbers)
    yield "target encoding beside codes", lambda spec: _with_recipes(spec, many, encode=["code", "target"])
    yield "target encoding in place of codes", lambda spec: _with_recipes(spec, many, encode=["target"])
    yield "crosses of categories", lambda spec: _with_crosses(spec, categories[:_MAX_MADE], Encode.TARGET)
    yield "products of numbers", lambda spec: _with_pairs(judge, spec, "products", numbers)
    yield "frequencies of values", lambda spec: _with_recipes(spec, many, encode=["code", "frequency"])
    yield "leaving out what is of no use", _with_selection


def _smooth_groups(judge: _Judge, columns: Sequence[Column]) -> Iterator[Group]:
    numbers, categories = _numbers(judge.frame, columns), _categories(judge.frame, columns)
    skewed = [name for name in numbers if abs(_skew(judge.frame.columns[name])) > _SKEWED]
    # NOTE: no squares and products. On heavy tails they gained 6 % on validation data, and a few test rows beyond the
    # range of the training rows then doubled the error.
    yield "Yeo-Johnson for skewed numbers", lambda spec: _with_recipes(spec, skewed, transform="yeo_johnson")
    yield "normal quantiles for all numbers", lambda spec: _with_recipes(spec, numbers, transform="quantile_normal")
    yield "ratios of numbers", lambda spec: _with_pairs(judge, spec, "ratios", numbers)
    yield "target encoding beside codes", lambda spec: _with_recipes(spec, categories, encode=["code", "target"])
    yield "crosses of categories", lambda spec: _with_crosses(spec, categories[:_MAX_MADE], Encode.CODE)


def _numbers(frame: Frame, columns: Sequence[Column]) -> list[str]:
    """Those with more than two values."""
    names = [column.name for column in columns if column.type in (ColumnType.INTEGER, ColumnType.NUMBER)]
    return [name for name in names if len(np.unique(frame.columns[name])) > 2]


def _categories(frame: Frame, columns: Sequence[Column]) -> list[str]:
    """Those whose pairs can be told apart."""
    names = [column.name for column in columns if column.type in (ColumnType.STRING, ColumnType.BOOLEAN)]
    return [name for name in names if _num_levels(frame, name) <= 1_000]


def _num_levels(frame: Frame, name: str) -> int:
    return len(np.unique(frame.columns[name].astype(str)))


def _skew(values: Array) -> float:
    present = values[~np.isnan(values)].astype(np.float64)
    return float(stats.skew(present)) if len(present) and np.ptp(present) > 0 else 0.0


def _by_relevance(judge: _Judge, columns: Sequence[Column]) -> list[Column]:
    """Those that share most with the target first: they are combined."""
    rows = np.random.default_rng(judge.seed).permutation(len(judge.truth))[:_MAX_RANKED_ROWS]
    values = [_to_number(judge.frame.columns[column.name][rows]) for column in columns]
    if not values:
        return []
    is_discrete = [column.type in (ColumnType.STRING, ColumnType.BOOLEAN) for column in columns]
    measure = mutual_info_classif if judge.target.labels is not None else mutual_info_regression
    shared = measure(
        np.stack(values, axis=1),
        judge.truth[rows],
        discrete_features=np.array(is_discrete),
        random_state=judge.seed,
    )
    return [columns[index] for index in np.argsort(-shared, kind="stable")]


def _to_number(values: Array) -> Array:
    if values.dtype == object:
        return np.unique(values.astype(str), return_inverse=True)[1].astype(np.float64)
    present = values[~np.isnan(values)]
    return np.where(np.isnan(values), np.median(present) if len(present) else 0.0, values).astype(np.float64)


def _with_pairs(judge: _Judge, spec: FeatureSpec, field: str, numbers: Sequence[str]) -> FeatureSpec:
    """Those that a small model of trees, given all of them, gains most by."""
    known: list[tuple[str, str]] = getattr(spec, field)
    choose = itertools.permutations if field == "ratios" else itertools.combinations
    made = [pair for pair in choose(numbers[:_MAX_COMBINED], 2) if pair not in known]
    if not made:
        return spec
    everything = spec.model_copy(update={field: [*known, *made]})
    gains = judge.gains(everything)
    best = sorted(made, key=lambda pair: -gains[_NAMES[field].format(*pair)])[:_MAX_MADE]
    return spec.model_copy(update={field: [*known, *best]})


def _with_recipes(spec: FeatureSpec, names: Sequence[str], **fields: Any) -> FeatureSpec:
    recipes = dict(spec.columns)
    for name in names:
        known = recipes.get(name, ColumnRecipe()).model_dump(exclude_unset=True)
        recipes[name] = ColumnRecipe.model_validate(known | fields)
    return spec.model_copy(update={"columns": recipes})


def _with_crosses(spec: FeatureSpec, categories: Sequence[str], encode: Encode) -> FeatureSpec:
    known = {cross.columns for cross in spec.crosses}
    pairs = [pair for pair in itertools.combinations(categories, 2) if pair not in known]
    return spec.model_copy(
        update={"crosses": [*spec.crosses, *(Cross(columns=pair, encode=[encode]) for pair in pairs)]}
    )


def _with_selection(spec: FeatureSpec) -> FeatureSpec:
    if spec.select is not None:
        return spec
    return spec.model_copy(update={"select": Selection(method="permutation")})
