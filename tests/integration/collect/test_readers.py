"""Files, buckets, SFTP servers, databases and feeds: what is new comes in, what was read is left out."""

import asyncio
import gzip
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from aimass_core.adapters.memory import MemoryBlobStore
from aimass_core.domain.collector_messages import Record, StreamSchema
from aimass_core.domain.collectors import SqlCollector
from aimass_core.domain.schemas import ColumnType
from aimass_core.errors import InvalidDataError, InvalidRequestError
from aimass_core.services import quarantine
from batch_jobs.collect.errors import AddressRefusedError, AuthFailedError, SourceUnavailableError
from batch_jobs.collect.network import Network
from batch_jobs.collect.readers import sql
from batch_jobs.collect.reading import Reading
from tests.integration.collect.conftest import Asked, Server
from tests.unit.batch_jobs.collect.scene import SourceScene

MakeScene = Callable[..., SourceScene]
Answer = tuple[int, dict[str, str], bytes]


def to_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


@dataclass
class File:
    """Of a server that knows ETags, or not."""

    body: bytes
    etag: str | None = None

    def __call__(self, asked: Asked) -> Answer:
        if self.etag is not None and asked.headers.get("if-none-match") == self.etag:
            return 304, {}, b""
        return 200, {} if self.etag is None else {"etag": self.etag}, self.body


# --- files over HTTPS -------------------------------------------------------------------------------------------------


def test_files_in_any_form_come_in_and_only_changed_ones_again(server: Server, make: MakeScene) -> None:
    bodies = {
        "/a.csv": b"id,price\n1,1.5\n2,ask\n",
        "/b.json": json.dumps([{"id": 3, "price": 2}]).encode(),
        "/c.parquet": to_parquet([{"id": 4, "price": 3.5}]),
        "/d.csv.gz": gzip.compress(b"id,price\n5,4\n"),
    }
    for path, body in bodies.items():
        server.answers[path] = File(body, etag='"1"' if path < "/c" else None)
    scene = make({"type": "files", "urls": [f"{server.url}{path}?key=s" for path in bodies]})
    scene.collect()
    # Without rules the files go through the door of uploads as they are.
    assert [(row["id"], row["price"]) for row in scene.data("shop-files")] == [
        (1, "1.5"),
        (2, "ask"),
        (3, "2"),
        (4, "3.5"),
        (5, "4"),
    ]
    scene.collect()
    assert scene.last("shop-files").number == 1
    server.answers["/a.csv"] = File(b"id,price\n6,1.5\n", etag='"2"')
    server.answers["/d.csv.gz"] = File(b"id,price\n7,1.5\n")
    scene.collect()
    assert [row["id"] for row in scene.data("shop-files")] == [1, 2, 3, 4, 5, 6, 7]


def test_rules_hold_for_the_rows_of_files_too(server: Server, make: MakeScene) -> None:
    server.answers["/a.csv"] = File(b"id,mail,n\n1,ann@example.com,007\n2,,8\nx,bob@example.com,9\n")
    scene = make(
        {"type": "files", "urls": [f"{server.url}/a.csv"], "stream": "people"},
        pii={"columns": {"mail": "mask"}},
        primary_key=["id"],
        mode="merge",
    )
    scene.collect()
    assert scene.data("shop-people") == [
        {"id": "1", "mail": "xxx@xxxxxxx.xxx", "n": "007"},
        {"id": "2", "mail": None, "n": "8"},
        {"id": "x", "mail": "xxx@xxxxxxx.xxx", "n": "9"},
    ]


def test_a_file_that_is_none_is_kept_apart_with_the_reason(server: Server, make: MakeScene) -> None:
    server.answers["/a"] = File(b"<html><body>log in</body></html>")
    scene = make({"type": "files", "urls": [f"{server.url}/a"]}, allowed_fields=["id"])
    with pytest.raises(InvalidDataError, match="The file is HTML"):
        scene.collect()
    page, _ = quarantine.list_rows(scene.ports, scene.principal, "shop-files", 1, limit=5)
    assert "log-in or error page" in page[0].reason


def test_as_a_whole_all_files_are_read_where_one_has_changed(server: Server, make: MakeScene) -> None:
    server.answers["/a"], server.answers["/b"] = File(b"id\n1\n", etag='"a"'), File(b"id\n2\n", etag='"b"')
    scene = make({"type": "files", "urls": [f"{server.url}/a", f"{server.url}/b"]}, mode="replace")
    scene.collect()
    scene.collect()
    assert scene.last("shop-files").number == 1
    server.answers["/b"] = File(b"id\n3\n", etag='"c"')
    scene.collect()
    assert [row["id"] for row in scene.data("shop-files")] == [1, 3]


# --- buckets ----------------------------------------------------------------------------------------------------------


def test_objects_under_a_prefix(make: MakeScene) -> None:
    bucket = MemoryBlobStore("raw")
    bucket.put("in/1.csv", b"id\n1\n")
    bucket.put("out/2.csv", b"id\n2\n")
    scene = make({"type": "s3", "bucket": "raw", "prefix": "in/"})
    scene.collect(buckets={"raw": bucket})
    scene.collect(buckets={"raw": bucket})
    bucket.put("in/3.csv", b"id\n3\n")
    scene.collect(buckets={"raw": bucket})
    assert [row["id"] for row in scene.data("shop-files")] == [1, 3]
    assert scene.last("shop-files").number == 2


def test_b8_a_bucket_that_the_deployment_does_not_name_is_refused(make: MakeScene) -> None:
    scene = make({"type": "s3", "bucket": "lake"})
    with pytest.raises(AddressRefusedError, match="may not read the bucket 'lake'"):
        scene.collect(buckets={"raw": MemoryBlobStore("raw")})


# --- SFTP -------------------------------------------------------------------------------------------------------------


class _SshServer(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("ann", "pa55word")


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A server whose files lie in tmp_path / "sftp"; the collector's configuration for it."""
    root = tmp_path / "sftp"
    (root / "in").mkdir(parents=True)
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    started: dict[str, Any] = {}
    is_ready = threading.Event()

    async def serve() -> None:
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=_SshServer,
            server_host_keys=[host_key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(root).encode()),
        )
        started["port"], started["stop"] = listener.get_port(), asyncio.Event()
        started["loop"] = asyncio.get_running_loop()
        is_ready.set()
        await started["stop"].wait()
        listener.close()
        await listener.wait_closed()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert is_ready.wait(120)
    yield {
        "type": "sftp",
        "host": "127.0.0.1",
        "port": started["port"],
        "username": "ann",
        "host_key": host_key.export_public_key().decode().strip(),
        "password": {"secret": "PASSWORD"},
        "path": "/in",
    }
    started["loop"].call_soon_threadsafe(started["stop"].set)
    thread.join(120)


def test_files_of_an_sftp_server(sftp: dict[str, Any], make: MakeScene, tmp_path: Path) -> None:
    (tmp_path / "sftp/in/a.csv").write_text("id\n1\n")
    (tmp_path / "sftp/in/.part").write_text("id\n9\n")
    scene = make(sftp)
    scene.put_secret("PASSWORD", "pa55word")
    scene.collect()
    scene.collect()
    (tmp_path / "sftp/in/b.csv").write_text("id\n2\n")
    scene.collect()
    assert [row["id"] for row in scene.data("shop-files")] == [1, 2]
    assert scene.last("shop-files").number == 2


def test_an_sftp_server_that_refuses_or_is_another(sftp: dict[str, Any], make: MakeScene, tmp_path: Path) -> None:
    scene = make(sftp)
    scene.put_secret("PASSWORD", "wrong")
    with pytest.raises(AuthFailedError, match=r"refuses 'ann'.*<source> PASSWORD"):
        scene.collect()
    folder = tmp_path / "nothing"
    folder.mkdir()
    with pytest.raises(AuthFailedError, match="Name the secret"):
        SourceScene(folder, {key: value for key, value in sftp.items() if key != "password"}).collect()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    folder = tmp_path / "other"
    folder.mkdir()
    scene = SourceScene(folder, sftp | {"host_key": other})
    scene.put_secret("PASSWORD", "pa55word")
    with pytest.raises(InvalidRequestError, match="has another host key"):
        scene.collect()
    with pytest.raises(AddressRefusedError):
        scene.collect(allowed_hosts="")


def test_a_path_that_an_sftp_server_does_not_have(sftp: dict[str, Any], make: MakeScene) -> None:
    scene = make(sftp | {"path": "/out"})
    scene.put_secret("PASSWORD", "pa55word")
    with pytest.raises(InvalidRequestError, match="has no '/out'"):
        scene.collect()


# --- databases --------------------------------------------------------------------------------------------------------


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    made = sa.create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=sa.NullPool)
    with made.begin() as connection:
        connection.execute(sa.text("create table orders (id integer primary key, at timestamp, price numeric(9, 2))"))
        for number in range(1, 4):
            values = {"id": number, "at": f"2026-01-0{number} 00:00:00.000000", "price": number + 0.5}
            connection.execute(sa.text("insert into orders values (:id, :at, :price)"), values)
    yield made
    made.dispose()


def sql_reading(tmp_path: Path, **given: Any) -> Reading:
    return Reading(network=Network(), work_path=tmp_path, secret=lambda _name, fresh=False: "", **given)


def sql_collector(**fields: Any) -> SqlCollector:
    return SqlCollector.model_validate({"type": "sql", "url": "postgresql+psycopg://ann@localhost/shop", **fields})


def test_tables_and_queries_of_a_database(engine: sa.Engine, tmp_path: Path) -> None:
    collector = sql_collector(
        tables=["orders"], queries={"sums": "-- of all\nselect sum(price) as total from orders where id > :start;"}
    )
    starts = {"orders": "2026-01-02T00:00:00", "sums": 1}
    found = list(sql.read_from(engine, collector, sql_reading(tmp_path, start=starts.get), {"orders": "at"}))
    assert found[0] == StreamSchema(
        stream="orders",
        types={"id": ColumnType.INTEGER, "at": ColumnType.DATETIME, "price": ColumnType.NUMBER},
        primary_key=["id"],
    )
    assert found[1:] == [
        Record("orders", {"id": 2, "at": "2026-01-02T00:00:00", "price": 2.5}),
        Record("orders", {"id": 3, "at": "2026-01-03T00:00:00", "price": 3.5}),
        Record("sums", {"total": 6}),
    ]


def test_a_colon_within_a_text_of_a_query_is_no_parameter(engine: sa.Engine, tmp_path: Path) -> None:
    query = """select id, '{"a":1, :b}' as j, '10:30' as t from orders where id > :start"""
    reading = sql_reading(tmp_path, start={"q": 2}.get)
    assert list(sql.read_from(engine, sql_collector(queries={"q": query}), reading, {})) == [
        Record("q", {"id": 3, "j": '{"a":1, :b}', "t": "10:30"})
    ]


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"tables": ["none"]}, InvalidRequestError, "There is no table 'none'"),
        ({"queries": {"x": "delete from orders"}}, InvalidRequestError, "is no SELECT"),
        ({"queries": {"x": "select missing from orders"}}, SourceUnavailableError, "no such column: missing"),
        ({"queries": {"x": "with d as (select 1) delete from orders"}}, SourceUnavailableError, "readonly"),
    ],
)
def test_what_a_database_refuses(
    engine: sa.Engine, tmp_path: Path, fields: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        list(sql.read_from(engine, sql_collector(**fields), sql_reading(tmp_path), {}))
    with engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from orders")).scalar() == 3


def test_b7_a_database_within_is_refused(make: MakeScene) -> None:
    scene = make({"type": "sql", "url": "postgresql+psycopg://ann@127.0.0.1/shop", "tables": ["a"]})
    with pytest.raises(AddressRefusedError):
        scene.collect(allowed_hosts="")
    unreachable = {"type": "sql", "url": "postgresql+psycopg://ann@127.0.0.1:9/shop", "tables": ["a"]}
    scene = SourceScene(scene.folder(), unreachable)
    with pytest.raises(SourceUnavailableError, match="The database refused"):
        scene.collect()


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "mysql+pymysql"])
def test_b7_a_database_is_reached_at_the_address_that_was_checked(driver: str, tmp_path: Path) -> None:
    """The name leads nowhere: who looks it up once more does not arrive."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        arrived = threading.Event()

        def take() -> None:
            with listener.accept()[0]:
                arrived.set()

        threading.Thread(target=take, daemon=True).start()
        network = Network(allowed_hosts=frozenset({"db.invalid"}), resolver=lambda _host, _port: ["127.0.0.1"])
        reading = Reading(network=network, work_path=tmp_path, secret=lambda _name, **_options: "")
        collector = SqlCollector.model_validate(
            {"type": "sql", "url": f"{driver}://ann@db.invalid:{listener.getsockname()[1]}/shop", "tables": ["a"]}
        )
        with pytest.raises(SourceUnavailableError):
            list(sql.read(collector, reading, {}))
        assert arrived.is_set()


# --- feeds ------------------------------------------------------------------------------------------------------------

RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>{items}</channel></rss>"""
ITEM = (
    '<item><guid isPermaLink="false">{id}</guid><title>No {id}</title>'
    "<pubDate>Thu, 01 Jan 2026 0{id}:00:00 +0100</pubDate></item>"
)


def test_a_feed_shows_its_entries_again_and_they_come_in_once(server: Server, make: MakeScene) -> None:
    def serve(*ids: int) -> None:
        body = RSS.format(items="".join(ITEM.format(id=number) for number in ids)).encode()
        server.answers["/feed"] = File(body)

    scene = make({"type": "feed", "urls": [f"{server.url}/feed"]})
    serve(1, 2)
    scene.collect()
    scene.collect()
    serve(2, 3)
    scene.collect()
    rows = scene.data("shop-entries")
    assert [(row["id"], row["title"]) for row in rows] == [("1", "No 1"), ("2", "No 2"), ("3", "No 3")]
    assert rows[0]["published"].isoformat() == "2026-01-01T00:00:00+00:00"
    assert scene.last("shop-entries").number == 2


def test_what_is_no_feed_is_told(server: Server, make: MakeScene) -> None:
    server.answers["/feed"] = File(b"<html>hello</html>")
    scene = make({"type": "feed", "urls": [f"{server.url}/feed"]})
    with pytest.raises(InvalidDataError, match="is no RSS or Atom feed"):
        scene.collect()
