"""Spools labelled images: the columns `image`, `label` and, where the source is divided, `split`."""

from pathlib import Path

import pyarrow as pa

from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.services.ingest.image_bytes import CheckedImage
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile, SpoolWriter

SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
_BATCH_BYTES, _BATCH_ROWS = 8 * 1024**2, 4_096


class ImageSpooler:
    """Collects images into batches."""

    def __init__(self, path: Path, reading: Reading, *, has_split: bool) -> None:
        self._writer, self._reading, self._has_split = SpoolWriter(path), reading, has_split
        self._rows: list[tuple[int, bytes, str, str | None]] = []
        self._num_pending_bytes = 0
        self._shapes: set[ImageShape] = set()
        self._num_before = reading.quarantine.count

    def add(self, number: int, image: CheckedImage, *, label: str, split: str | None) -> None:
        """Adds one image; `number` is its place in the source."""
        self._shapes.add(image.shape)
        self._rows.append((number, image.body, label, split))
        self._num_pending_bytes += len(image.body)
        if len(self._rows) >= _BATCH_ROWS or self._num_pending_bytes >= _BATCH_BYTES:
            self._flush()

    def finish(self, *, warnings: tuple[str, ...] = ()) -> SpooledFile:
        """The spool. Raises FileRejectedError where there is no image in it."""
        self._flush()
        self._writer.close()
        if not self._writer.num_rows:
            raise FileRejectedError(
                "No image could be used. Put PNG or JPEG files into one folder per class (cats/1.jpg, dogs/2.jpg)."
            )
        types = [("image", ColumnType.IMAGE), ("label", ColumnType.STRING)]
        types += [("split", ColumnType.STRING)] if self._has_split else []
        return SpooledFile(
            parts=tuple(self._writer.parts),
            display_name=self._reading.display_name,
            kind=DatasetKind.IMAGES,
            columns=tuple(SpooledColumn(name=name, fixed=column_type) for name, column_type in types),
            num_rows=self._writer.num_rows,
            num_bad_rows=self._reading.quarantine.count - self._num_before,
            warnings=warnings,
            target="label",
            image_shape=self._shapes.pop() if len(self._shapes) == 1 else None,
        )

    def _flush(self) -> None:
        if not self._rows:
            return
        numbers, bodies, labels, splits = zip(*self._rows, strict=True)
        arrays = {
            LINE: pa.array(numbers, type=pa.int64()),
            "0": pa.array(bodies, type=pa.binary()),
            "1": pa.array(labels, type=pa.string()),
        }
        if self._has_split:
            arrays["2"] = pa.array(splits, type=pa.string())
        self._writer.write(arrays)
        self._rows, self._num_pending_bytes = [], 0
