"""Runs the exported graph, as serving will."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from aimass_core.domain.signatures import Signature, Task
from batch_jobs.algorithms.export.assembly import LABEL, PROBABILITIES, THRESHOLD, VALUE
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target

# NOTE: what it says may quote bytes of the file that are no text.
ORT_ERRORS: tuple[type[Exception], ...] = (
    UnicodeDecodeError,
    *(value for value in vars(ort_errors).values() if isinstance(value, type) and issubclass(value, Exception)),
)
_MAX_ROWS = 4096
_MAX_VALUES = 2**19


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the graph says: `labels` (None for a regression), and probabilities [rows, classes] or values [rows].

    Labels are texts [rows], or of a multi-label task booleans [rows, labels].
    """

    labels: Array | None
    scores: NDArray[np.float32]


class Scorer:
    """The graph in ONNX Runtime, one thread, as a Lambda runs it."""

    def __init__(self, model: bytes, signature: Signature, *, num_threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.signature = signature

    def answer(self, frame: Frame) -> Answers:
        """All rows, in batches."""
        widest = sum(np.size(values[0]) for values in frame.columns.values()) if frame.num_rows else 1
        size = min(max(_MAX_VALUES // max(widest, 1), 1), _MAX_ROWS)
        batches = [
            self._run(frame.take(np.arange(start, min(start + size, frame.num_rows))))
            for start in range(0, frame.num_rows, size)
        ]
        if self.signature.labels is None:
            return Answers(labels=None, scores=np.concatenate([batch[0] for batch in batches]))
        labels = np.concatenate([batch[0] for batch in batches])
        return Answers(labels=labels, scores=np.concatenate([batch[1] for batch in batches]))

    def run(self, inputs: Mapping[str, Array]) -> list[Any]:
        """The values, or the labels and the probabilities, of the rows of these tensors."""
        wanted = [VALUE] if self.signature.labels is None else [LABEL, PROBABILITIES]
        return list(self._session.run(wanted, dict(inputs)))

    def _run(self, frame: Frame) -> list[Any]:
        return self.run(to_inputs(frame, self.signature))


def to_answers(scores: Array, target: Target) -> Array:
    """The labels that probabilities stand for, as the graph answers them."""
    if target.task is Task.MULTILABEL:
        return np.asarray(scores >= THRESHOLD)
    return np.asarray(np.asarray(target.labels, dtype=object)[scores.argmax(axis=1)])


def to_inputs(frame: Frame, signature: Signature) -> dict[str, Array]:
    """The tensors that the graph takes: a table's columns with shape [rows, 1], images as they are."""
    columns = {spec.name: frame.columns[spec.column or spec.name] for spec in signature.inputs}
    return {name: values if values.ndim > 1 else values[:, None] for name, values in columns.items()}
