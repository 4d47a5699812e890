"""What the job and the process that opens the model tell each other, through files in a folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from aimass_core.domain.model_imports import ImportFormat, ImportSpec
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidDataError

ORDER, DESCRIPTION, REFUSAL = "order.json", "description.json", "refusal.txt"
GRAPH, INPUTS, ANSWERS = "graph.onnx", "inputs.npz", "answers.npz"
MAX_ROWS = 1_000
NUM_INVENTED = 16

Array = NDArray[Any]
Tensors = Mapping[str, Array]


class Order(BaseModel):
    """`order.json`: what is to be converted. `model_path` and `samples_path` lie in the unpacked source."""

    model_config = ConfigDict(frozen=True)

    spec: ImportSpec
    format: ImportFormat
    model_path: Path
    samples_path: Path | None = None


class Description(BaseModel):
    """`description.json`: what the model's own tool says of it, beside the graph and its answers to the same inputs.

    `columns`: the features of its one matrix. `scores`: the output that holds probabilities or values.
    """

    model_config = ConfigDict(frozen=True)

    framework: str
    versions: dict[str, str]
    task: Task | None = None
    labels: list[str] | None = None
    columns: list[str] | None = None
    scores: str | None = None
    has_samples: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Rows that the user gave: a table, or tensors by the name of their input (`""`: the only one)."""

    table: Any = None
    tensors: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """A model of another tool as a graph. `answer`: what the tool itself says to the inputs of the graph, in the order
    of the graph's outputs."""

    model: onnx.ModelProto
    framework: str
    libraries: Sequence[str]
    answer: Callable[[Tensors], Sequence[Array]]
    task: Task | None = None
    labels: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    scores: str | None = None


class UnfitError(InvalidDataError):
    """The model cannot be converted; the message says why and what to do."""


@contextmanager
def foreign(what: str) -> Iterator[None]:
    """Around calls into libraries and files of others, which raise whatever they like: the one place that takes it.

    Raises:
        UnfitError: With these words, and the last line of what was raised.
    """
    try:
        yield
    except UnfitError:
        raise
    except Exception as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[-1][:500]
        raise UnfitError(f"{what}: {type(error).__name__}: {said}") from error


def rows_of(spec: ImportSpec, samples: Samples | None) -> Array:
    """float32 rows for a model that says nothing of its input's shape. Raises UnfitError where nobody says it."""
    if samples is not None:
        if samples.table is not None:
            return to_matrix(samples, spec.columns)
        return np.asarray(next(iter(samples.tensors.values())))
    if spec.input_shape is None:
        raise UnfitError(
            "Such a file does not say what shape its input has. Give sample rows (--samples rows.npy or rows.csv), or "
            "the shape of one row (--input-shape 1,28,28)."
        )
    return np.random.default_rng(0).normal(size=(NUM_INVENTED, *spec.input_shape)).astype(np.float32)


def to_matrix(samples: Samples, columns: Sequence[str] | None) -> Array:
    """The columns of a table, side by side, as float32."""
    table = samples.table
    names = list(columns or table.columns)
    if missing := [name for name in names if name not in table.columns]:
        raise UnfitError(f"The sample rows lack the columns {missing[:10]} that the model reads.")
    try:
        return np.asarray(table[names].to_numpy(dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise UnfitError(f"The sample rows hold what is no number: {str(error)[:200]}.") from error
