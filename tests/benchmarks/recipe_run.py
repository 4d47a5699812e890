"""Carries one recipe out and says what it took: a process of its own, so that its memory is measured alone.

    python -m tests.benchmarks.recipe_run <folder> <recipe as JSON>

The folder holds the Parquet files; the answer is a line of JSON.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from aimass_core.domain.recipes import DATA_CHANNEL, Recipe
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.services.recipes.duckdb_engine import DuckDbEngine
from aimass_core.services.recipes.engine import Source
from aimass_core.services.recipes.running import run

MEMORY_BYTES = 1024**3
_TYPES = {"BIGINT": ColumnType.INTEGER, "DOUBLE": ColumnType.NUMBER, "VARCHAR": ColumnType.STRING}


def main(folder: Path, recipe: Recipe) -> dict[str, object]:
    """Seconds, MiB of memory at its peak, rows, and seconds of each step."""
    files = sorted(folder.glob("*.parquet"))
    described = duckdb.connect().execute(f"DESCRIBE SELECT * FROM '{files[0]}'").fetchall()
    columns = [Column(name=name, type=_TYPES[native]) for name, native, *_ in described]
    source = Source(label="bench", schema=Schema(kind=DatasetKind.TABLE, columns=columns), files=files)
    moments: list[tuple[str, float]] = []
    started = time.perf_counter()
    with TemporaryDirectory(prefix="bench-", dir=folder) as work:
        work_path = Path(work)
        with DuckDbEngine(
            work_path, read_paths=[folder], memory_bytes=MEMORY_BYTES // 2, num_threads=os.cpu_count() or 1
        ) as engine:
            prepared = run(
                recipe,
                engine,
                {DATA_CHANNEL: source},
                on_step=lambda _number, do: moments.append((do, time.perf_counter() - started)),
            )
            prepared.export(work)
            num_rows = prepared.count()
    seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "num_rows_in": prepared.num_rows_in,
        "num_rows_out": num_rows,
        "began": [(do, round(at, 1)) for do, at in moments],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), Recipe.model_validate_json(sys.argv[2]))) + "\n")
