"""Whether a declared set of features fits the columns, before anything is trained."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from aimass_core.domain.features import ColumnRecipe, Encode, FeatureMode, FeatureSpec
from aimass_core.domain.schemas import Column, ColumnType
from aimass_core.errors import InvalidDataError
from batch_jobs.data.frames import Frame
from batch_jobs.encoding.features.numbers import polynomial_terms

MAX_PAIRS = 1_000_000
MAX_FEATURES = 5_000
_NUMBERS = (ColumnType.INTEGER, ColumnType.NUMBER)
_CATEGORIES = (ColumnType.STRING, ColumnType.BOOLEAN)
_FIELDS: Mapping[ColumnType, tuple[str, ...]] = {
    ColumnType.INTEGER: ("impute", "indicator", "transform", "scale"),
    ColumnType.NUMBER: ("impute", "indicator", "transform", "scale"),
    ColumnType.BOOLEAN: ("encode", "order"),
    ColumnType.STRING: ("encode", "order", "statistics"),
    ColumnType.DATETIME: ("parts",),
    ColumnType.IMAGE: (),
}


def check_features(spec: FeatureSpec, frame: Frame, columns: Sequence[Column]) -> None:
    """Raises InvalidDataError for what cannot be made from these columns; the message says what to change."""
    types = {column.name: column.type for column in columns}
    for name, recipe in spec.columns.items():
        _check_known("columns", [name], types)
        _check_recipe(name, recipe, types[name])
    if spec.polynomial is not None:
        _check_type("polynomial", spec.polynomial.columns, types, _NUMBERS, "numbers")
    for kind, pairs in (("products", spec.products), ("ratios", spec.ratios)):
        for pair in pairs:
            _check_type(kind, pair, types, _NUMBERS, "numbers")
    for cross in spec.crosses:
        _check_type("crosses", cross.columns, types, _CATEGORIES, "texts or booleans")
        _check_pairs(cross.columns, frame)
    _check_left(spec, types)


def find_target_recipes(spec: FeatureSpec) -> list[str]:
    """What in it is fitted to the values of one target, in the words of a job."""
    found = ["default: auto"] if spec.default is FeatureMode.AUTO else []
    encoded = {f"{name!r}": recipe.encode or () for name, recipe in spec.columns.items()}
    encoded |= {f"the cross {list(cross.columns)}": cross.encode for cross in spec.crosses}
    found += [f"encode: {Encode.TARGET} of {what}" for what, encodings in encoded.items() if Encode.TARGET in encodings]
    if spec.select is not None and spec.select.method != "variance":
        found.append(f"select: {spec.select.method}")
    return found


def _check_left(spec: FeatureSpec, types: Mapping[str, ColumnType]) -> None:
    num_terms = len(polynomial_terms(spec.polynomial)) if spec.polynomial is not None else 0
    num_made = num_terms + len(spec.products) + len(spec.ratios)
    if num_made > MAX_FEATURES:
        raise InvalidDataError(
            f"features: polynomial, products and ratios make {num_made} features, and {MAX_FEATURES} is the most: "
            "name fewer columns, or a lower degree"
        )
    dropped = {name for name, recipe in spec.columns.items() if recipe.drop}
    if dropped == set(types) and not (num_made or spec.crosses):
        raise InvalidDataError("features: every column is dropped, and nothing is left to learn from")


def _check_known(field: str, names: Iterable[str], types: Mapping[str, ColumnType]) -> None:
    for name in names:
        if name not in types:
            close = difflib.get_close_matches(name, types, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {sorted(types)[:20]}"
            raise InvalidDataError(
                f"features.{field} names {name!r}, and there is no such feature column: {hint} (the target and "
                "exclude_columns are none)"
            )


def _check_type(
    field: str, names: Iterable[str], types: Mapping[str, ColumnType], wanted: Sequence[ColumnType], words: str
) -> None:
    _check_known(field, names, types)
    for name in names:
        if types[name] not in wanted:
            raise InvalidDataError(f"features.{field}: {name!r} is a {types[name]} column, and {field} take {words}")


def _check_recipe(name: str, recipe: ColumnRecipe, column_type: ColumnType) -> None:
    fields = {field for field in recipe.model_fields_set - {"drop"} if getattr(recipe, field)}
    fields |= {"impute"} if recipe.impute is not None else set()
    if wrong := sorted(fields - set(_FIELDS[column_type])):
        raise InvalidDataError(
            f"features.columns: {name!r} is a {column_type} column, and {', '.join(wrong)} does not apply to it: a "
            f"recipe for it may have {', '.join((*_FIELDS[column_type], 'drop'))}"
        )


def _check_pairs(pair: Sequence[str], frame: Frame) -> None:
    first, second = (len(np.unique(frame.columns[name].astype(str))) for name in pair)
    if first * second > MAX_PAIRS:
        raise InvalidDataError(
            f"features.crosses: {pair[0]!r} has {first:,} values and {pair[1]!r} has {second:,}; a cross may have "
            f"{MAX_PAIRS:,} pairs. Cross columns of fewer values"
        )


def check_width(names: Sequence[str]) -> None:
    """Raises InvalidDataError for more features than can be held."""
    if len(names) > MAX_FEATURES:
        raise InvalidDataError(
            f"features: the recipes make {len(names):,} features, and {MAX_FEATURES:,} is the most: use "
            f"{Encode.TARGET} in place of {Encode.ONE_HOT} where a column has many values"
        )
