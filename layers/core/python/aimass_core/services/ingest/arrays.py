"""Reads `.npz` files: images with labels, a matrix of numbers or series with a target. Pickles are never opened."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.services.ingest import series_arrays
from aimass_core.services.ingest.archives import Archive, Member
from aimass_core.services.ingest.image_bytes import CheckedImage, to_png
from aimass_core.services.ingest.image_spools import SPLITS, ImageSpooler
from aimass_core.services.ingest.issues import FileRejectedError
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import LINE, SpooledColumn, SpooledFile, SpoolWriter

NPY_MAGIC = b"\x93NUMPY"
_SERIES_NAME = "series"
_X_NAMES = {"x", "image", "images", "data", "features", "inputs", _SERIES_NAME}
_LABEL = "y"
_Y_NAMES = {"y", "label", "labels", "target", "targets"}
_BATCH_ROWS = 16_384
_ADVICE = "Save it as numpy.savez_compressed('data.npz', x=x, y=y), with x of shape (rows, ...) and y of shape (rows,)."

AnyArray = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The rows of one split (None: there is only one). `is_series`: the array is called so.

    A `y` of two dimensions has a column of 0 and 1 for each label.
    """

    split: str | None
    x: AnyArray
    y: AnyArray | None
    is_series: bool


def spool(archive: Archive, work_path: Path, reading: Reading) -> SpooledFile:
    """Series where x is called so or is floats of three dimensions, [rows, steps, channels].

    Else images where it has three or four dimensions, a table where it has one or two.
    """
    parts = _find_parts(_load(archive, work_path))
    first = parts[0].x
    if any(part.x.ndim != first.ndim or part.x.shape[1:] != first.shape[1:] for part in parts):
        raise FileRejectedError("The arrays of the splits have different shapes. Give them the same.")
    if first.ndim in (2, 3) and (parts[0].is_series or (first.ndim == 3 and first.dtype.kind == "f")):
        return _spool_series(parts, work_path, reading)
    if first.ndim in (3, 4):
        return _spool_images(parts, work_path, reading)
    if first.ndim in (1, 2):
        return _spool_table(parts, work_path, reading)
    raise FileRejectedError(f"The array x has {first.ndim} dimensions; 1 to 4 are read. {_ADVICE}")


def _load(archive: Archive, work_path: Path) -> dict[str, AnyArray]:
    """Every array, mapped from a file of its own, so that memory holds only what is looked at."""
    arrays: dict[str, AnyArray] = {}
    for index, member in enumerate(archive.members):
        target = work_path / f"array-{index}.npy"
        archive.extract(member, target)
        arrays[member.name.removesuffix(".npy")] = _map(target, member)
    return arrays


def _map(path: Path, member: Member) -> AnyArray:
    try:
        loaded: AnyArray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        words = str(error).lower()
        if "object" in words or "pickle" in words:
            raise FileRejectedError(
                f"The array {member.name!r} holds Python objects, which are never opened. Convert it to numbers."
            ) from error
        raise FileRejectedError(f"The array {member.name!r} is damaged. {_ADVICE}") from error
    return loaded


def _find_parts(arrays: dict[str, AnyArray]) -> list[_Part]:
    found: dict[str | None, dict[str, AnyArray]] = {}
    is_series: dict[str | None, bool] = {}
    for name, array in arrays.items():
        words = [word for word in re.split(r"[_\W]+", name.lower()) if word]
        split = next((SPLITS[word] for word in words if word in SPLITS), None)
        is_series[split] = is_series.get(split, False) or _SERIES_NAME in words
        role = "x" if _X_NAMES & set(words) else "y" if _Y_NAMES & set(words) else None
        if role is not None:
            found.setdefault(split, {})[role] = array
    parts = [
        _Part(split=split, x=pair["x"], y=pair.get("y"), is_series=is_series[split])
        for split, pair in found.items()
        if "x" in pair
    ]
    if not parts:
        raise FileRejectedError(
            f"No array is called x, images, data or features: there are {sorted(arrays)}. {_ADVICE}"
        )
    has_flags = _have_flags(parts)
    for part in parts:
        if part.x.ndim == 0 or not len(part.x):
            raise FileRejectedError(f"The array x has no rows. {_ADVICE}")
        if part.y is not None and not has_flags and part.y.size != len(part.x):
            raise FileRejectedError(
                f"There are {len(part.x):,} rows but labels of shape {part.y.shape}. One label per row is needed; turn "
                "one-hot labels into class numbers with numpy.argmax(y, axis=1). (Where rows have several labels or "
                "none, y is 0 and 1 of shape (rows, labels).)"
            )
    return sorted(parts, key=lambda part: ("train", "validation", "test", None).index(part.split))


def _have_flags(parts: list[_Part]) -> bool:
    """Whether y is a matrix of 0 and 1 in which some row has several labels or none; else it is classes, one-hot."""
    matrices = [part.y for part in parts if part.y is not None]
    shapes = {(y.ndim, y.shape[1:]) for y in matrices}
    if len(shapes) != 1 or matrices[0].ndim != 2 or matrices[0].shape[1] < 2:
        return False
    if any(len(part.x) != len(part.y) for part in parts if part.x.ndim and part.y is not None):
        return False
    if any(y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all() for y in matrices):
        return False
    return any(y.any() for y in matrices) and any((y.sum(axis=1) != 1).any() for y in matrices)


def _spool_images(parts: list[_Part], work_path: Path, reading: Reading) -> SpooledFile:
    has_split = any(part.split for part in parts)
    spooler = ImageSpooler(work_path / "images.arrow", reading, has_split=has_split)
    number = 0
    for part in parts:
        if part.y is None:
            raise FileRejectedError(f"The images have no labels. {_ADVICE}")
        pixels = _to_channels_last(part.x)
        labels = _to_lists(part.y) if _is_matrix(part.y) else _texts(part.y)
        for image, label in zip(pixels, labels, strict=True):
            number += 1
            spooler.add(number, _encode(image), label=label, split=part.split)
    return spooler.finish()


def _to_channels_last(x: AnyArray) -> AnyArray:
    if x.dtype != np.uint8:
        raise FileRejectedError(
            f"The images are {x.dtype}; uint8 from 0 to 255 is read. Convert them: x.astype('uint8'). Series of shape "
            "(rows, steps, channels) must be floats."
        )
    if x.ndim == 3 or x.shape[-1] in (1, 3, 4):
        return x
    if x.shape[1] in (1, 3, 4):
        return np.moveaxis(x, 1, -1)
    raise FileRejectedError(f"Images of shape {x.shape[1:]} have no 1, 3 or 4 channels. {_ADVICE}")


def _encode(pixels: AnyArray) -> CheckedImage:
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    flat = pixels[:, :, 0] if pixels.ndim == 3 and channels == 1 else pixels
    body = to_png(Image.fromarray(np.ascontiguousarray(flat)))
    return CheckedImage(body=body, shape=ImageShape(height=height, width=width, channels=channels))


def _spool_series(parts: list[_Part], work_path: Path, reading: Reading) -> SpooledFile:
    x, y = parts[0].x, parts[0].y
    names = series_arrays.check(x, limits=reading.limits)
    columns = [SpooledColumn(name=name, fixed=ColumnType.SERIES) for name in names]
    columns += _label_columns(parts)
    has_split = any(part.split for part in parts)
    num_before = reading.quarantine.count
    with SpoolWriter(work_path / "series.arrow") as writer:
        first = 1
        for part in parts:
            if (part.y is None) != (y is None):
                raise FileRejectedError(f"Some splits have labels and some have none. {_ADVICE}")
            for rows, channels in series_arrays.blocks(part.x, first=first, reading=reading):
                arrays = [*channels, *_label_arrays(part, rows, has_split=has_split)]
                lines = {LINE: pa.array(rows + first, type=pa.int64())}
                writer.write(lines | {str(index): array for index, array in enumerate(arrays)})
            first += len(part.x)
    return SpooledFile(
        parts=tuple(writer.parts),
        display_name=reading.display_name,
        kind=DatasetKind.TABLE,
        columns=tuple(columns),
        num_rows=writer.num_rows,
        num_bad_rows=reading.quarantine.count - num_before,
        target=None if y is None else _LABEL,
    )


def _label_columns(parts: list[_Part]) -> list[SpooledColumn]:
    y = parts[0].y
    columns = []
    if y is not None:
        columns = [SpooledColumn(name=_LABEL, fixed=ColumnType.STRING if _is_matrix(y) else _type_of(y))]
    return columns + [SpooledColumn(name="split", fixed=ColumnType.STRING)] * any(part.split for part in parts)


def _label_arrays(part: _Part, rows: AnyArray, *, has_split: bool) -> list[pa.Array]:
    arrays = []
    if part.y is not None:
        is_matrix = _is_matrix(part.y)
        arrays = [pa.array(_to_lists(part.y[rows]), pa.string()) if is_matrix else _to_arrow(part.y.reshape(-1)[rows])]
    return arrays + [pa.array([part.split] * len(rows), type=pa.string())] * has_split


def _spool_table(parts: list[_Part], work_path: Path, reading: Reading) -> SpooledFile:
    x, y = parts[0].x, parts[0].y
    width = 1 if x.ndim == 1 else x.shape[1]
    if width > reading.limits.max_columns:
        raise FileRejectedError(f"The array x has {width:,} columns; at most {reading.limits.max_columns:,} are read.")
    names = [f"x{index}" for index in range(width)]
    columns = [SpooledColumn(name=name, fixed=_type_of(x)) for name in names]
    columns += _label_columns(parts)
    has_split = any(part.split for part in parts)
    with SpoolWriter(work_path / "table.arrow") as writer:
        for part in parts:
            if (part.y is None) != (y is None):
                raise FileRejectedError(f"Some splits have labels and some have none. {_ADVICE}")
            for batch in _table_batches(part, has_split=has_split, start=writer.num_rows):
                writer.write(batch)
    return SpooledFile(
        parts=tuple(writer.parts),
        display_name=reading.display_name,
        kind=DatasetKind.TABLE,
        columns=tuple(columns),
        num_rows=writer.num_rows,
        num_bad_rows=0,
        target=None if y is None else _LABEL,
    )


def _table_batches(part: _Part, *, has_split: bool, start: int) -> Iterator[dict[str, pa.Array]]:
    matrix = part.x.reshape(len(part.x), -1)
    for begin in range(0, len(matrix), _BATCH_ROWS):
        block = matrix[begin : begin + _BATCH_ROWS]
        arrays = [_to_arrow(block[:, index]) for index in range(block.shape[1])]
        arrays += _label_arrays(part, np.arange(begin, begin + len(block)), has_split=has_split)
        first = start + begin + 1
        yield {
            LINE: pa.array(range(first, first + len(block)), type=pa.int64()),
            **{str(index): array for index, array in enumerate(arrays)},
        }


def _type_of(array: AnyArray) -> ColumnType:
    kind = array.dtype.kind
    if kind == "b":
        return ColumnType.BOOLEAN
    if kind == "i" or (kind == "u" and array.dtype.itemsize < 8):
        return ColumnType.INTEGER
    if kind in "fu":
        return ColumnType.NUMBER
    if kind in "US":
        return ColumnType.STRING
    raise FileRejectedError(
        f"An array holds values of the type {array.dtype}. Numbers, truth values and texts are read."
    )


def _to_arrow(values: AnyArray) -> pa.Array:
    kind = _type_of(values)
    if kind is ColumnType.STRING:
        return pa.array(_texts(values), type=pa.string())
    wanted = {ColumnType.INTEGER: np.int64, ColumnType.NUMBER: np.float64, ColumnType.BOOLEAN: np.bool_}[kind]
    return pa.array(np.ascontiguousarray(values).astype(wanted))


def _is_matrix(y: AnyArray) -> bool:
    return y.ndim == 2 and y.shape[1] > 1


def _to_lists(flags: AnyArray) -> Iterator[str]:
    """The numbers of the labels that a row has, as a JSON list of texts."""
    return (json.dumps([str(label) for label in np.flatnonzero(row).tolist()], separators=(",", ":")) for row in flags)


def _texts(values: AnyArray) -> list[str]:
    flat = values.reshape(-1)
    if flat.dtype.kind == "S":
        return [value.decode("utf-8", "replace") for value in flat.tolist()]
    if flat.dtype.kind == "f" and bool(np.all(np.mod(flat, 1) == 0)):
        flat = flat.astype(np.int64)
    return [str(value) for value in flat.tolist()]
