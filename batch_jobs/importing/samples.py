"""Sample rows as the user gave them, and inputs for a graph: from these, or invented."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from batch_jobs.importing.contract import (
    MAX_ROWS,
    NUM_INVENTED,
    Array,
    Conversion,
    Samples,
    UnfitError,
    to_matrix,
)

_NUMPY_TYPES = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    7: np.int64,
    8: np.str_,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
    12: np.uint32,
    13: np.uint64,
}
_OPEN_SIZES = (8, 32, 224, 1)


def load(path: Path) -> Samples:
    """The first rows. Raises UnfitError where they cannot be read."""
    try:
        return _load(path)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise UnfitError(f"The sample rows {path.name} cannot be read: {str(error)[:300]}.") from error


def _load(path: Path) -> Samples:
    match path.suffix:
        case ".csv":
            return Samples(table=pd.read_csv(path, nrows=MAX_ROWS))
        case ".jsonl":
            return Samples(table=pd.read_json(path, lines=True, nrows=MAX_ROWS))
        case ".json":  # MLflow's
            found = json.loads(path.read_bytes())
            found = found.get("dataframe_split", found) if isinstance(found, dict) else found
            if isinstance(found, dict) and "data" in found:
                return Samples(table=pd.DataFrame(found["data"][:MAX_ROWS], columns=found.get("columns")))
            return Samples(tensors={"": np.asarray(found, np.float32)[:MAX_ROWS]})
        case ".npy":
            return Samples(tensors={"": np.load(path, allow_pickle=False)[:MAX_ROWS]})
        case _:
            with np.load(path, allow_pickle=False) as archive:
                return Samples(tensors={name: archive[name][:MAX_ROWS] for name in archive.files})


def to_inputs(conversion: Conversion, samples: Samples | None) -> dict[str, Array]:
    """A tensor for each input of the graph. Raises UnfitError where the samples lack one, or have it otherwise."""
    values = list(conversion.model.graph.input)
    if samples is None:
        return {value.name: _invent(value) for value in values}
    if samples.table is not None:
        return _of_table(conversion, samples, values)
    given = samples.tensors
    if len(values) == 1 and len(given) == 1:
        given = {values[0].name: next(iter(given.values()))}
    if missing := [value.name for value in values if value.name not in given]:
        raise UnfitError(f"The sample rows lack the inputs {missing[:10]}; they have {sorted(given)[:10]}.")
    return {value.name: np.asarray(given[value.name], _type_of(value)) for value in values}


def _of_table(conversion: Conversion, samples: Samples, values: Sequence[Any]) -> dict[str, Array]:
    if len(values) == 1 and len(_shape_of(values[0])) > 1 and _shape_of(values[0])[1] != 1:
        matrix = to_matrix(samples, conversion.columns)
        width = _shape_of(values[0])[1]
        if len(_shape_of(values[0])) != 2 or width not in (None, matrix.shape[1]):
            raise UnfitError(
                f"The model takes rows of shape {_shape_of(values[0])[1:]}, and the sample rows have "
                f"{matrix.shape[1]} columns. Give the columns that it reads and no others, in their order, or say them "
                "(--columns)."
            )
        return {values[0].name: matrix.astype(_type_of(values[0]))}
    table = samples.table
    if missing := [value.name for value in values if value.name not in table.columns]:
        raise UnfitError(f"The sample rows lack the columns {missing[:10]} that the model reads.")
    found = {}
    for value in values:
        column, kind = table[value.name], _type_of(value)
        cells = column.fillna("").astype(str).to_numpy(np.str_) if kind is np.str_ else column.to_numpy(kind)
        found[value.name] = cells[:, None] if len(_shape_of(value)) == 2 else cells
    return found


def _shape_of(value: Any) -> list[int | None]:
    """None is any size."""
    return [size.dim_value or None for size in value.type.tensor_type.shape.dim]


def _type_of(value: Any) -> Any:
    kind = value.type.tensor_type.elem_type
    if kind not in _NUMPY_TYPES:
        raise UnfitError(f"Its input {value.name!r} is of a type that is not served (number {kind} of ONNX).")
    return _NUMPY_TYPES[kind]


def _invent(value: Any) -> Array:
    """The same for every run."""
    generator, kind = np.random.default_rng(0), _type_of(value)
    sizes = iter(_OPEN_SIZES * 4)
    shape = [size or (NUM_INVENTED if index == 0 else next(sizes)) for index, size in enumerate(_shape_of(value))]
    if kind is np.str_:
        return generator.choice(np.array(["a", "b", "c"]), shape)
    if kind is np.bool_:
        return generator.integers(0, 2, shape).astype(np.bool_)
    if np.issubdtype(kind, np.integer):
        return generator.integers(0, 256 if kind is np.uint8 else 2, shape).astype(kind)
    return generator.normal(size=shape).astype(kind)
