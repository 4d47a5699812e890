"""ONNX, also with weights in files beside it: one file is made of them."""

from pathlib import Path

import onnx
import onnxruntime

from batch_jobs.importing.contract import Array, Conversion, Order, Samples, Tensors, foreign

_QUIET = 4


def convert(order: Order, samples: Samples | None) -> Conversion:  # noqa: ARG001 - the graph says its shapes
    """FAULTS F6: a file that names data outside of its folder is refused by `onnx` itself, links included."""
    path = order.model_path
    with foreign(f"{path.name} cannot be read as ONNX"):
        model = onnx.load(path, load_external_data=False)
        onnx.load_external_data_for_model(model, str(path.parent))
    for tensor in _tensors(model):
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.DEFAULT
    whole = model.SerializeToString()
    with foreign(f"ONNX Runtime refuses {path.name}"):
        session = open_session(whole)
    names = [output.name for output in session.get_outputs()]

    def answer(inputs: Tensors) -> list[Array]:
        return list(session.run(names, dict(inputs)))

    return Conversion(model=model, framework="onnx", libraries=["onnx", "onnxruntime"], answer=answer)


def open_session(model: bytes | Path) -> onnxruntime.InferenceSession:
    """One thread, and silent."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    given = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def _tensors(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    return list(onnx.external_data_helper._get_all_tensors(model))
