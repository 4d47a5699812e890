"""The same recipe on DuckDB and on Spark: the same rows, counts and rows kept apart. Needs Java and PySpark."""

import io
import multiprocessing
import os
import random
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.unit.core.services.recipes.kitchen import Dish, cook_on, to_recipe, to_source

pytest.importorskip("pyspark")
if shutil.which("java") is None:
    pytest.skip("there is no Java", allow_module_level=True)

from pyspark.sql import SparkSession

from aimass_core.domain.recipes import Recipe
from aimass_core.services.recipes.duckdb_engine import DuckDbEngine
from aimass_core.services.recipes.engine import Source
from batch_jobs.spark.engine import SparkEngine

STEPS: list[dict[str, Any]] = [
    {"do": "trim"},
    {"do": "text", "columns": ["name"], "lower": True, "strip_accents": True, "strip_html": True, "max_characters": 90},
    {"do": "parse", "columns": ["price"], "to": "number", "decimal": ",", "thousands": ".", "strip": "€"},
    {"do": "parse", "columns": ["born"], "to": "datetime", "formats": ["%d.%m.%Y", "%Y-%m-%d"], "on_error": "missing"},
    {"do": "cast", "columns": {"code": "integer"}, "on_error": "drop"},
    {"do": "units", "columns": ["heat"], "unit": "degF", "to": "degC"},
    {"do": "filter", "where": "id < 380 AND (heat IS NULL OR heat > -100)"},
    {
        "do": "derive",
        "columns": {
            "year": "year(born)",
            "ratio": "heat / (id - 1)",
            "kind": "CASE WHEN id % 3 = 0 THEN upper(g) ELSE g || '!' END",
            "is_new": "at > CAST('2024-02-01' AS TIMESTAMP)",
            "tail": "regexp_extract(name, '([0-9]+)$', 1)",
        },
    },
    {"do": "outliers", "columns": ["heat", "ratio"], "method": "quantile", "factor": 0.01},
    {"do": "impute", "strategy": "median", "columns": ["heat"], "indicator": True},
    {"do": "impute", "strategy": "mode", "columns": ["name"]},
    {"do": "dedupe", "columns": ["code"], "keep": "last", "order_by": "at"},
    {"do": "dedupe_near", "columns": ["note"], "threshold": 0.97},
    {"do": "join", "dataset": "other", "keys": {"g": "key"}},
    {"do": "images", "column": "image", "width": 4, "height": 4},
    {"do": "rename", "columns": {"label": "y"}},
    {"do": "drop", "columns": ["code"]},
    {"do": "sample", "fraction": 0.9, "by": ["g"]},
    {"do": "split", "parts": {"train": 0.6, "test": 0.4}, "by": "stratum", "column": "g"},
]
TYPES = {
    "id": "integer",
    "name": "string",
    "price": "string",
    "born": "string",
    "code": "string",
    "heat": "number",
    "g": "string",
    "at": "datetime",
    "note": "string",
    "image": "image",
}


def picture(color: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (6, 5), color).save(buffer, "PNG")
    return buffer.getvalue()


def make_rows() -> list[dict[str, Any]]:
    rng = random.Random(5)
    notes: list[str] = []
    rows = []
    for index in range(400):
        fresh = " ".join("".join(rng.choices("abcdefghij", k=6)) for _ in range(10))
        notes.append(f"{rng.choice(notes)}"[:-1] if notes and index % 9 == 0 else fresh)
        rows.append(
            {
                "id": index,
                "name": None if index % 13 == 0 else f"  <b>Ärger</b>\t Nr {index % 40} ",
                "price": "viel" if index % 17 == 0 else f"{index}.{index % 1000:03d},5 €",
                "born": "gestern" if index % 11 == 0 else f"{index % 28 + 1:02d}.03.{1950 + index % 60}",
                "code": "x" if index % 19 == 0 else str(index // 2),
                "heat": None if index % 7 == 0 else float(index),
                "g": "abc"[index % 3],
                "at": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=(index * 37) % 1500),
                "note": notes[-1],
                "image": picture(index % 256)[: 40 if index % 23 == 0 else None],
            }
        )
    return rows


def rounded(dish: Dish) -> dict[str, list[dict[str, Any]]]:
    """The rows, with numbers up to the last bits of their arithmetic."""
    return {
        part: [
            {name: round(cell, 9) if isinstance(cell, float) else cell for name, cell in row.items()} for row in rows
        ]
        for part, rows in dish.parts.items()
    }


def cook_apart(folder: Path, recipe: Recipe, sources: dict[str, Source]) -> Dish:
    """In a process of its own, for PySpark leaves Java running until its own ends."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(cook_on_spark, folder, recipe, sources).result(timeout=840)


def cook_on_spark(folder: Path, recipe: Recipe, sources: dict[str, Source]) -> Dish:
    # NOTE: else its workers are of whatever `python3` is.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.local.dir", str(folder / "spilled")).config("spark.driver.memory", "1g")
    session = builder.config("spark.sql.shuffle.partitions", "4").getOrCreate()
    try:
        return cook_on(SparkEngine(session, str(folder)), folder, recipe, sources)
    finally:
        session.stop()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_spark_makes_of_a_recipe_what_duckdb_does(tmp_path: Path) -> None:
    other = [{"key": "a", "label": 1}, {"key": "b", "label": 2}]
    sources = {
        "data": to_source(tmp_path / "data", make_rows(), num_files=3, **TYPES),
        "join-14": to_source(tmp_path / "other", other, key="string", label="integer"),
    }
    recipe = to_recipe(*STEPS)
    for name in ("duckdb", "spark"):
        (tmp_path / name).mkdir()
    with DuckDbEngine(tmp_path / "duckdb", read_paths=[tmp_path]) as engine:
        ours = cook_on(engine, tmp_path / "duckdb", recipe, sources)
    theirs = cook_apart(tmp_path / "spark", recipe, sources)
    assert theirs.reports == ours.reports
    assert theirs.kept == ours.kept
    assert rounded(theirs) == rounded(ours)
    assert all(len(rows) > 20 for rows in ours.parts.values())
    assert all(step.num_rows_changed or step.num_rows_in > step.num_rows_out for step in ours.reports[:6])
