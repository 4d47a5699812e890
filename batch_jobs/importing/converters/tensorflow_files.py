"""Keras files and SavedModels of TensorFlow."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from tf2onnx import tf_loader

from aimass_core.domain.model_imports import ImportFormat
from aimass_core.domain.signatures import Task
from batch_jobs.importing.contract import Array, Conversion, Order, Samples, Tensors, UnfitError, foreign

_OPSET = 18
"""The newest that tf2onnx writes."""
_SIGNATURE = "serving_default"
_LIBRARIES = ["tensorflow-cpu", "keras", "tf2onnx"]


def convert(order: Order, samples: Samples | None) -> Conversion:  # noqa: ARG001 - both formats say their shapes
    """Raises UnfitError where it cannot be opened or converted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _convert_keras(order) if order.format is ImportFormat.KERAS else _convert_saved(order)


def _convert_keras(order: Order) -> Conversion:
    with foreign(f"Keras cannot open {order.model_path.name}"):
        # NOTE: this runs what the file says. The order is only given where the user trusts it.
        model = keras.saving.load_model(order.model_path, compile=False, safe_mode=False)
    # NOTE: the dimension of the rows is open, whatever the file was made with.
    specs = [tf.TensorSpec([None, *each.shape[1:]], each.dtype, name=_plain(each.name)) for each in model.inputs]
    with foreign("Keras cannot write it as ONNX"), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.export(str(path), format="onnx", input_signature=specs, opset_version=_OPSET, verbose=False)
        graph = onnx.load(path)
    names = [value.name for value in graph.graph.input]

    def answer(inputs: Tensors) -> list[Array]:
        found = model([tf.constant(inputs[name]) for name in names] if len(names) > 1 else inputs[names[0]])
        return [np.asarray(each) for each in tf.nest.flatten(found)]

    task = _task_of(model)
    return Conversion(
        model=graph,
        framework="keras",
        libraries=_LIBRARIES,
        answer=answer,
        task=task,
        scores=graph.graph.output[0].name if task else None,
    )


def _convert_saved(order: Order) -> Conversion:
    folder = order.model_path
    with foreign("TensorFlow cannot open the SavedModel"):
        loaded = tf.saved_model.load(str(folder))
    if not (names := list(loaded.signatures)):
        raise UnfitError("The SavedModel has no signature to be served by. Save it with one (serving_default).")
    name = _SIGNATURE if _SIGNATURE in names else names[0]
    function = loaded.signatures[name]
    with foreign("TensorFlow's graph cannot be written as ONNX"):
        frozen, inputs, outputs = tf_loader.from_saved_model(str(folder), None, None, tag=["serve"], signatures=[name])
        graph, _ = tf2onnx.convert.from_graph_def(
            frozen, name="saved model", input_names=inputs, output_names=outputs, opset=_OPSET
        )
    specs, answers = function.structured_input_signature[1], function.structured_outputs
    called = {value.name: _key_of(value.name, list(specs)) for value in graph.graph.input}
    called |= {value.name: _key_of(value.name, list(answers)) for value in graph.graph.output}
    _rename(graph, called)
    given = [value.name for value in graph.graph.output]

    def answer(tensors: Tensors) -> list[Array]:
        found = function(**{key: tf.constant(values, specs[key].dtype) for key, values in tensors.items()})
        return [np.asarray(found[key]) for key in given]

    return Conversion(model=graph, framework="tensorflow", libraries=_LIBRARIES, answer=answer)


def _task_of(model: Any) -> Task | None:
    """As the activation of the last layer says, where the answer is one vector a row."""
    activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        return None
    width = model.outputs[0].shape[1]
    if activation == "softmax" or (not activation and type(model.layers[-1]).__name__ == "Softmax"):
        return Task.BINARY if width == 2 else Task.MULTICLASS
    if width == 1:
        return Task.BINARY if activation == "sigmoid" else Task.REGRESSION
    return None


def _plain(name: str) -> str:
    return name.replace("/", "_").replace(":", "_")


def _key_of(name: str, keys: list[str]) -> str:
    """`serving_default_x:0` is `x`; of one there is nothing to choose."""
    if len(keys) == 1:
        return keys[0]
    bare = name.partition(":")[0]
    found = [key for key in keys if bare == key or bare.endswith(f"_{key}")]
    if len(found) != 1:
        raise UnfitError(f"The SavedModel's tensor {name!r} is none of {keys}, which its signature names.")
    return found[0]


def _rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for list_ in (node.input, node.output):
            for position, name in enumerate(list_):
                list_[position] = names.get(name, name)
