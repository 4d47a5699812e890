"""`auto`: tries recipes on the training rows with a small fast model, group after group, and says what each gave.

A group is kept where it lowers the loss of rows that the small model was not fitted on, in the mean of three folds and
in two of them at least. For algorithms of trees the small model is LightGBM, for the others a linear one, as trees do
not see what changes the shape of a column only.
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
from aimass_core.domain.features import ColumnRecipe, Cross, Encode, FeatureSpec, Polynomial, Selection
from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Examples, FitContext, Learner, Problem
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.splits import Split, k_folds
from batch_jobs.data.targets import Target, fit_scale
from batch_jobs.encoding.features.categories import Truth
from batch_jobs.encoding.features.fitting import fit_features

MAX_ROWS = 20_000
NUM_FOLDS = 3
MIN_GAIN = 5e-4
_MAX_COMBINED = 6
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
        num_threads=num_threads,
    )
    best, losses = base, judge.losses(base)
    groups = _tree_groups if is_of_trees else _smooth_groups
    # A column with a recipe of the user's is left to it.
    free = [column for column in columns if column.name not in base.columns]
    for words, extend in groups(judge.frame, _by_relevance(judge, free)):
        if clock() > deadline:
            message(f"features: {base.max_seconds} s were up before auto had tried {words}")
            break
        candidate = extend(best)
        if candidate == best:
            continue
        found = judge.losses(candidate)
        gain = 1.0 - float(found.mean() / losses.mean())
        is_better = gain > MIN_GAIN and int((found < losses).sum()) >= 2
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
        scale = fit_scale(self.target, self.truth[split.train])
        values = scale.to_standard(self.truth) if self.target.labels is None else self.truth
        train, judged = self.frame.take(split.train), self.frame.take(split.validation)
        encoder = fit_features(
            spec,
            train,
            self.columns,
            Truth(target=self.target, values=values[split.train], seed=self.seed),
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
        held_out = Examples(features=encoder.transform(judged), targets=values[split.validation])
        fitted = self.learner.fit(
            problem,
            Examples(features=encoder.transform_training(train), targets=values[split.train]),
            held_out,
            context=FitContext(listener=_Silent()),
        )
        scores = fitted.predict(held_out.features).astype(np.float64)
        if self.target.task is Task.REGRESSION:
            return float(np.sqrt(np.mean((scores - held_out.targets) ** 2)))
        likelihoods = scores[np.arange(len(scores)), held_out.targets] / scores.sum(axis=1)
        return float(-np.log(np.clip(likelihoods, 1e-15, 1.0)).mean())


class _Silent:
    def step(self, step: int, num_steps: int, losses: Any) -> None: ...

    def message(self, text: str) -> None: ...


def _small_trees() -> Learner:
    from batch_jobs.algorithms.lightgbm.trees import Trees

    return Trees(LightGBMHyperparameters(num_rounds=300, early_stopping_rounds=20, learning_rate=0.1, num_leaves=15))


def _linear() -> Learner:
    from batch_jobs.algorithms.sklearn.linear import Linear

    return Linear(LinearHyperparameters(max_iterations=300))


Group = tuple[str, Callable[[FeatureSpec], FeatureSpec]]


def _tree_groups(frame: Frame, columns: Sequence[Column]) -> Iterator[Group]:
    numbers, categories = _numbers(frame, columns), _categories(frame, columns)
    many = [name for name in categories if _num_levels(frame, name) >= _MIN_LEVELS]
    yield "ratios of numbers", lambda spec: _with_ratios(spec, numbers)
    yield "products of numbers", lambda spec: _with_products(spec, numbers)
    yield "target encoding beside codes", lambda spec: _with_encoding(spec, many, [Encode.CODE, Encode.TARGET])
    yield "target encoding in place of codes", lambda spec: _with_encoding(spec, many, [Encode.TARGET])
    yield "frequencies of values", lambda spec: _with_encoding(spec, many, [Encode.CODE, Encode.FREQUENCY])
    yield "crosses of categories", lambda spec: _with_crosses(spec, categories, [Encode.TARGET])
    yield "one column for each value", lambda spec: _with_encoding(spec, categories, [Encode.ONE_HOT])
    yield "leaving out what is of no use", _with_selection


def _smooth_groups(frame: Frame, columns: Sequence[Column]) -> Iterator[Group]:
    numbers, categories = _numbers(frame, columns), _categories(frame, columns)
    skewed = [name for name in numbers if abs(_skew(frame.columns[name])) > _SKEWED]
    yield "Yeo-Johnson for skewed numbers", lambda spec: _with_transform(spec, skewed, "yeo_johnson")
    yield "normal quantiles for all numbers", lambda spec: _with_transform(spec, numbers, "quantile_normal")
    yield "ratios of numbers", lambda spec: _with_ratios(spec, numbers)
    yield "squares and products of numbers", lambda spec: _with_polynomial(spec, numbers)
    yield "target encoding beside codes", lambda spec: _with_encoding(spec, categories, [Encode.CODE, Encode.TARGET])
    yield "crosses of categories", lambda spec: _with_crosses(spec, categories, [Encode.CODE])


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
        n_jobs=judge.num_threads,
    )
    return [columns[index] for index in np.argsort(-shared, kind="stable")]


def _to_number(values: Array) -> Array:
    if values.dtype == object:
        return np.unique(values.astype(str), return_inverse=True)[1].astype(np.float64)
    present = values[~np.isnan(values)]
    return np.where(np.isnan(values), np.median(present) if len(present) else 0.0, values).astype(np.float64)


def _with_ratios(spec: FeatureSpec, numbers: Sequence[str]) -> FeatureSpec:
    pairs = list(itertools.permutations(numbers[:_MAX_COMBINED], 2))
    return spec.model_copy(update={"ratios": _joined(spec.ratios, pairs)})


def _with_products(spec: FeatureSpec, numbers: Sequence[str]) -> FeatureSpec:
    pairs = list(itertools.combinations(numbers[:_MAX_COMBINED], 2))
    return spec.model_copy(update={"products": _joined(spec.products, pairs)})


def _with_polynomial(spec: FeatureSpec, numbers: Sequence[str]) -> FeatureSpec:
    if spec.polynomial is not None or not numbers:
        return spec
    return spec.model_copy(update={"polynomial": Polynomial(columns=numbers[: 2 * _MAX_COMBINED])})


def _with_encoding(spec: FeatureSpec, names: Sequence[str], encode: list[Encode]) -> FeatureSpec:
    return _with_recipes(spec, names, encode=encode)


def _with_transform(spec: FeatureSpec, names: Sequence[str], transform: str) -> FeatureSpec:
    return _with_recipes(spec, names, transform=transform)


def _with_recipes(spec: FeatureSpec, names: Sequence[str], **fields: Any) -> FeatureSpec:
    recipes = dict(spec.columns)
    for name in names:
        recipes[name] = ColumnRecipe.model_validate(
            recipes.get(name, ColumnRecipe()).model_dump(exclude_unset=True) | fields
        )
    return spec.model_copy(update={"columns": recipes})


def _with_crosses(spec: FeatureSpec, categories: Sequence[str], encode: list[Encode]) -> FeatureSpec:
    known = {cross.columns for cross in spec.crosses}
    pairs = itertools.combinations(categories[:_MAX_COMBINED], 2)
    made = [Cross(columns=pair, encode=encode) for pair in pairs if pair not in known]
    return spec.model_copy(update={"crosses": [*spec.crosses, *made]})


def _with_selection(spec: FeatureSpec) -> FeatureSpec:
    if spec.select is not None:
        return spec
    return spec.model_copy(update={"select": Selection(method="permutation")})


def _joined(pairs: Sequence[tuple[str, str]], more: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(dict.fromkeys([*pairs, *more]))
