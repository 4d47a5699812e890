"""Recipes out of core: 12,000,000 rows (1.4 GB as CSV) with 1 GB of memory, beside DuckDB's own copy of the same files;
and near duplicates of 1,000,000 short texts."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.benchmarks.report import print_table

NUM_ROWS = int(float(os.environ.get("AIMASS_BENCH_ROWS", "12e6")))
NUM_TEXTS = int(float(os.environ.get("AIMASS_BENCH_TEXTS", "1e6")))
STEPS: list[dict[str, Any]] = [
    {"do": "trim"},
    {"do": "text", "columns": ["note"], "lower": True},
    {"do": "parse", "columns": ["price"], "to": "number", "decimal": ",", "strip": "€"},
    {"do": "filter", "where": "amount > 0.02 OR amount IS NULL"},
    {"do": "derive", "columns": {"total": "price * amount", "kind": "CASE WHEN id % 2 = 0 THEN 'even' ELSE city END"}},
    {"do": "outliers", "columns": ["total"]},
    {"do": "impute", "strategy": "median", "columns": ["amount"]},
    {"do": "dedupe", "columns": ["note", "city"]},
    {"do": "drop", "columns": ["id"]},
]


def carry_out(folder: Path, *steps: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.recipe_run", str(folder), json.dumps({"steps": steps})]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def copy(folder: Path) -> float:
    started = time.perf_counter()
    connection = duckdb.connect()
    connection.execute("SET memory_limit = '512MiB'")
    connection.execute(f"COPY (SELECT * FROM '{folder}/*.parquet') TO '{folder}/copied' (COMPRESSION zstd)")
    return time.perf_counter() - started


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_a_gigabyte_is_prepared_within_a_gigabyte(tmp_path: Path) -> None:
    num_files = 4
    for index in range(num_files):
        first, after = NUM_ROWS * index // num_files, NUM_ROWS * (index + 1) // num_files
        duckdb.connect().execute(
            f"COPY (SELECT range AS id, ' ' || md5(CAST(range % {NUM_ROWS * 9 // 10} AS VARCHAR)) || "
            "md5(CAST(range AS VARCHAR))[:12] || ' ' AS note, CAST(range % 1000 AS VARCHAR) || ',5 €' AS price, "
            "CASE WHEN range % 7 > 0 THEN random() END AS amount, "
            "['Bonn', ' Köln', 'Ulm', 'Kiel'][1 + range % 4] AS city, md5(CAST(random() AS VARCHAR)) AS code "
            f"FROM range({first}, {after})) TO '{tmp_path}/part-{index}.parquet' (COMPRESSION zstd)"
        )
    num_bytes = sum(path.stat().st_size for path in tmp_path.glob("*.parquet"))
    peer = copy(tmp_path)
    found = carry_out(tmp_path, *STEPS)
    print_table(
        "a recipe out of core",
        ["run", "Parquet MB", "rows in", "rows out", "seconds", "peak MiB"],
        [
            ["DuckDB's COPY", f"{num_bytes / 1e6:.0f}", f"{NUM_ROWS:,}", f"{NUM_ROWS:,}", f"{peer:.1f}", "-"],
            [
                f"{len(STEPS)} steps",
                f"{num_bytes / 1e6:.0f}",
                f"{found['num_rows_in']:,}",
                f"{found['num_rows_out']:,}",
                f"{found['seconds']:.1f}",
                str(found["peak_mib"]),
            ],
        ],
    )
    print(found["began"])
    assert found["peak_mib"] <= 1024


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_near_duplicates_of_a_million_short_texts(tmp_path: Path) -> None:
    every = 10
    words = "md5(CAST((range - CASE WHEN {is_near} THEN 1 ELSE 0 END) * 8 + w AS VARCHAR))[:6]"
    texts = f"list_aggregate(list_transform(range(8), lambda w: {words}), 'string_agg', ' ')"
    text = f"CASE WHEN {{is_near}} THEN left({texts}, -1) || 'z' ELSE {texts} END"
    text = text.format(is_near=f"range % {every} = 0")
    duckdb.connect().execute(
        f"COPY (SELECT {text} AS text FROM range(1, {NUM_TEXTS} + 1)) TO '{tmp_path}/texts.parquet'"
    )
    found = carry_out(tmp_path, {"do": "dedupe_near", "columns": ["text"], "threshold": 0.8})
    planted = NUM_TEXTS // every
    lost = found["num_rows_in"] - found["num_rows_out"]
    print_table(
        "near duplicates of short texts",
        ["texts", "planted", "found", "seconds", "peak MiB"],
        [[f"{NUM_TEXTS:,}", f"{planted:,}", f"{lost:,}", f"{found['seconds']:.1f}", str(found["peak_mib"])]],
    )
    assert 0.95 * planted < lost <= planted
