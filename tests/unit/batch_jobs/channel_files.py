"""Writes small channels, as the runtime leaves them for a job."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from aimass_core.domain.schemas import Column, ColumnType, DatasetKind, ImageShape, Schema
from batch_jobs.data.channels import ARROW_TYPES, Channel, read_channel

Columns = Mapping[str, tuple[ColumnType, Sequence[Any]]]


def write_channel(
    path: Path,
    columns: Columns,
    *,
    target: str | None = None,
    kind: DatasetKind = DatasetKind.TABLE,
    image_shape: ImageShape | None = None,
) -> Path:
    """One Parquet file and its schema."""
    path.mkdir(parents=True)
    schema = Schema(
        kind=kind,
        columns=[Column(name=name, type=column_type) for name, (column_type, _) in columns.items()],
        target=target,
        image_shape=image_shape,
    )
    (path / "schema.json").write_text(schema.model_dump_json(), encoding="utf-8")
    arrays = {name: pa.array(values, ARROW_TYPES[kind]) for name, (kind, values) in columns.items()}
    pq.write_table(pa.table(arrays), path / "00000.parquet")
    return path


def build_channel(path: Path, columns: Columns, *, name: str = "train", target: str | None = None) -> Channel:
    """The same, read."""
    return read_channel(name, write_channel(path / name, columns, target=target))


def mixed_columns(num_rows: int, *, seed: int = 0) -> tuple[dict[str, tuple[ColumnType, list[Any]]], Any]:
    """Columns of every type, with missing values and odd names, and the signal that targets are made from."""
    rng = np.random.default_rng(seed)
    length, width = rng.normal(5, 2, num_rows), rng.normal(-3, 1, num_rows)
    colour = rng.choice(["red", "green", "blue", "rare"], num_rows, p=[0.5, 0.3, 0.19, 0.01])
    is_new = rng.random(num_rows) < 0.5
    hours = rng.integers(0, 50_000, num_rows).tolist()
    day = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in hours]
    month = np.array([moment.month for moment in day])
    signal = (length - 5) + 2.0 * (colour == "red") - 1.5 * is_new + 0.3 * (month - 6)

    def with_gaps(values: Sequence[Any], share: float) -> list[Any]:
        return [None if gap else value for value, gap in zip(values, rng.random(num_rows) < share, strict=True)]

    columns: dict[str, tuple[ColumnType, list[Any]]] = {
        "länge (cm)": (ColumnType.NUMBER, with_gaps(length.tolist(), 0.1)),
        "width": (ColumnType.NUMBER, width.tolist()),
        "count": (ColumnType.INTEGER, with_gaps(rng.integers(0, 9, num_rows).tolist(), 0.05)),
        "色": (ColumnType.STRING, with_gaps(colour.tolist(), 0.1)),
        "is_new": (ColumnType.BOOLEAN, with_gaps(is_new.tolist(), 0.05)),
        "label": (ColumnType.DATETIME, with_gaps(day, 0.05)),
    }
    return columns, signal


def encode_png(pixels: Any) -> bytes:
    """An image as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def shape_images(num_rows: int, *, size: int = 12, seed: int = 0) -> tuple[list[bytes], list[str]]:
    """Noisy grey images with a horizontal or a vertical bar, and which of them it is."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for row in range(num_rows):
        pixels = rng.integers(0, 60, (size, size), dtype=np.uint8)
        position = int(rng.integers(3, size - 3))
        if row % 2:
            pixels[position] = 255
        else:
            pixels[:, position] = 255
        images.append(encode_png(pixels))
        labels.append("horizontal" if row % 2 else "vertical")
    return images, labels
