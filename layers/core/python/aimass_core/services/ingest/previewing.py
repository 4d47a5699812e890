"""The first rows of a version, for people: as JSON, or as CSV that a spreadsheet opens without running anything."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from aimass_core.domain import keys
from aimass_core.domain.datasets import DatasetRows, Manifest
from aimass_core.domain.spreadsheets import defuse
from aimass_core.ports import BlobStore
from aimass_core.services.ingest.shown_cells import to_json


def load_rows(lake: BlobStore, workspace_id: str, manifest: Manifest, *, limit: int) -> DatasetRows:
    """The first rows; long texts and series are cut, images become data: URLs or null."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="aimass-preview-") as folder:
        path = Path(folder) / "part.parquet"
        for file in manifest.files:
            if len(rows) >= limit:
                break
            lake.download(keys.dataset_file(workspace_id, manifest.dataset_id, file.sha256), path)
            rows += _first_rows(path, limit - len(rows))
    return DatasetRows(columns=[column.name for column in manifest.data_schema.columns], rows=rows)


def _first_rows(path: Path, limit: int) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as parquet:
        batch = next(parquet.iter_batches(batch_size=limit), None)
        for row in [] if batch is None else batch.slice(0, limit).to_pylist():
            yield {name: to_json(value) for name, value in row.items()}


def to_csv(rows: DatasetRows) -> str:
    """The rows as CSV. A text that a spreadsheet would take for a formula gets a leading apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([defuse(name) for name in rows.columns])
    for row in rows.rows:
        writer.writerow([_to_cell(row[name]) for name in rows.columns])
    return text.getvalue()


def _to_cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else defuse(value)
