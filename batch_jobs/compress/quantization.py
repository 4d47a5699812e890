"""Quantization: weights with fewer bits, and layers that compute with int8 where this is quicker."""

from collections.abc import Sequence

import numpy as np
import onnx

from aimass_core.domain.compression import CompressionMethod
from batch_jobs.compress import integers, weights
from batch_jobs.compress.contract import Ground, Proposal, Settings, UnfitError
from batch_jobs.compress.graphs import activate_early, fold, require_standard
from batch_jobs.compress.rows import sample_rows
from batch_jobs.evaluate.scoring import Scorer

MODE = "mode"
WEIGHTS, STATIC, DYNAMIC = "weights", "static", "dynamic"
BITS = "bits"
"""Of stored weights: 16, 8 or 4. They are computed with in float32."""
CALIBRATION = "calibration"
FLOAT_LAYERS = "float_layers"
"""So many layers stay in float, those that change the answers most."""
AWARE = "aware"
"""Trained for it before: of static layers, and of weights with 8 or 4 bits."""
_INTEGER_OPERATORS = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"}
    | {"QLinearConv", "QLinearMatMul", "DynamicQuantizeLSTM"}
)
_LEAST_SHARE = 0.1
_NUM_COMPARED = 256
_MAX_TRIED = 8


class Quantization:
    """See `contract.Method`."""

    @property
    def method(self) -> CompressionMethod:
        """Which one it is."""
        return CompressionMethod.QUANTIZATION

    def propose(self, model: onnx.ModelProto, ground: Ground) -> Sequence[Proposal]:
        """The most usual first. Convolutions are never dynamic: they would be slower several times."""
        _require_weights(model)
        folded = fold(model, ground.scratch_path)
        heavy = integers.find_heavy(folded)
        settings: list[Settings] = [{MODE: WEIGHTS, BITS: 8}]
        trained: list[Settings] = [{MODE: WEIGHTS, BITS: 4}]
        if heavy:
            settings.append({MODE: STATIC, CALIBRATION: "minmax", FLOAT_LAYERS: 0})
            trained.insert(0, settings[-1])
        settings.append({MODE: WEIGHTS, BITS: 4})
        if integers.find_recurrent(folded) or any(node.op_type in ("MatMul", "Gemm") for node in heavy):
            settings.append({MODE: DYNAMIC})
        if heavy:
            settings.append({MODE: STATIC, CALIBRATION: "percentile", FLOAT_LAYERS: 0})
        if len(heavy) > 2:
            settings.append({MODE: STATIC, CALIBRATION: "minmax", FLOAT_LAYERS: 1})
        settings.append({MODE: WEIGHTS, BITS: 16})
        return [
            *(Proposal(settings=each) for each in settings),
            *(Proposal(settings={**each, AWARE: True}, is_trained=True, betters=each) for each in trained),
        ]

    def apply(self, model: onnx.ModelProto, settings: Settings, ground: Ground) -> onnx.ModelProto:
        """Weights that no int8 layer has taken are stored with 8 bits."""
        _require_weights(model)
        mode, num_bits = settings.get(MODE), int(settings.get(BITS) or 8)
        model = activate_early(model)
        folded = fold(model, ground.scratch_path)
        if num_bits not in (4, 8, 16):
            raise UnfitError(f"{BITS} {num_bits}: 16, 8 or 4 are")
        is_aware = bool(settings.get(AWARE))
        if is_aware and (mode == DYNAMIC or num_bits == 16 or settings.get(FLOAT_LAYERS)):
            raise UnfitError(f"{AWARE}: training knows of static layers, and of weights with 8 or 4 bits")
        if mode == WEIGHTS and is_aware:
            return weights.store(_tune_weights(folded, num_bits, ground), num_bits)
        if mode == WEIGHTS:
            return weights.store(min((model, folded), key=lambda each: each.ByteSize()), num_bits)
        if not integers.find_heavy(folded) and not (mode == DYNAMIC and integers.find_recurrent(folded)):
            raise UnfitError(f"none of its operators is computed in int8: {', '.join(integers.HEAVY)} are")
        if mode == DYNAMIC:
            return weights.store(integers.quantize_dynamic(folded, ground), num_bits)
        if mode == STATIC:
            calibration = str(settings.get(CALIBRATION) or "minmax")
            if calibration not in integers.CALIBRATIONS:
                raise UnfitError(f"{CALIBRATION} {calibration!r}: {', '.join(integers.CALIBRATIONS)} are known")
            if is_aware:
                return weights.store(_quantize_aware(folded, ground, calibration=calibration), num_bits)
            num_float = int(settings.get(FLOAT_LAYERS) or 0)
            return weights.store(_quantize(folded, ground, calibration=calibration, num_float=num_float), num_bits)
        raise UnfitError(f"{MODE} {mode!r}: {WEIGHTS}, {STATIC} and {DYNAMIC} are known")


def _quantize(model: onnx.ModelProto, ground: Ground, *, calibration: str, num_float: int) -> onnx.ModelProto:
    """Leaves layers in float one by one: each time that without which answers of training rows differ least."""
    names = [node.name for node in integers.find_heavy(model)]
    excluded: list[str] = []
    best = integers.quantize_static(model, ground, calibration=calibration)
    for _ in range(min(num_float, len(names) - 1)):
        tried: list[tuple[float, str, onnx.ModelProto]] = []
        for name in [name for name in _by_width(model, names) if name not in excluded][:_MAX_TRIED]:
            found = integers.quantize_static(model, ground, calibration=calibration, excluded=[*excluded, name])
            tried.append((_difference(model, found, ground), name, found))
            seconds = ground.seconds_left()
            if seconds is not None and seconds <= 0:
                break
        _, name, best = min(tried, key=lambda each: each[0])
        excluded.append(name)
    return best


def _quantize_aware(model: onnx.ModelProto, ground: Ground, *, calibration: str) -> onnx.ModelProto:
    """With the ranges that it was trained with."""
    from batch_jobs.compress.networks import awareness  # with torch

    quantized = integers.quantize_static(model, ground, calibration=calibration)
    tuned = awareness.tune_layers(model, quantized, ground)
    ranges = integers.read_ranges(quantized)
    return integers.quantize_static(tuned, ground, calibration=calibration, ranges=ranges)


def _tune_weights(model: onnx.ModelProto, num_bits: int, ground: Ground) -> onnx.ModelProto:
    from batch_jobs.compress.networks import awareness  # with torch

    return awareness.tune_weights(model, num_bits, ground)


def _by_width(model: onnx.ModelProto, names: Sequence[str]) -> list[str]:
    """First and last layers are the usual suspects, and small: they cost little in float."""
    sizes = {constant.name: int(np.prod(constant.dims)) for constant in model.graph.initializer}
    layers = [node for node in model.graph.node if node.name in names]
    return [node.name for node in sorted(layers, key=lambda node: sizes[node.input[1]])]


def _difference(model: onnx.ModelProto, other: onnx.ModelProto, ground: Ground) -> float:
    rows, signature = sample_rows(ground, _NUM_COMPARED), ground.original.signature
    first, second = (Scorer(each.SerializeToString(), signature).answer(rows).scores for each in (model, other))
    return float(np.square(first.astype(np.float64) - second).mean())


def _require_weights(model: onnx.ModelProto) -> None:
    require_standard(model)
    used = sorted({node.op_type for node in model.graph.node} & _INTEGER_OPERATORS)
    if used:
        raise UnfitError(f"it is in int8 already: it has {used[0]}")
    num_bytes = sum(
        len(constant.raw_data) or 4 * int(np.prod(constant.dims)) for constant in weights.find_weights(model)
    )
    if num_bytes < _LEAST_SHARE * model.ByteSize():
        raise UnfitError(
            f"its weights have {num_bytes:,} of its {model.ByteSize():,} bytes: there is nothing to store with fewer "
            "bits (trees are trimmed; weights within loops stay as they are)"
        )
