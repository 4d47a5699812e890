"""SELECTs bound to datasets: what becomes of names, and what is refused."""

import pytest

from aimass_core.domain.tables import TableName
from aimass_core.errors import InvalidRequestError, NotFoundError
from aimass_core.services import sql
from aimass_core.services.tables import Source

KNOWN = {"adult", "adult@3", "tumours-test"}
ADULT = '(SELECT "age", "income" AS "Income" FROM "ws"."adult")'


def resolve(ref: str) -> Source:
    if ref not in KNOWN:
        raise NotFoundError(f"There is no dataset named {ref!r}.")
    name = ref.replace("@", "_v").replace("-", "_")
    return Source(table=TableName(database="ws", name=name), columns=["age", "Income"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from adult;", f'SELECT * FROM {ADULT} AS "adult"'),
        ("select adult.age from ADULT -- all", f'SELECT adult.age FROM {ADULT} AS "adult"'),
        ('select x.age from "adult@3" x', f"SELECT x.age FROM {ADULT.replace('adult', 'adult_v3')} AS x"),
        ("with adult as (select 1 as n) select n from adult", "WITH adult AS (SELECT 1 AS n) SELECT n FROM adult"),
        (
            "with adult as (select * from adult) select * from adult",
            f'WITH adult AS (SELECT * FROM {ADULT} AS "adult") SELECT * FROM adult',
        ),
        (
            "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select n from t",
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t",
        ),
        (
            "select 1 where exists (select * from adult tablesample bernoulli (10))",
            f'SELECT 1 WHERE EXISTS(SELECT * FROM {ADULT} AS "adult" TABLESAMPLE BERNOULLI (10))',
        ),
        ("select v from unnest(array[1, 2]) as u(v)", "SELECT v FROM UNNEST(ARRAY[1, 2]) AS u(v)"),
    ],
)
def test_only_what_was_resolved_is_read(text: str, expected: str) -> None:
    assert sql.bind(text, resolve=resolve) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 statements"),
        ("select 1; drop table adult", "2 statements"),
        ("insert into adult select 1", "INSERT is not allowed"),
        ("create table x as select 1", "CREATE is not allowed"),
        ("show tables", "SHOW is not allowed"),
        ("explain select 1", "EXPLAIN is not allowed"),
        ("selec age", "begins as no statement does"),
        ("execute immediate 'select 1'", "EXECUTE is not allowed"),
        ("with x as (delete from adult) select 1", "not allowed"),
        ("unload (select 1) to 's3://mine/' with (format = 'parquet')", "cannot be read"),
        ("using external function f(x int) returns int lambda 'l' select f(1)", "cannot be read"),
        ("select * into x from adult", "INTO is not allowed"),
        ("select * from aimass_ws_other.adult_v1", "names a schema"),
        ("select * from awsdatacatalog.aimass_ws_other.adult_v1", "names a schema"),
        ("select * from information_schema.tables", "names a schema"),
        ("select * from (select * from a.b)", "names a schema"),
        ("select (select max(age) from a.b)", "names a schema"),
        ("select * from read_csv('/etc/passwd')", "is no dataset"),
        ("select * from table(sequence(1, 3))", "is no dataset"),
        ('select "$path" from adult', "'\\$path' is not of the data"),
        ("select * from adult for version as of 3", "VERSION clause"),
        ("select * from adult@3", "double quotes"),
        ("select * from tumours-test", "double quotes"),
        ("select age from adult where age > ?", "PLACEHOLDER is not allowed"),
        ("select 'open", "nothing closes"),
        ("select " + "(" * 2_000 + "1" + ")" * 2_000, "nested too deeply"),
    ],
)
def test_everything_else_is_refused_and_the_message_says_why(text: str, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        sql.bind(text, resolve=resolve)


@pytest.mark.parametrize("text", ["select * from other", 'select * from "adult@4"', 'select * from "/etc/passwd"'])
def test_what_is_not_there_is_not_found(text: str) -> None:
    with pytest.raises(NotFoundError):
        sql.bind(text, resolve=resolve)


def test_a_name_is_only_common_where_its_with_can_be_seen() -> None:
    bound = sql.bind("select * from (with adult as (select 1) select * from adult) a, adult", resolve=resolve)
    assert bound == f'SELECT * FROM (WITH adult AS (SELECT 1) SELECT * FROM adult) AS a, {ADULT} AS "adult"'


def test_a_query_that_grows_too_long_is_refused() -> None:
    wide = Source(table=TableName(database="ws", name="t"), columns=[f"column-{n}" for n in range(30_000)])
    with pytest.raises(InvalidRequestError, match="262,144"):
        sql.bind("select count(*) from t", resolve=lambda _: wide)
