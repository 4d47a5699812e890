"""Two small models as they are served often: a table of 14 columns, and images of 28 x 28 pixels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from aimass_core.domain.schemas import ColumnType, DatasetKind, ImageShape
from aimass_core.domain.signatures import Datatype, Signature, Task, TensorSpec
from tests.factories.served_models import finish

NUM_NUMBERS, NUM_TEXTS, NUM_CATEGORIES = 6, 8, 10
_BATCH = "n"


def write(folder: Path) -> Mapping[str, tuple[Path, bytes]]:
    """By name: its model.onnx, in a folder as the container takes it, and a request of one row."""
    return {name: _write(folder / name / "1", *make()) for name, make in (("table", _table), ("image", _image))}


def _write(folder: Path, model: bytes, signature: Signature, data: Mapping[str, list[Any]]) -> tuple[Path, bytes]:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model)
    (folder / "signature.json").write_text(signature.model_dump_json())
    inputs = [
        {"name": spec.name, "datatype": str(spec.datatype), "shape": [1, *spec.shape[1:]], "data": data[spec.name]}
        for spec in signature.inputs
    ]
    return folder / "model.onnx", json.dumps({"inputs": inputs}).encode()


def _table() -> tuple[bytes, Signature, Mapping[str, list[Any]]]:
    rng = np.random.default_rng(0)
    names = [f"number_{index}" for index in range(NUM_NUMBERS)], [f"text_{index}" for index in range(NUM_TEXTS)]
    categories = [f"category {index}" for index in range(NUM_CATEGORIES)]
    nodes = [
        helper.make_node(
            "LabelEncoder",
            [name],
            [f"{name}_code"],
            domain="ai.onnx.ml",
            keys_strings=categories,
            values_floats=[float(index) for index in range(NUM_CATEGORIES)],
            default_float=-1.0,
        )
        for name in names[1]
    ]
    nodes.append(helper.make_node("Concat", [*names[0], *(f"{name}_code" for name in names[1])], ["x0"], axis=1))
    weights = []
    sizes = [NUM_NUMBERS + NUM_TEXTS, 64, 64, 2]
    for layer, (before, after) in enumerate(pairwise(sizes)):
        matrix = rng.normal(scale=0.1, size=(before, after)).astype(np.float32)
        weights.append(numpy_helper.from_array(matrix, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [f"x{layer}", f"w{layer}"], [f"y{layer}"]))
        nodes.append(helper.make_node("Relu", [f"y{layer}"], [f"x{layer + 1}"]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [_BATCH, 1]) for name in names[0]]
    inputs += [helper.make_tensor_value_info(name, TensorProto.STRING, [_BATCH, 1]) for name in names[1]]
    specs = [
        TensorSpec(
            name=name,
            datatype=Datatype.FP32,
            shape=[-1, 1],
            column=name,
            column_type=ColumnType.NUMBER,
            minimum=0,
            maximum=9,
        )
        for name in names[0]
    ]
    specs += [
        TensorSpec(
            name=name,
            datatype=Datatype.BYTES,
            shape=[-1, 1],
            column=name,
            column_type=ColumnType.STRING,
            categories=categories,
        )
        for name in names[1]
    ]
    data: dict[str, list[Any]] = {name: [1.5] for name in names[0]} | {name: [categories[3]] for name in names[1]}
    signature = _signature(DatasetKind.TABLE, Task.BINARY, specs, ["no", "yes"])
    return _classify(nodes, "x3", inputs, weights, ["no", "yes"]), signature, data


def _image() -> tuple[bytes, Signature, Mapping[str, list[Any]]]:
    rng = np.random.default_rng(0)
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["p0"], perm=[0, 3, 1, 2]),
    ]
    weights = []
    for layer, (before, after) in enumerate(((1, 16), (16, 32))):
        kernel = rng.normal(scale=0.05, size=(after, before, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"k{layer}"))
        nodes += [
            helper.make_node("Conv", [f"p{layer}", f"k{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]),
            helper.make_node("MaxPool", [f"r{layer}"], [f"p{layer + 1}"], kernel_shape=[2, 2], strides=[2, 2]),
        ]
    dense = rng.normal(scale=0.01, size=(32 * 7 * 7, 10)).astype(np.float32)
    weights.append(numpy_helper.from_array(dense, "dense"))
    nodes += [helper.make_node("Flatten", ["p2"], ["flat"]), helper.make_node("MatMul", ["flat", "dense"], ["x"])]
    labels = [str(digit) for digit in range(10)]
    spec = TensorSpec(
        name="image", datatype=Datatype.UINT8, shape=[-1, 28, 28, 1], column="image", column_type=ColumnType.IMAGE
    )
    inputs = [helper.make_tensor_value_info("image", TensorProto.UINT8, [_BATCH, 28, 28, 1])]
    signature = _signature(DatasetKind.IMAGES, Task.MULTICLASS, [spec], labels)
    pixels = rng.integers(0, 256, 28 * 28).tolist()
    return _classify(nodes, "x", inputs, weights, labels), signature, {"image": pixels}


def _classify(
    nodes: list[onnx.NodeProto], logits: str, inputs: list[Any], weights: list[Any], labels: list[str]
) -> bytes:
    nodes = [
        *nodes,
        helper.make_node("Softmax", [logits], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["winner"], axis=1, keepdims=0),
        helper.make_node(
            "LabelEncoder",
            ["winner"],
            ["label"],
            domain="ai.onnx.ml",
            keys_int64s=list(range(len(labels))),
            values_strings=labels,
            default_string="?",
        ),
    ]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.STRING, [_BATCH]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [_BATCH, len(labels)]),
    ]
    return finish(helper.make_graph(nodes, "bench", inputs, outputs, weights))


def _signature(kind: DatasetKind, task: Task, inputs: list[TensorSpec], labels: list[str]) -> Signature:
    outputs = [
        TensorSpec(name="label", datatype=Datatype.BYTES, shape=[-1]),
        TensorSpec(name="probabilities", datatype=Datatype.FP32, shape=[-1, len(labels)]),
    ]
    shape = ImageShape(height=28, width=28, channels=1) if kind is DatasetKind.IMAGES else None
    return Signature(kind=kind, task=task, target="y", inputs=inputs, outputs=outputs, labels=labels, image_shape=shape)
