"""The drop folder at scale: many small files, and one large beside DuckDB's own COPY of it.

`AIMASS_BENCH_FILES` and `AIMASS_BENCH_ROWS` set how many files and rows.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median

import duckdb
import pytest

import aimass
from aimass_core.adapters.memory import MemoryBlobStore
from aimass_core.domain.datasets import DatasetPolicy, DatasetVersionStatus
from aimass_core.errors import NotFoundError
from aimass_core.services.ingest.conversion import Conversion, LocalFile
from aimass_core.services.ingest.issues import Quarantine
from aimass_core.services.ingest.limits import Limits
from tests.benchmarks.report import compare, print_table, processor_seconds
from tests.stack import Stack, server_pid, wait_until
from tests.unit.core.services.ingest.scene import Scene

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
def test_conversion(tmp_path: Path) -> None:
    """What the function does between the stores, in this process and by parts, in turns with DuckDB's COPY."""
    path = _write_csv(tmp_path / "large.csv")
    scene = Scene()
    dataset = scene.dataset("large")
    parts: dict[str, list[float]] = {}

    def convert() -> None:
        marks = [("begin", time.perf_counter())]
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            landed = Path(folder, "landed")
            landed.hardlink_to(path)
            with Quarantine(Path(folder, "quarantine.jsonl")) as quarantine:
                converted = Conversion(
                    dataset=dataset,
                    base=None,
                    lake=MemoryBlobStore("lake", clock=scene.clock),
                    work_path=Path(folder),
                    quarantine=quarantine,
                    limits=Limits(),
                    on_progress=lambda phase, _step, _num: marks.append((phase, time.perf_counter())),
                ).run([LocalFile(path=landed, display_name="large.csv")])
        assert converted.profile.num_rows == NUM_ROWS
        marks.append(("end", time.perf_counter()))
        for (phase, begun), (_, ended) in pairwise(marks):
            parts.setdefault(phase, []).append(ended - begun)

    spans = compare({"duckdb": lambda: _copy(path, tmp_path), "ours": convert}, num_rounds=5)
    duck, ours = spans["duckdb"], spans["ours"]
    rows = [
        ["DuckDB COPY", f"{duck.seconds:.2f} s", f"{duck.processor_seconds:.2f} s", ""],
        [
            "converted: checked, typed, profiled, Parquet",
            f"{ours.seconds:.2f} s",
            f"{ours.processor_seconds:.2f} s",
            f"{duck.seconds / ours.seconds:.2f}x, processor {duck.processor_seconds / ours.processor_seconds:.2f}x",
        ],
        ["- read, types found", f"{median(parts['read']):.2f} s", "", ""],
        ["- typed, profiled, encoded", f"{median(parts['write']):.2f} s", "", ""],
        ["- profile put together", f"{median(parts['profile']):.2f} s", "", ""],
    ]
    title = f"CSV of {path.stat().st_size / 1e6:.0f} MB to Parquet, medians of 5 turns"
    print_table(title, ["", "time", "processor", "of DuckDB"], rows)


@pytest.mark.timeout(3_600)
def test_csv_to_queryable_version(stack: Stack, client: aimass.Client, tmp_path: Path) -> None:
    """One file: DuckDB's COPY from disk to Parquet, and the drop folder until SQL has counted the rows."""
    path = _write_csv(tmp_path / "large.csv")
    started, used = time.perf_counter(), time.process_time()
    _copy(path, tmp_path)
    peer, peer_used = time.perf_counter() - started, time.process_time() - used
    _warm(stack, client)
    client.datasets.create("large", policy=_at_once())
    pid, s3, bucket = server_pid(stack), stack.aws("s3"), stack.outputs["LandingBucketName"]
    started, used = time.perf_counter(), processor_seconds(pid)
    s3.upload_file(str(path), bucket, "drop/default/large/large.csv")
    sent = time.perf_counter()
    while client.datasets.get("large").latest_version is None:
        time.sleep(0.2)  # whoever asks more often takes the processors from what is measured
    ready = time.perf_counter()
    assert list(client.datasets.query("select count(*), max(id) from large")) == [[NUM_ROWS, NUM_ROWS - 1]]
    counted, used = time.perf_counter(), processor_seconds(pid) - used
    s3.upload_file(str(path), bucket, "bench/large.csv")
    begun = time.perf_counter()
    s3.download_file(bucket, "bench/large.csv", str(tmp_path / "fetched.csv"))
    fetched = time.perf_counter() - begun
    megabytes = path.stat().st_size / 1e6
    rows = [
        ["DuckDB COPY, disk to disk", f"{peer:.2f} s", f"{peer_used:.2f} s", f"{megabytes / peer:.0f} MB/s"],
        ["sent to the drop folder: the local cloud's S3", f"{sent - started:.2f} s", "", ""],
        ["from there READY: checked, typed, profiled", f"{ready - sent:.2f} s", "", ""],
        ["of which fetching it again from that S3 takes", f"{fetched:.2f} s", "", ""],
        [
            "counted by SQL, since it lay in S3",
            f"{counted - sent:.2f} s",
            "",
            f"{peer / (counted - sent):.2f}x of DuckDB",
        ],
        [
            "counted by SQL, since its first byte",
            f"{counted - started:.2f} s",
            f"{used:.2f} s",
            f"{peer / (counted - started):.2f}x of DuckDB",
        ],
    ]
    title = f"CSV of {megabytes:.0f} MB, {NUM_ROWS:,} rows, to a version that SQL reads"
    print_table(title, ["", "time", "processor, with the emulator", ""], rows)


def _write_csv(path: Path) -> Path:
    with duckdb.connect() as connection:
        connection.execute("SELECT setseed(0.5)")
        connection.execute(
            f"COPY (SELECT i AS id, round(random() * 1000, 3) AS price, (random() * 90)::INT AS age, "
            f"['red', 'green', 'blue'][1 + i % 3] AS colour, DATE '2020-01-01' + (i % 900)::INT AS day, "
            f"'order ' || i % 5000 AS text FROM range({NUM_ROWS}) t(i)) TO '{path}' (HEADER)"
        )
    return path


def _copy(path: Path, folder: Path) -> None:
    """The peer."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_csv('{path}')) TO '{folder / 'peer.parquet'}' (COMPRESSION zstd)")


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
