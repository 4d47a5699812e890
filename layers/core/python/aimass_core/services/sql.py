"""Binds a SELECT to the datasets that its caller may read: what cannot be named cannot be read.

The text is parsed, and what runs is written anew from the tree: one SELECT, in which every table is a dataset that
`resolve` has found, read through a sub-query of its columns. Names with a schema are refused, so a name that was
overlooked could only mean a table of the caller's own database.
"""

import logging
from collections.abc import Callable, Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from aimass_core.errors import InvalidRequestError
from aimass_core.services.tables import Source

DIALECT = "trino"
MAX_BOUND = 262_144
"""Characters that Athena takes."""
_QUOTES = 'Write names that have a - or an @ in double quotes: select * from "adult@3".'
_FORBIDDEN = (exp.DDL, exp.DML, exp.Command, exp.Describe, exp.Into, exp.Lock, exp.Placeholder, exp.MatchRecognize)
_TABLE_PARTS = {"this", "alias", "sample", "joins"}

# It logs statements that it does not know with all their text, which is the caller's.
logging.getLogger("sqlglot").setLevel(logging.ERROR)


def bind(sql: str, *, resolve: Callable[[str], Source]) -> str:
    """The SELECT as the engine gets it.

    Args:
        sql: in Trino's dialect.
        resolve: finds a dataset by `name` or `name@version`; raises what it is to the caller where there is none.

    Raises:
        InvalidRequestError: it is not one SELECT, or uses what is not allowed here.
    """
    try:
        tree = _parse(sql)
        _check(tree)
        for table in list(tree.find_all(exp.Table)):
            if not _is_common(table):
                table.replace(_to_subquery(table, resolve(table.name.lower())))
        bound = tree.sql(dialect=DIALECT, comments=False)
    except RecursionError as error:
        raise InvalidRequestError("The query is nested too deeply. Name parts of it with WITH.") from error
    if len(bound) > MAX_BOUND:
        raise InvalidRequestError(
            f"The query has {len(bound):,} characters once its datasets' columns are named; at most {MAX_BOUND:,} are "
            "taken. Read fewer datasets in it."
        )
    return bound


def _parse(sql: str) -> exp.Query:
    try:
        statements = [statement for statement in sqlglot.parse(sql, read=DIALECT) if statement is not None]
    except SqlglotError as error:
        raise InvalidRequestError(f"The SQL cannot be read: {_where(error)} {_QUOTES}") from error
    if len(statements) != 1:
        raise InvalidRequestError(f"There are {len(statements)} statements; send one SELECT.")
    if isinstance(statements[0], exp.Condition | exp.Alias):
        raise InvalidRequestError("The SQL begins as no statement does. Send one SELECT, which may begin with WITH.")
    if not isinstance(statements[0], exp.Query):
        raise InvalidRequestError(
            f"Queries only read: {_verb(statements[0])} is not allowed. Send one SELECT, which may begin with WITH."
        )
    return statements[0]


def _verb(statement: exp.Expr) -> str:
    return str(statement.this if isinstance(statement, exp.Command) else statement.key).upper()


def _where(error: SqlglotError) -> str:
    faults = getattr(error, "errors", None)
    if not faults:
        return "it has a character or a quote that nothing closes."
    fault = faults[0]
    return (
        f"line {fault['line']}, column {fault['col']}: {fault['description'].rstrip('.')}, at {fault['highlight']!r}."
    )


def _check(tree: exp.Query) -> None:
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN):
            raise InvalidRequestError(f"{node.key.upper()} is not allowed: send one SELECT that only reads.")
        if isinstance(node, exp.Parameter | exp.SessionParameter):
            raise InvalidRequestError(f"There is an @ without quotes. {_QUOTES}")
        if isinstance(node, exp.Identifier) and node.name.startswith("$"):
            raise InvalidRequestError(f"The column {node.name!r} is not of the data. Name the dataset's own columns.")
        if isinstance(node, exp.Table):
            _check_table(node)


def _check_table(table: exp.Table) -> None:
    if table.args.get("db") or table.args.get("catalog"):
        raise InvalidRequestError(
            f"{table.sql(dialect=DIALECT)[:200]!r} names a schema. Name datasets of your workspace alone: select * "
            f"from {table.name[:70]}."
        )
    if not isinstance(table.this, exp.Identifier):
        raise InvalidRequestError(f"{table.sql(dialect=DIALECT)[:200]!r} is no dataset; FROM takes only these.")
    extra = {name for name, value in table.args.items() if value} - _TABLE_PARTS
    if extra:
        raise InvalidRequestError(
            f"{table.sql(dialect=DIALECT)[:200]!r} has a {min(extra).upper()} clause, which is not taken here. Name a "
            f'version so: "{table.name[:70]}@1".'
        )


def _is_common(table: exp.Table) -> bool:
    """Whether the name is that of a WITH that can be seen from here."""
    name = table.name.lower()
    return any(name == common.alias.lower() for common in _visible(table))


def _visible(table: exp.Table) -> Iterator[exp.CTE]:
    inside: exp.Expr = table
    while (outside := inside.parent) is not None:
        if isinstance(inside, exp.CTE) and isinstance(outside, exp.With):
            position = outside.expressions.index(inside)
            yield from outside.expressions[: position + 1 if outside.recursive else position]
        elif not isinstance(inside, exp.With):
            around = outside.args.get("with_")
            yield from around.expressions if around is not None else ()
        inside = outside


def _to_subquery(table: exp.Table, source: Source) -> exp.Expr:
    """`adult` -> (select "age", "Income" from "aimass_ws"."adult_v3") as "adult"."""
    selected = exp.select(*(_column(name) for name in source.columns)).from_(
        exp.table_(source.table.name, db=source.table.database, quoted=True)
    )
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name.lower(), quoted=True))
    subquery = exp.Subquery(this=selected, alias=alias)
    for part in ("sample", "joins"):
        if table.args.get(part):
            subquery.set(part, table.args[part])
    return subquery


def _column(name: str) -> exp.Expr:
    column = exp.column(exp.to_identifier(name.lower(), quoted=True))
    return column if name == name.lower() else exp.alias_(column, name, quoted=True)
