"""The drop folder at scale: many small files, and one large beside DuckDB's own COPY of it.

`AIMASS_BENCH_FILES` and `AIMASS_BENCH_ROWS` set how many files and rows.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

import aimass
from aimass_core.domain.datasets import DatasetPolicy, DatasetVersionStatus
from aimass_core.errors import NotFoundError
from tests.benchmarks.report import print_table, processor_seconds
from tests.stack import Stack, server_pid, wait_until

NUM_FILES = int(os.environ.get("AIMASS_BENCH_FILES", "10000"))
NUM_ROWS = int(os.environ.get("AIMASS_BENCH_ROWS", "3000000"))
_ROWS_A_FILE = 24


@pytest.mark.timeout(3_600)
def test_many_small_files(stack: Stack, client: aimass.Client) -> None:
    """10,000 files of 1 KB: from the first PUT until every row can be queried."""
    bucket, s3 = stack.outputs["LandingBucketName"], stack.aws("s3")

    def drop(number: int) -> int:
        rows = "\n".join(
            f"{number},{row},{number * row % 97}.5,label-{row % 3},some words of text" for row in range(24)
        )
        body = f"file,row,value,label,text\n{rows}\n".encode()
        s3.put_object(Bucket=bucket, Key=f"drop/default/many/{number:06d}.csv", Body=body)
        return len(body)

    started = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        num_bytes = sum(pool.map(drop, range(NUM_FILES)))
    sent = time.perf_counter()
    wait_until(lambda: _num_rows(client, "many") == NUM_FILES * _ROWS_A_FILE, seconds=1_800)
    ready = time.perf_counter()
    (counted,) = next(iter(client.datasets.query("select count(distinct file) from many")))
    answered = time.perf_counter()
    assert counted == NUM_FILES
    versions = [v for v in client.datasets.versions("many") if v.status is DatasetVersionStatus.READY]
    rows = [
        ["sent by boto3, 8 at once", f"{sent - started:.1f} s"],
        ["all rows READY", f"{ready - started:.1f} s"],
        ["and counted by SQL", f"{answered - started:.1f} s"],
        ["versions", f"{len(versions)}"],
        ["Parquet files of the newest", f"{versions[0].num_files}"],
    ]
    print_table(f"{NUM_FILES:,} files of {num_bytes / NUM_FILES:.0f} bytes in the drop folder", ["", ""], rows)


@pytest.mark.timeout(3_600)
def test_csv_to_queryable_version(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    """One file: DuckDB's COPY from disk to Parquet, and the drop folder until SQL has counted the rows."""
    path = tmp_path / "large.csv"
    with duckdb.connect() as connection:
        connection.execute("SELECT setseed(0.5)")
        connection.execute(
            f"COPY (SELECT i AS id, round(random() * 1000, 3) AS price, (random() * 90)::INT AS age, "
            f"['red', 'green', 'blue'][1 + i % 3] AS colour, DATE '2020-01-01' + (i % 900)::INT AS day, "
            f"'order ' || i % 5000 AS text FROM range({NUM_ROWS}) t(i)) TO '{path}' (HEADER)"
        )
        started, used = time.perf_counter(), time.process_time()
        connection.execute(f"COPY (FROM read_csv('{path}')) TO '{tmp_path / 'peer.parquet'}' (COMPRESSION zstd)")
        peer, peer_used = time.perf_counter() - started, time.process_time() - used
    _warm(stack, client)
    client.datasets.create("large", policy=_at_once())
    pid = server_pid(stack)
    started, used = time.perf_counter(), processor_seconds(pid)
    stack.aws("s3").upload_file(str(path), stack.outputs["LandingBucketName"], "drop/default/large/large.csv")
    sent = time.perf_counter()
    wait_until(lambda: _num_rows(client, "large") == NUM_ROWS, seconds=1_800)
    ready = time.perf_counter()
    assert list(client.datasets.query("select count(*), max(id) from large")) == [[NUM_ROWS, NUM_ROWS - 1]]
    done = time.perf_counter() - started
    used = processor_seconds(pid) - used
    megabytes = path.stat().st_size / 1e6
    rows = [
        ["DuckDB COPY, disk to disk", f"{peer:.2f} s", f"{peer_used:.2f} s", f"{megabytes / peer:.0f} MB/s"],
        ["sent to the drop folder", f"{sent - started:.2f} s", "", ""],
        [
            "READY: checked, typed, profiled",
            f"{ready - started:.2f} s",
            "",
            f"{megabytes / (ready - started):.0f} MB/s",
        ],
        ["counted by SQL", f"{done:.2f} s", f"{used:.2f} s", f"{peer / done:.2f}x of DuckDB"],
    ]
    title = f"CSV of {megabytes:.0f} MB, {NUM_ROWS:,} rows, to a version that SQL reads"
    print_table(title, ["", "time", "processor, with the emulator", ""], rows)


def _warm(stack: Stack, client: aimass.Client) -> None:
    """Starts the functions, which takes some seconds once."""
    client.datasets.create("first", policy=_at_once())
    key = "drop/default/first/first.csv"
    stack.aws("s3").put_object(Bucket=stack.outputs["LandingBucketName"], Key=key, Body=b"a\n1\n")
    wait_until(lambda: _num_rows(client, "first") == 1)
    assert list(client.datasets.query("select count(*) from first")) == [[1]]


def _at_once() -> DatasetPolicy:
    """A file is taken as soon as it is there."""
    return DatasetPolicy(drop_window_seconds=0)


def _num_rows(client: aimass.Client, name: str) -> int | None:
    try:
        dataset = client.datasets.get(name)
    except NotFoundError:
        return None
    if dataset.latest_version is None:
        return None
    version = next(v for v in client.datasets.versions(name) if v.number == dataset.latest_version)
    return version.num_rows
