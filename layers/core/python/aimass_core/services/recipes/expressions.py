"""Expressions that users write: parsed as SQL, and refused unless they are of one row and of nothing but it."""

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from aimass_core.errors import InvalidRequestError

DIALECT = "duckdb"
_MAX_NODES = 500

# What an expression may be made of. All else is refused: queries, windows, aggregates, stars, whatever reads files.
_NODES: tuple[type[exp.Expr], ...] = (
    *(exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Tuple, exp.Neg, exp.Var),
    *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between),
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Pow, exp.DPipe, exp.Like, exp.ILike),
    *(exp.Case, exp.If, exp.Cast, exp.TryCast, exp.DataType, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least),
    *(exp.Abs, exp.Ceil, exp.Floor, exp.Round, exp.Sign, exp.Sqrt, exp.Exp, exp.Ln, exp.Log),
    *(exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.Replace, exp.Reverse, exp.Left, exp.Right),
    *(exp.Concat, exp.ConcatWs, exp.SplitPart, exp.StartsWith, exp.Contains, exp.RegexpLike, exp.RegexpReplace),
    *(exp.RegexpExtract, exp.Year, exp.Month, exp.Day, exp.Hour, exp.Minute, exp.Second, exp.DayOfWeek, exp.DayOfYear),
    *(exp.Quarter, exp.Extract, exp.DateDiff, exp.Interval),
)
FUNCTIONS = (
    "abs ceil floor round sign sqrt exp ln log greatest least coalesce nullif if lower upper trim length substring "
    "replace reverse left right concat concat_ws split_part starts_with contains regexp_matches regexp_replace "
    "regexp_extract year month day hour minute second dayofweek dayofyear quarter extract date_diff"
)
_TYPES = {"BIGINT", "INT", "INTEGER", "DOUBLE", "FLOAT", "BOOLEAN", "TEXT", "VARCHAR", "TIMESTAMP", "DATE"}


def parse(text: str) -> exp.Expr:
    """The expression as a tree. Raises InvalidRequestError."""
    try:
        found = sqlglot.parse_one(text, read=DIALECT)
    except (SqlglotError, RecursionError) as error:
        lines = str(error).splitlines() or ["it cannot be read"]
        raise InvalidRequestError(f"{text!r} is no expression: {lines[0][:200]}") from error
    nodes = list(found.walk())
    if len(nodes) > _MAX_NODES:
        raise InvalidRequestError(f"it has {len(nodes)} parts, of {_MAX_NODES} at most: split it among several steps")
    for node in nodes:
        _check(node)
    return found


def columns_of(expression: exp.Expr) -> list[str]:
    """The names of the columns that it reads."""
    return list(dict.fromkeys(column.name for column in _columns(expression)))


def to_sql(expression: exp.Expr, ids: Mapping[str, str]) -> str:
    """With each column's id in place of its name. What cannot be cast is missing."""

    def replace(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            return exp.column(ids[node.name])
        if type(node) is exp.Cast:
            return exp.TryCast(this=node.this, to=node.args["to"])
        return node

    return f"({expression.transform(replace).sql(dialect=DIALECT)})"


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return exp.Literal.string(text).sql(dialect=DIALECT)


def _columns(expression: exp.Expr) -> Iterator[exp.Column]:
    return expression.find_all(exp.Column)


def _check(node: exp.Expr) -> None:
    if isinstance(node, exp.Anonymous) or not isinstance(node, _NODES) or isinstance(node, exp.Subquery):
        name = node.name if isinstance(node, exp.Anonymous) else node.key
        raise InvalidRequestError(
            f"{name.lower()!r} is not taken. An expression is of one row; its functions: {FUNCTIONS}"
        )
    if isinstance(node, exp.Column) and node.table:
        raise InvalidRequestError(f"{node.sql()!r}: write the column's name alone, in double quotes if it has a dot")
    if isinstance(node, exp.DataType) and node.sql(dialect=DIALECT).upper() not in _TYPES:
        raise InvalidRequestError(
            f"the type {node.sql(dialect=DIALECT)} is not taken: write {', '.join(sorted(_TYPES))}"
        )
