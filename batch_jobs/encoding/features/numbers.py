"""Recipes of numbers: impute, bring into shape, scale; and features made from several numbers."""

import itertools
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto
from scipy import stats
from sklearn.preprocessing import PowerTransformer

from aimass_core.domain.features import ColumnRecipe, Pair, Polynomial
from batch_jobs.data.frames import Array
from batch_jobs.encoding.doubles import Doubles
from batch_jobs.encoding.features.blocks import Block, Sources

NUM_QUANTILES = 100
_TINY = 1e-12

Step = Callable[[Doubles], Doubles]


def number_blocks(column: str, values: Array, recipe: ColumnRecipe) -> list[Block]:
    """The column as the recipe says, and the indicator of its missing values."""
    steps = _fit_steps(values.astype(np.float64), recipe)

    def build(sources: Sources) -> str:
        value = sources.number(column)
        for step in steps:
            value = step(value)
        return value.to_float32()

    def build_indicator(sources: Sources) -> str:
        return sources.graph.node("Cast", sources.number(column).is_missing(), to=TensorProto.FLOAT)

    blocks = [Block(names=(column,), columns=(column,), build=build)]
    if recipe.indicator:
        blocks.append(Block(names=(f"{column} is missing",), columns=(column,), build=build_indicator))
    return blocks


def _fit_steps(values: NDArray[np.float64], recipe: ColumnRecipe) -> list[Step]:
    """Impute, transform, scale, in this order, each fitted on what those before it made of the training rows."""
    steps: list[Step] = []
    present = values[~np.isnan(values)]
    if recipe.impute is not None:
        fill = _fill_value(present, recipe.impute)
        present = np.where(np.isnan(values), fill, values)
        steps.append(lambda value: value.replace(value.is_missing(), fill))
    if not len(present):
        return steps
    if recipe.transform == "yeo_johnson":
        step, present = _fit_yeo_johnson(present)
        steps.append(step)
    elif recipe.transform is not None:
        step, present = _fit_quantiles(present, is_normal=recipe.transform == "quantile_normal")
        steps.append(step)
    if recipe.scale is not None:
        centre, width = _fit_scale(present, recipe.scale)
        steps.append(lambda value: (value - centre) / width)
    return steps


def _fill_value(present: NDArray[np.float64], how: str | float) -> float:
    if not isinstance(how, str):
        return how
    if not len(present):
        return 0.0
    if how == "most_frequent":
        found, counts = np.unique(present, return_counts=True)
        return float(found[counts.argmax()])
    return float(np.median(present) if how == "median" else present.mean())


def _fit_scale(present: NDArray[np.float64], how: str) -> tuple[float, float]:
    """What is subtracted, and what is divided by; as StandardScaler, RobustScaler and MinMaxScaler."""
    if how == "standard":
        centre, width = present.mean(), present.std()
    elif how == "robust":
        low, centre, high = np.percentile(present, [25, 50, 75])
        width = high - low
    else:
        centre, width = present.min(), np.ptp(present)
    return float(centre), float(width) if width > _TINY * max(abs(centre), 1.0) else 1.0


def _fit_yeo_johnson(present: NDArray[np.float64]) -> tuple[Step, NDArray[np.float64]]:
    """Yeo & Johnson 2000; the exponent is scikit-learn's."""
    transformer = PowerTransformer(standardize=False)
    with warnings.catch_warnings():
        # A constant column has no best exponent; any will do.
        warnings.simplefilter("ignore")
        after = transformer.fit_transform(present[:, None])[:, 0]
    exponent = float(transformer.lambdas_[0])

    def step(value: Doubles) -> Doubles:
        is_negative = value.compare("Less", 0.0)
        above = _box_cox(value.replace(is_negative, 0.0) + 1.0, exponent)
        below = _box_cox(value.where(is_negative, 0.0) * -1.0 + 1.0, 2.0 - exponent) * -1.0
        return below.where(is_negative, above)

    return step, after


def _box_cox(value: Doubles, exponent: float) -> Doubles:
    return value.function("Log") if abs(exponent) < _TINY else (value**exponent - 1.0) / exponent


def _fit_quantiles(present: NDArray[np.float64], *, is_normal: bool) -> tuple[Step, NDArray[np.float64]]:
    """Where a value stands among the training values, linear between quantiles; normal: as a normal deviate.

    Values that are alike share a middle place. The normal's ends are those of a sample of the training rows' size,
    where scikit-learn's are ±5.2 at any size.
    """
    size = min(NUM_QUANTILES, len(present))
    places = np.linspace(0, 1, size)
    quantiles, first, counts = np.unique(np.quantile(present, places), return_index=True, return_counts=True)
    if is_normal:
        places = stats.norm.ppf((places * (len(present) - 1) + 0.5) / len(present))
    left, right = places[first], places[first + counts - 1]
    middle = (left + right) / 2
    if not is_normal:
        # As in scikit-learn, nothing is below the least value or above the greatest, however many are like them.
        middle[0], middle[-1] = places[0], places[-1]
    # Within a segment it runs from the last place of the lower quantile to the first of the upper one.
    widths = np.append(np.diff(quantiles), 1.0)
    slopes = np.append(left[1:] - right[:-1], 0.0) / widths

    def place(values: NDArray[np.float64]) -> NDArray[np.float64]:
        index = np.clip(np.searchsorted(quantiles, values, side="right") - 1, 0, None)
        inside = right[index] + (np.clip(values, quantiles[0], quantiles[-1]) - quantiles[index]) * slopes[index]
        return np.asarray(np.where(values == quantiles[index], middle[index], inside))

    def step(value: Doubles) -> Doubles:
        graph = value.graph
        nearest = value.replace(value.is_missing(), quantiles[0])
        reached = graph.node("Cast", nearest.compare("GreaterOrEqual", quantiles), to=TensorProto.INT64)
        count = graph.node("ReduceSum", reached, graph.constant([1], np.int64), keepdims=1)
        index = graph.node("Max", graph.node("Sub", count, graph.constant(1, np.int64)), graph.constant(0, np.int64))

        def at(table: NDArray[np.float64]) -> Doubles:
            return Doubles(graph, graph.node("Gather", graph.constant(table, np.float64), index))

        low = at(quantiles)
        inside = at(right) + (_clip(nearest, quantiles[0], quantiles[-1]) - low) * at(slopes)
        placed = inside.replace(nearest.compare("Equal", low), at(middle))
        below = placed.replace(nearest.compare("Less", quantiles[0]), left[0])
        return below.replace(value.is_missing(), np.nan)

    return step, place(present)


def _clip(value: Doubles, low: float, high: float) -> Doubles:
    raised = value.replace(value.compare("Less", low), low)
    return raised.replace(raised.compare("Greater", high), high)


def product_block(pair: Pair) -> Block:
    """a * b."""
    return Block(
        names=(f"{pair[0]} * {pair[1]}",),
        columns=tuple(dict.fromkeys(pair)),
        build=lambda sources: (sources.number(pair[0]) * sources.number(pair[1])).to_float32(),
    )


def ratio_block(pair: Pair) -> Block:
    """a / b, missing where b is 0."""

    def build(sources: Sources) -> str:
        above, below = sources.number(pair[0]), sources.number(pair[1])
        return (above / below.replace(below.compare("Equal", 0.0), np.nan)).to_float32()

    return Block(names=(f"{pair[0]} / {pair[1]}",), columns=tuple(dict.fromkeys(pair)), build=build)


def polynomial_terms(polynomial: Polynomial) -> list[tuple[str, ...]]:
    """The columns that each term multiplies; those of degree 1 are the columns themselves and not among them."""
    choose = itertools.combinations if polynomial.interaction_only else itertools.combinations_with_replacement
    return [term for degree in range(2, polynomial.degree + 1) for term in choose(polynomial.columns, degree)]


def term_block(term: Sequence[str]) -> Block:
    """The product of the columns."""

    def build(sources: Sources) -> str:
        value = sources.number(term[0])
        for column in term[1:]:
            value = value * sources.number(column)
        return value.to_float32()

    return Block(names=(" * ".join(term),), columns=tuple(dict.fromkeys(term)), build=build)
