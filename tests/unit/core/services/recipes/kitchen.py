"""Small tables, and recipes carried out on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from aimass_core.domain.datasets import QuarantinedRow
from aimass_core.domain.recipes import DATA_CHANNEL, Recipe, StepReport
from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, Schema
from aimass_core.services.ingest.writing import to_arrow_schema
from aimass_core.services.recipes.duckdb_engine import DuckDbEngine
from aimass_core.services.recipes.engine import Engine, Source
from aimass_core.services.recipes.running import run

Rows = Sequence[Mapping[str, Any]]


def to_schema(**types: str) -> Schema:
    columns = [Column(name=name, type=ColumnType(type_)) for name, type_ in types.items()]
    return Schema(kind=DatasetKind.TABLE, columns=columns)


def to_source(folder: Path, rows: Rows, *, label: str = "data@1", num_files: int = 1, **types: str) -> Source:
    """As ingest would have stored the rows."""
    schema = to_schema(**types)
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-len(rows) // num_files)
    files = []
    for index in range(num_files):
        path = folder / f"part-{index:05d}.parquet"
        part = [dict(row) for row in rows[index * size : (index + 1) * size]]
        pq.write_table(pa.Table.from_pylist(part, schema=to_arrow_schema(schema)), path)
        files.append(path)
    return Source(label=label, schema=schema, files=files)


def to_recipe(*steps: Mapping[str, Any]) -> Recipe:
    return Recipe.model_validate({"steps": steps})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dish:
    """All that came of a recipe."""

    reports: list[StepReport]
    kept: list[QuarantinedRow]
    parts: dict[str, list[dict[str, Any]]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.parts[""]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    @property
    def counts(self) -> list[tuple[int, int, int, int]]:
        return [
            (step.num_rows_in, step.num_rows_out, step.num_rows_changed, step.num_quarantined) for step in self.reports
        ]


def cook_on(engine: Engine, folder: Path, recipe: Recipe, sources: Mapping[str, Source]) -> Dish:
    prepared = run(recipe, engine, sources)
    parts = {}
    for name in prepared.parts or [""]:
        target = folder / f"out-{name}"
        target.mkdir()
        prepared.export(str(target), name)
        tables = [pq.read_table(path) for path in sorted(target.glob("part*.parquet"))]
        parts[name] = pa.concat_tables(tables).to_pylist()
    kept = list(prepared.quarantined(sources[DATA_CHANNEL].label))
    return Dish(reports=list(prepared.reports), kept=kept, parts=parts)


def cook(folder: Path, data: Source, *steps: Mapping[str, Any], **joined: Source) -> Dish:
    """On DuckDB. `joined` are the sources of channels, with `_` for `-`."""
    work_path = folder / "work"
    work_path.mkdir()
    sources = {DATA_CHANNEL: data, **{name.replace("_", "-"): source for name, source in joined.items()}}
    with DuckDbEngine(work_path, read_paths=[folder], memory_bytes=512 * 1024**2) as engine:
        return cook_on(engine, folder, to_recipe(*steps), sources)
