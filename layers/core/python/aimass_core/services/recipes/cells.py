"""Steps that look at one row alone, as SQL. Every expression means the same to DuckDB and, transpiled, to Spark."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from aimass_core.domain.recipe_steps import (
    Cast,
    Derive,
    Drop,
    Filter,
    Images,
    Parse,
    PlainType,
    Rename,
    Text,
    Trim,
    Units,
)
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidRequestError
from aimass_core.services.recipes import expressions
from aimass_core.services.recipes.chain import Change
from aimass_core.services.recipes.engine import Engine, Field
from aimass_core.services.recipes.expressions import literal
from aimass_core.services.recipes.functions import NFKC, STRIP_ACCENTS, image_function

_NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)
_INTEGER = r"^[+-]?[0-9]{1,19}$"
_NUMBER = r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]{1,3})?$"
_TRUE, _FALSE = "('true', 't', 'yes', 'y', '1')", "('false', 'f', 'no', 'n', '0')"
NewId = Callable[[], str]


def texts_of(fields: Sequence[Field], names: Sequence[str] | None) -> list[Field]:
    """The text columns, or those that were named."""
    return [each for each in fields if (each.type is ColumnType.STRING if names is None else each.name in names)]


def trim(step: Trim, fields: Sequence[Field]) -> Change:
    """What is empty becomes missing."""
    cells = {each.id: f"nullif({_stripped(each.id)}, '')" for each in texts_of(fields, step.columns)}
    return Change(fields=fields, cells=cells)


def text(step: Text, fields: Sequence[Field], engine: Engine) -> Change:
    """In this order: HTML, addresses, Unicode, accents, case, blanks, length."""
    cells = {}
    for each in texts_of(fields, step.columns):
        cell = each.id
        if step.strip_html:
            cell = f"regexp_replace({cell}, '<[^>]*>', ' ', 'g')"
        if step.strip_urls:
            cell = f"regexp_replace({cell}, '(https?://|www[.])[^ ]+', ' ', 'g')"
        if step.unicode:
            engine.register(NFKC)
            cell = _unless_ascii(cell, NFKC.name)
        if step.strip_accents:
            engine.register(STRIP_ACCENTS)
            cell = _unless_ascii(cell, STRIP_ACCENTS.name)
        if step.lower:
            cell = f"lower({cell})"
        if step.collapse_spaces:
            cell = f"trim(regexp_replace({cell}, '[ \\t\\r\\n\\f]+', ' ', 'g'))"
        if step.max_characters is not None:
            cell = f"substring({cell}, 1, {step.max_characters})"
        cells[each.id] = cell
    return Change(fields=fields, cells=cells)


def parse(step: Parse, fields: Sequence[Field]) -> Change:
    """Of text columns; one that has the type already stays as it is."""
    cells, faults = {}, []
    for each in texts_of(fields, step.columns):
        if each.type is not ColumnType.STRING:
            continue
        written = _stripped(each.id)
        for character in [*step.strip, *([step.thousands] if step.thousands else [])]:
            written = f"replace({written}, {literal(character)}, '')"
        written = f"trim({written})"
        if step.decimal == ",":
            written = f"replace({written}, ',', '.')"
        if step.formats:
            tries = [f"try_strptime({written}, {literal(format_)})" for format_ in step.formats]
            cells[each.id] = f"coalesce({', '.join(tries)})" if len(tries) > 1 else tries[0]
        else:
            cells[each.id] = _from_text(written, step.to)
        faults.append((each.name, f"nullif({_stripped(each.id)}, '') IS NOT NULL AND new_{each.id} IS NULL"))
    changed = _retyped(fields, dict.fromkeys(step.columns, step.to))
    reason = f"is no {step.to}" + (f" of the form {' or '.join(step.formats)}" if step.formats else "")
    return Change(fields=changed, cells=cells, faults=faults, on_error=step.on_error, reason=f"The cell {reason}.")


def cast(step: Cast, fields: Sequence[Field]) -> Change:
    """Only what is lossless: 2.5 is no integer."""
    cells, faults = {}, []
    for each in fields:
        to = step.columns.get(each.name)
        if to is None or to.value == each.type.value:
            continue
        cells[each.id] = _cast(each, to)
        is_given = f"nullif({_stripped(each.id)}, '')" if each.type is ColumnType.STRING else each.id
        faults.append((each.name, f"{is_given} IS NOT NULL AND new_{each.id} IS NULL"))
    words = ", ".join(f"{name} to {to}" for name, to in step.columns.items())
    return Change(
        fields=_retyped(fields, step.columns),
        cells=cells,
        faults=faults,
        on_error=step.on_error,
        reason=f"The cell cannot be cast ({words[:300]}).",
    )


def units(step: Units, fields: Sequence[Field]) -> Change:
    """By the factor and the offset between the units."""
    factor, offset = resolve_units(step.unit, step.to)
    cells = {each.id: f"({each.id} * {factor!r} + {offset!r})" for each in fields if each.name in step.columns}
    return Change(fields=_retyped(fields, dict.fromkeys(step.columns, PlainType.NUMBER)), cells=cells)


@cache
def resolve_units(unit: str, to: str) -> tuple[float, float]:
    """(factor, offset) of the conversion. Raises InvalidRequestError."""
    import pint

    registry: Any = pint.UnitRegistry(cache_folder=None)
    try:
        zero, one = (float(registry.Quantity(each, unit).to(to).magnitude) for each in (0.0, 1.0))
        ten = float(registry.Quantity(10.0, unit).to(to).magnitude)
    except (pint.PintError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise InvalidRequestError(
            f"Nothing can be converted from {unit!r} to {to!r}: {str(error)[:200]}. Units are written as "
            "kg, km/hour, degF, m**2."
        ) from error
    if abs(ten - zero - 10 * (one - zero)) > 1e-6 * max(abs(ten), 1.0):
        raise InvalidRequestError(f"{unit!r} and {to!r} are not proportional: use derive for such a scale.")
    return one - zero, zero


def rename(step: Rename, fields: Sequence[Field]) -> Change:
    """Nothing moves."""
    renamed = [Field(name=step.columns.get(each.name, each.name), type=each.type, id=each.id) for each in fields]
    return Change(fields=renamed)


def drop(step: Drop, fields: Sequence[Field]) -> Change:
    """Nothing moves either."""
    return Change(fields=[each for each in fields if each.name not in step.columns])


def filter_(step: Filter, fields: Sequence[Field], engine: Engine, select: str) -> Change:
    """What is neither true nor false leaves, too. Raises InvalidRequestError where it can be neither."""
    where = expressions.to_sql(expressions.parse(step.where), ids_of(fields))
    [native] = engine.describe(f"SELECT {where} FROM ({select}) AS r")
    if native.lower() != "boolean":
        raise InvalidRequestError(f"{step.where!r} is a {native.lower()}: compare it with something.")
    return Change(fields=fields, leaves=f"NOT coalesce({where}, FALSE)")


def derive(step: Derive, fields: Sequence[Field], engine: Engine, select: str, new_id: NewId) -> Change:
    """The engine tells the types; what is neither a number nor a truth nor a time becomes text."""
    ids = ids_of(fields)
    written = {name: expressions.to_sql(expressions.parse(text), ids) for name, text in step.columns.items()}
    described = engine.describe(f"SELECT {', '.join(written.values())} FROM ({select}) AS r")
    changed, cells = list(fields), {}
    for (name, expression), native in zip(written.items(), described, strict=True):
        type_, cell = _settle(expression, native)
        known = next((index for index, each in enumerate(changed) if each.name == name), None)
        made = Field(name=name, type=type_, id=new_id())
        cells[made.id] = cell
        if known is None:
            changed.append(made)
        else:
            changed[known] = made
    return Change(fields=changed, cells=cells)


def images(step: Images, fields: Sequence[Field], engine: Engine) -> Change:
    """Every image is decoded whole, and written anew where a size or a form is asked for."""
    function = image_function(step)
    engine.register(function)
    found = next(each for each in fields if each.name == step.column)
    least = f" or is smaller than {step.min_width} x {step.min_height}" if step.min_width * step.min_height > 1 else ""
    return Change(
        fields=fields,
        cells={found.id: f"{function.name}({found.id})"},
        faults=[(found.name, f"new_{found.id} IS NULL")],
        on_error=step.on_error,
        reason=f"The image is missing, cannot be read to its end{least}.",
    )


def ids_of(fields: Sequence[Field]) -> dict[str, str]:
    """Ids by name."""
    return {each.name: each.id for each in fields}


def finite(cell: str) -> str:
    """NaN and infinity are missing values: only of finite numbers the difference to themselves is 0."""
    return f"CASE WHEN {cell} - {cell} = 0 THEN {cell} END"


def _stripped(cell: str) -> str:
    return f"regexp_replace({cell}, '^[ \\t\\r\\n\\f]+|[ \\t\\r\\n\\f]+$', '', 'g')"


def _unless_ascii(cell: str, function: str) -> str:
    return f"CASE WHEN regexp_matches({cell}, '[^ -~]') THEN {function}({cell}) ELSE {cell} END"


def _retyped(fields: Sequence[Field], types: Mapping[str, PlainType]) -> list[Field]:
    return [
        Field(name=each.name, type=ColumnType(types[each.name].value) if each.name in types else each.type, id=each.id)
        for each in fields
    ]


def _from_text(cell: str, to: PlainType) -> str:
    match to:
        case PlainType.INTEGER:
            return f"CASE WHEN regexp_matches({cell}, '{_INTEGER}') THEN TRY_CAST({cell} AS BIGINT) END"
        case PlainType.NUMBER:
            return f"CASE WHEN regexp_matches({cell}, '{_NUMBER}') THEN {finite(f'TRY_CAST({cell} AS DOUBLE)')} END"
        case PlainType.BOOLEAN:
            return f"CASE WHEN lower({cell}) IN {_TRUE} THEN TRUE WHEN lower({cell}) IN {_FALSE} THEN FALSE END"
        case PlainType.DATETIME:
            return f"TRY_CAST({cell} AS TIMESTAMP)"
        case PlainType.STRING:
            return cell


def _cast(field: Field, to: PlainType) -> str:
    cell = field.id
    if field.type is ColumnType.STRING:
        return _from_text(_stripped(cell), to)
    if to is PlainType.STRING:
        return f"CAST({cell} AS VARCHAR)"
    match field.type, to:
        case ColumnType.NUMBER, PlainType.INTEGER:
            return f"CASE WHEN {cell} = floor({cell}) AND abs({cell}) < 9e18 THEN TRY_CAST({cell} AS BIGINT) END"
        case ((ColumnType.INTEGER | ColumnType.NUMBER), PlainType.BOOLEAN):
            return f"CASE WHEN {cell} = 1 THEN TRUE WHEN {cell} = 0 THEN FALSE END"
        case ((ColumnType.INTEGER | ColumnType.BOOLEAN), (PlainType.INTEGER | PlainType.NUMBER)):
            return f"CAST({cell} AS {'BIGINT' if to is PlainType.INTEGER else 'DOUBLE'})"
        case _:
            raise InvalidRequestError(
                f"A column of the type {field.type} ({field.name!r}) cannot become {to}. Make it by derive."
            )


def _settle(expression: str, native: str) -> tuple[ColumnType, str]:  # noqa: PLR0911 - one line for each type
    """A derived cell in one of our types, by the engine's name of its type."""
    name = native.lower().partition("(")[0]
    if name in ("bigint", "integer", "int", "smallint", "tinyint", "ubigint", "uinteger", "usmallint", "utinyint"):
        return ColumnType.INTEGER, f"CAST({expression} AS BIGINT)"
    if name in ("double", "float", "decimal", "hugeint", "uhugeint", "real"):
        return ColumnType.NUMBER, finite(f"CAST({expression} AS DOUBLE)")
    if name == "boolean":
        return ColumnType.BOOLEAN, expression
    if name in ("date", "timestamp", "timestamp_ns", "timestamp_s", "timestamp_ms", "timestamp with time zone"):
        return ColumnType.DATETIME, f"CAST({expression} AS TIMESTAMP)"
    if name == "double[]":
        return ColumnType.SERIES, expression
    if name in ("blob", "binary"):
        return ColumnType.IMAGE, expression
    return ColumnType.STRING, f"CAST({expression} AS VARCHAR)"
