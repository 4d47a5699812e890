"""Layers computed in int8, by ONNX Runtime's own quantization: static with ranges from rows of training, or dynamic."""

import contextlib
import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime import quantization
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType

from aimass_core.domain.schemas import DatasetKind
from batch_jobs.compress.contract import Ground, UnfitError
from batch_jobs.compress.rows import sample_rows
from batch_jobs.data.frames import Array
from batch_jobs.evaluate.scoring import ORT_ERRORS, to_inputs

HEAVY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_BETWEEN = frozenset(
    {
        *("Add", "AveragePool", "Clip", "Concat", "Flatten", "GlobalAveragePool", "LeakyRelu", "MaxPool", "Mul", "Pad"),
        *("Relu", "Reshape", "Sigmoid", "Squeeze", "Transpose", "Unsqueeze", *HEAVY),
    }
)
CALIBRATIONS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
_NUM_ROWS = 256
_NUM_IMAGES_AT_ONCE = 32
_FAULTS: tuple[type[Exception], ...] = (
    *(*ORT_ERRORS, ValueError, RuntimeError, TypeError),
    *(KeyError, IndexError, AssertionError, NotImplementedError),
)


def find_heavy(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Layers whose weights are constants. Every node gets a name."""
    constants = {constant.name for constant in model.graph.initializer}
    for number, node in enumerate(model.graph.node):
        node.name = f"node_{number}"
    return [node for node in model.graph.node if node.op_type in HEAVY and node.input[1] in constants]


def find_recurrent(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Those that ONNX Runtime has an operator in int8 for, with constant weights."""
    constants = {constant.name for constant in model.graph.initializer}
    return [node for node in model.graph.node if node.op_type == "LSTM" and constants.issuperset(node.input[1:3])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Of an activation: 0 is written as `zero_point`, and what differs by `scale` by one more."""

    scale: Array
    zero_point: Array


def quantize_static(
    model: onnx.ModelProto,
    ground: Ground,
    *,
    calibration: str,
    excluded: Sequence[str] = (),
    ranges: Mapping[str, Range] | None = None,
) -> onnx.ModelProto:
    """Weights per channel, in int8; activations in uint8. What is in front of the first of the layers, and behind the
    last, stays in float: encodings, and the answer.

    Args:
        model: Named by `find_heavy`.
        ground: Whose rows of training say how large activations are.
        calibration: One of `CALIBRATIONS`.
        excluded: Names of layers that stay in float.
        ranges: Of activations by name, in the place of calibrated ones.
    """
    heavy = [node.name for node in find_heavy(model) if node.name not in excluded]
    between = _find_between(model, heavy)
    # NOTE: it looks at what all operators of these kinds give, of an encoding with missing values too.
    kinds = sorted({node.op_type for node in model.graph.node if node.name in between})
    path = ground.scratch_path / "quantized.onnx"
    known = {name: [{"scale": each.scale, "zero_point": each.zero_point}] for name, each in (ranges or {}).items()}
    with _quiet(), _explained():
        quantization.quantize_static(
            _copy(model),
            path,
            _Reader(ground),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_quantize=between,
            op_types_to_quantize=kinds,
            calibrate_method=CALIBRATIONS[calibration],
            extra_options={"TensorQuantOverrides": known},
        )
    return _load(path, model)


def read_ranges(quantized: onnx.ModelProto) -> dict[str, Range]:
    """Those of the activations of a model that `quantize_static` has made."""
    constants = {constant.name: constant for constant in quantized.graph.initializer}
    return {
        node.input[0]: Range(
            scale=numpy_helper.to_array(constants[node.input[1]]),
            zero_point=numpy_helper.to_array(constants[node.input[2]]),
        )
        for node in quantized.graph.node
        if node.op_type == "QuantizeLinear"
    }


def quantize_dynamic(model: onnx.ModelProto, ground: Ground) -> onnx.ModelProto:
    """Products of matrices and LSTMs in int8; ranges of activations are found with each request. The LSTM is an
    operator of ONNX Runtime's own, `DynamicQuantizeLSTM`, which `graph_check` knows."""
    path = ground.scratch_path / "quantized.onnx"
    with _quiet(), _explained():
        quantization.quantize_dynamic(
            _copy(model), path, op_types_to_quantize=["MatMul", "LSTM"], per_channel=True, weight_type=QuantType.QInt8
        )
    return _load(path, model)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    """NOTE: the quantizer leaves its input with its data in files that it removes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _load(path: Any, model: onnx.ModelProto) -> onnx.ModelProto:
    quantized = onnx.load(path)
    path.unlink()
    domains = {node.domain for node in quantized.graph.node}
    opsets = [opset for opset in quantized.opset_import if opset.domain == "" or opset.domain in domains]
    opsets += [opset for opset in model.opset_import if opset.domain not in {each.domain for each in opsets}]
    imports = {opset.domain: opset.version for opset in opsets}
    del quantized.opset_import[:], quantized.metadata_props[:], quantized.graph.value_info[:]
    quantized.opset_import.extend(onnx.helper.make_opsetid(*each) for each in imports.items())
    quantized.ir_version, quantized.producer_name = model.ir_version, model.producer_name
    quantized.producer_version = model.producer_version
    return quantized


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, ground: Ground) -> None:
        rows = sample_rows(ground, _NUM_ROWS)
        # NOTE: histograms are made of batches that have one shape. Those of texts differ in length.
        is_large = ground.original.signature.kind is DatasetKind.IMAGES and rows.num_rows > _NUM_IMAGES_AT_ONCE
        size = _NUM_IMAGES_AT_ONCE if is_large else rows.num_rows
        starts = range(0, rows.num_rows - size + 1, size)
        parts = [rows.take(np.arange(start, start + size)) for start in starts]
        self._batches = iter([to_inputs(part, ground.original.signature) for part in parts])

    def get_next(self) -> dict[str, Any] | None:
        """The inputs of some rows; None after the last."""
        return next(self._batches, None)


def _find_between(model: onnx.ModelProto, heavy: Sequence[str]) -> list[str]:
    """The layers, and what lies between any two of them."""
    users: dict[str, list[int]] = {}
    nodes = list(model.graph.node)
    for number, node in enumerate(nodes):
        for name in node.input:
            users.setdefault(name, []).append(number)
    is_after, is_before = [False] * len(nodes), [False] * len(nodes)
    for number, node in enumerate(nodes):
        starts = node.name in heavy or (is_after[number] and node.op_type in _BETWEEN)
        for user in (user for name in node.output for user in users.get(name, []) if starts):
            is_after[user] = True
    for number in range(len(nodes) - 1, -1, -1):
        followers = [user for name in nodes[number].output for user in users.get(name, [])]
        is_before[number] = any(
            nodes[user].name in heavy or (is_before[user] and nodes[user].op_type in _BETWEEN) for user in followers
        )
    return [
        node.name
        for number, node in enumerate(nodes)
        if node.name in heavy
        or (node.op_type in _BETWEEN and node.op_type not in HEAVY and is_after[number] and is_before[number])
    ]


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnfitError(f"ONNX Runtime cannot quantize it: {first[:200]}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """NOTE: it warns at the root logger that models should be prepared, which they are, and prints."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
