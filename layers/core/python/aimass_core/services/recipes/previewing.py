"""A recipe on a sample: rows spread evenly over the first file of a version, in memory of a function."""

import math
from pathlib import Path

from aimass_core.domain import keys
from aimass_core.domain.datasets import Manifest
from aimass_core.domain.recipes import DATA_CHANNEL, Preview, PreviewRequest, PreviewSource
from aimass_core.domain.schemas import Column
from aimass_core.ports import BlobStore
from aimass_core.services.ingest.shown_cells import to_json
from aimass_core.services.recipes.duckdb_engine import DuckDbEngine
from aimass_core.services.recipes.engine import Source
from aimass_core.services.recipes.running import Prepared, run


def preview(lake: BlobStore, request: PreviewRequest, work_path: Path, *, memory_bytes: int) -> Preview:
    """Raises InvalidRequestError or InvalidDataError where a step does not fit."""
    manifests = {
        channel: _load_manifest(lake, request.workspace_id, source) for channel, source in request.sources.items()
    }
    notes: list[str] = []
    sources = {}
    for channel, source in request.sources.items():
        manifest, is_data = manifests[channel], channel == DATA_CHANNEL
        every = max(1, math.ceil(manifest.files[0].num_rows / request.num_sampled)) if is_data and manifest.files else 1
        files = _download(lake, request.workspace_id, manifest, work_path / channel)
        if len(manifest.files) > 1:
            notes.append(f"{source.label}: the first of {len(manifest.files)} files is looked at.")
        sources[channel] = Source(label=source.label, schema=manifest.data_schema, files=files, every=every)
    with DuckDbEngine(work_path, memory_bytes=memory_bytes) as engine:
        prepared = run(request.recipe, engine, sources)
        return Preview(
            num_rows=sum(file.num_rows for file in manifests[DATA_CHANNEL].files),
            num_sampled=prepared.num_rows_in,
            steps=list(prepared.reports),
            columns=[Column(name=field.name, type=field.type) for field in prepared.fields],
            rows=_rows(prepared, request.limit),
            parts={part: prepared.count(part) for part in prepared.parts},
            notes=notes,
        )


def _rows(prepared: Prepared, limit: int) -> list[dict[str, object]]:
    names = [field.name for field in prepared.fields]
    found = prepared.engine.fetch(f"{prepared.select()} LIMIT {limit}")
    return [{name: to_json(cell) for name, cell in zip(names, row, strict=True)} for row in found]


def _load_manifest(lake: BlobStore, workspace_id: str, source: PreviewSource) -> Manifest:
    key = keys.dataset_version_object(workspace_id, source.dataset_id, source.number, "manifest.json")
    return Manifest.model_validate_json(lake.get(key))


def _download(lake: BlobStore, workspace_id: str, manifest: Manifest, folder: Path) -> list[Path]:
    folder.mkdir()
    paths = []
    for file in manifest.files[:1]:
        path = folder / "part.parquet"
        lake.download(keys.dataset_file(workspace_id, manifest.dataset_id, file.sha256), path)
        paths.append(path)
    return paths
