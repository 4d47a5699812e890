"""TorchScript, and weights in safetensors with a module that makes their network."""

import importlib.util
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import load_file

from aimass_core.domain.model_imports import ImportFormat
from batch_jobs.importing.contract import Array, Conversion, Order, Samples, Tensors, UnfitError, foreign, rows_of

_OPSET = 18
_INPUT, _OUTPUT = "input", "output"
MODULE, BUILD = "module.py", "build"


def convert(order: Order, samples: Samples | None) -> Conversion:
    """Of one input and one output. Raises UnfitError where it cannot be opened or converted."""
    is_script = order.format is ImportFormat.TORCHSCRIPT
    network = _load_script(order.model_path) if is_script else _load_weights(order.model_path)
    network = network.eval()
    rows = torch.from_numpy(np.array(rows_of(order.spec, samples)))
    shape = f"rows of shape {list(rows.shape[1:])} and {rows.dtype}"
    with foreign(f"The network cannot be run on {shape} (--samples gives others)"), torch.no_grad():
        found = network(rows)
    if not isinstance(found, torch.Tensor):
        raise UnfitError(f"The network answers {type(found).__name__}, and one tensor is taken. Wrap it in a module.")
    graph = _export(network, rows)

    def answer(inputs: Tensors) -> list[Array]:
        with torch.no_grad():
            return [network(torch.from_numpy(np.array(inputs[_INPUT]))).numpy()]

    return Conversion(model=graph, framework="torch", libraries=["torch", "onnxscript"], answer=answer, scores=_OUTPUT)


def _export(network: Any, rows: torch.Tensor) -> onnx.ModelProto:
    """NOTE: the exporter by torch.export does not take what was compiled before; that by tracing takes both."""
    axes = {_INPUT: {0: "rows"}, _OUTPUT: {0: "rows"}}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        with foreign("torch cannot write it as ONNX"):
            torch.onnx.export(
                network,
                (rows,),
                str(path),
                input_names=[_INPUT],
                output_names=[_OUTPUT],
                dynamic_axes=axes,
                opset_version=_OPSET,
                dynamo=False,
            )
        return onnx.load(path)


def _load_script(path: Path) -> Any:
    with foreign(f"torch cannot open {path.name}"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]


def _load_weights(path: Path) -> Any:
    module_path = path.with_name(MODULE)
    if not module_path.is_file():
        raise UnfitError(f"Beside {path.name} there has to be a {MODULE} whose {BUILD}() makes the network.")
    spec = importlib.util.spec_from_file_location("imported_module", module_path)
    assert spec is not None  # noqa: S101 - of a file that is there
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    sys.modules[spec.name] = module
    with foreign(f"{MODULE} and {path.name} do not make a network"):
        # NOTE: a program of the user's own. The order is only given where the user trusts it.
        spec.loader.exec_module(module)
        network = getattr(module, BUILD)()
        network.load_state_dict(load_file(str(path)))
    return network
