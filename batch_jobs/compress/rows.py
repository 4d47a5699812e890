"""Rows that methods calibrate with, and compare graphs on."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime

from aimass_core.domain.signatures import Signature
from batch_jobs.compress.contract import Ground, UnfitError
from batch_jobs.data.frames import Array, Frame
from batch_jobs.evaluate.scoring import ORT_ERRORS, Scorer, to_inputs
from batch_jobs.train.material import TRAIN

_NUM_COMPARED = 256
_BATCH = 512


def sample_rows(ground: Ground, num_rows: int) -> Frame:
    """Some rows of training, drawn by the seed."""
    frame = ground.material.parts[TRAIN].sample(seed=ground.seed).frame
    if frame.num_rows <= num_rows:
        return frame
    chosen = np.random.default_rng(ground.seed).choice(frame.num_rows, size=num_rows, replace=False)
    return frame.take(np.sort(chosen))


def require_equal(model: onnx.ModelProto, other: onnx.ModelProto, ground: Ground, *, tolerance: float) -> None:
    """Raises UnfitError where two graphs answer rows of training differently, or one of them does not answer.

    The tolerance is of probabilities; of values it is a share of their deviation.
    """
    rows, signature = sample_rows(ground, _NUM_COMPARED), ground.original.signature
    expected, found = (_answer(each, signature, rows) for each in (model, other))
    scale = 1.0 if signature.labels is not None else max(float(expected.std()), float(np.abs(expected).max()) * 1e-3)
    largest = float(np.abs(expected - found).max(initial=0))
    if not largest <= tolerance * scale:
        raise UnfitError(f"it would answer otherwise, by up to {largest:.3g}, and must not by more than {tolerance:g}")


def _answer(model: onnx.ModelProto, signature: Signature, rows: Frame) -> Array:
    try:
        return Scorer(model.SerializeToString(), signature).answer(rows).scores
    except ORT_ERRORS as error:
        raise UnfitError(f"ONNX Runtime refuses it: {str(error).splitlines()[0][:200]}") from error


def run_values(model: onnx.ModelProto, names: Sequence[str], rows: Frame, signature: Signature) -> list[Array]:
    """Values from the inside of a graph, of all rows."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    del opened.graph.output[:]
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(opened.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise UnfitError(f"ONNX Runtime refuses it: {str(error).splitlines()[0][:200]}") from error
    wanted = {value.name for value in session.get_inputs()}
    found: list[list[Array]] = []
    for start in range(0, rows.num_rows, _BATCH):
        part = rows.take(np.arange(start, min(start + _BATCH, rows.num_rows)))
        feed = {name: value for name, value in to_inputs(part, signature).items() if name in wanted}
        found.append(session.run(list(names), feed))
    return [np.concatenate(each) for each in zip(*found, strict=True)]
