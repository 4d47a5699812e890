"""Ingest of a CSV file beside a raw boto3 upload and pyarrow's own conversion of the same file."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

import aimass
from tests.benchmarks.report import memory_mb, print_table
from tests.stack import Stack, server_pid


@pytest.mark.parametrize("num_rows", [20_000, 400_000])
def test_ingest(stack: Stack, client: aimass.Client, tmp_path: Path, num_rows: int) -> None:
    path = tmp_path / "bench.csv"
    _write(path, num_rows)
    megabytes = path.stat().st_size / 1e6
    bucket, s3 = stack.outputs["LandingBucketName"], stack.aws("s3")

    started = time.perf_counter()
    s3.upload_file(str(path), bucket, "bench/raw.csv")
    uploaded = time.perf_counter()
    body = io.BytesIO(s3.get_object(Bucket=bucket, Key="bench/raw.csv")["Body"].read())
    pq.write_table(pa_csv.read_csv(body), tmp_path / "raw.parquet", compression="zstd")
    s3.upload_file(str(tmp_path / "raw.parquet"), bucket, "bench/raw.parquet")
    converted = time.perf_counter()

    client.datasets.create(f"bench-{num_rows}", target="label")
    begun = time.perf_counter()
    version = client.datasets.upload(path, name=f"bench-{num_rows}", wait=False)
    sent = time.perf_counter()
    version = version.wait()
    ready = time.perf_counter()
    assert version.num_rows == num_rows
    rows = [
        ["boto3 upload_file", f"{uploaded - started:.2f} s", f"{megabytes / (uploaded - started):.1f} MB/s"],
        [
            "+ pyarrow read_csv, write_table",
            f"{converted - started:.2f} s",
            f"{megabytes / (converted - started):.1f} MB/s",
        ],
        ["aimass upload, bytes acknowledged", f"{sent - begun:.2f} s", f"{megabytes / (sent - begun):.1f} MB/s"],
        ["aimass upload until READY", f"{ready - begun:.2f} s", f"{megabytes / (ready - begun):.1f} MB/s"],
    ]
    title = f"Ingest of {megabytes:.1f} MB CSV, {num_rows:,} rows (READY = checked, typed, profiled, committed)"
    print_table(title, ["", "time", "rate"], rows)
    print_table("Memory", ["", "RSS"], [["local cloud, server", f"{memory_mb(server_pid(stack)):.0f} MB"]])


def _write(path: Path, num_rows: int) -> None:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=(num_rows, 8)).round(6)
    words = generator.choice(["red", "green", "blue", "amber"], num_rows)
    labels = generator.choice(["yes", "no"], num_rows)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{i}" for i in range(8)), "colour", "label"])
        writer.writerows([*row, word, label] for row, word, label in zip(numbers.tolist(), words, labels, strict=True))
