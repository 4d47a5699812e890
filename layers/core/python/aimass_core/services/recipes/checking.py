"""Whether a recipe fits the columns of its data, seen before anything runs."""

import difflib
from collections.abc import Iterable, Mapping

from aimass_core.domain import recipe_steps as steps
from aimass_core.domain.recipe_steps import AnyStep
from aimass_core.domain.recipes import DATA_CHANNEL, Recipe, join_channel
from aimass_core.domain.schemas import ColumnType, Schema
from aimass_core.errors import ErrorDetail, InvalidDataError, InvalidRequestError
from aimass_core.services.recipes import expressions

_NUMERIC = frozenset({ColumnType.INTEGER, ColumnType.NUMBER})
_TEXT = frozenset({ColumnType.STRING})
_MAX_NAMES = 10

Columns = dict[str, ColumnType | None]
"""Types by name; None where only the engine will know."""


def check(recipe: Recipe, schemas: Mapping[str, Schema]) -> None:
    """Raises InvalidRequestError, or InvalidDataError where the data lack something, and says at which step."""
    columns: Columns = {column.name: column.type for column in schemas[DATA_CHANNEL].columns}
    for index, step in enumerate(recipe.steps):
        joined = schemas.get(join_channel(index))
        try:
            columns = _after(step, columns, joined)
        except InvalidRequestError as error:
            message = f"Step {index + 1} ({step.do}): {error}"
            details = [ErrorDetail(location=f"body.spec.recipe.steps[{index}]", message=message)]
            kind = InvalidDataError if isinstance(error, InvalidDataError) else InvalidRequestError
            raise kind(message, details=details) from error


def _after(step: AnyStep, columns: Columns, joined: Schema | None) -> Columns:  # noqa: C901 - a case for each step
    """The columns after a step."""
    _require(columns, _named(step), types=_fitting(step))
    changed = dict(columns)
    match step:
        case steps.Parse():
            changed |= {name: ColumnType(step.to.value) for name in step.columns}
        case steps.Cast():
            changed |= {name: ColumnType(to.value) for name, to in step.columns.items()}
        case steps.Units():
            changed |= dict.fromkeys(step.columns, ColumnType.NUMBER)
        case steps.Rename():
            changed = _rename(step, columns)
        case steps.Drop():
            changed = {name: type_ for name, type_ in columns.items() if name not in step.columns}
        case steps.Filter():
            _require(columns, expressions.columns_of(expressions.parse(step.where)))
        case steps.Derive():
            for text in step.columns.values():
                _require(columns, expressions.columns_of(expressions.parse(text)))
            changed |= dict.fromkeys(step.columns)
        case steps.Impute() if step.indicator:
            filled = step.columns or [name for name, type_ in columns.items() if type_ in _NUMERIC]
            changed |= {f"{name}_missing": ColumnType.BOOLEAN for name in filled}
        case steps.Join() if joined is not None:
            changed |= _join(step, columns, joined)
    if not changed:
        raise InvalidRequestError("no column is left after it")
    return changed


def _named(step: AnyStep) -> list[str]:  # noqa: PLR0911 - a case for each step
    """The columns of the data that a step names, apart from those in expressions."""
    match step:
        case steps.Cast() | steps.Rename():
            return list(step.columns)
        case steps.Join():
            return list(step.pairs)
        case steps.Sample():
            return step.by or []
        case steps.Split():
            return [] if step.column is None else [step.column]
        case steps.Images():
            return [step.column]
        case steps.Dedupe():
            return [*(step.columns or []), *([step.order_by] if step.order_by else [])]
        case steps.Filter() | steps.Derive():
            return []
        case _:
            return step.columns or []


def _fitting(step: AnyStep) -> frozenset[ColumnType] | None:
    """The types that a step takes of the columns that it names; None for all."""
    match step:
        case steps.Trim() | steps.Text() | steps.DedupeNear():
            return _TEXT
        case steps.Units() | steps.Outliers():
            return _NUMERIC
        case steps.Impute(strategy=steps.ImputeStrategy.MEAN | steps.ImputeStrategy.MEDIAN):
            return _NUMERIC
        case steps.Images():
            return frozenset({ColumnType.IMAGE})
        case steps.Parse():
            return frozenset({ColumnType.STRING, ColumnType(step.to.value)})
        case _:
            return None


def _rename(step: steps.Rename, columns: Columns) -> Columns:
    names = [step.columns.get(name, name) for name in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequestError(f"two columns would have the name {_list(twice)}")
    return dict(zip(names, columns.values(), strict=True))


def _join(step: steps.Join, columns: Columns, joined: Schema) -> Columns:
    theirs: Columns = {column.name: column.type for column in joined.columns}
    words = f" of {step.dataset!r}"
    _require(theirs, [*step.pairs.values(), *(step.columns or [])], of=words)
    for ours, their in step.pairs.items():
        one, other = columns[ours], theirs[their]
        if one is not None and one is not other and not {one, other} <= _NUMERIC:
            raise InvalidDataError(f"{ours!r} is {one}, but {their!r}{words} is {other}: cast one of them before")
    taken = step.columns or [name for name in theirs if name not in step.pairs.values()]
    added: Columns = {f"{step.prefix}{name}": theirs[name] for name in taken}
    clash = [name for name in added if name in columns]
    if clash:
        raise InvalidDataError(f"both have a column {_list(clash)}: give the others a prefix, or drop ours before")
    return added


def _require(
    columns: Columns, names: Iterable[str], *, types: frozenset[ColumnType] | None = None, of: str = ""
) -> None:
    for name in names:
        if name not in columns:
            close = difflib.get_close_matches(name, columns, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {_list(list(columns))}"
            raise InvalidDataError(f"there is no column {name!r}{of}: {hint}")
        type_ = columns[name]
        if types is not None and type_ is not None and type_ not in types:
            raise InvalidDataError(f"the column {name!r} is {type_}: it takes {' or '.join(sorted(types))}")


def _list(names: list[str]) -> str:
    rest = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(repr(name) for name in names[:_MAX_NAMES]) + rest
