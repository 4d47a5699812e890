"""Tiny networks as graphs, and rows that they answer for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.job_kinds import JobKind
from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Card, Datatype, Golden, Signature, Task, TensorSpec
from batch_jobs.algorithms.export.assembly import PROBABILITIES, VALUE
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.compress.contract import Ground
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.material import TRAIN, VALIDATION, Material, Part

LABELS = ("a", "b", "c")


class Writer:
    """Layers with random weights, in a graph."""

    def __init__(self, balance: tuple[Array, float] | None = None) -> None:
        self.graph = GraphBuilder("tiny")
        self.random = np.random.default_rng(0)
        self._balance = balance

    def weights(self, *shape: int) -> str:
        """Of the size that keeps values as large as they are."""
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 10
        return self.graph.constant(self.random.normal(0, (2 / fan_in) ** 0.5, shape), np.float32)

    def conv(self, values: str, inner: int, outer: int, *, size: int = 3, group: int = 1) -> str:
        """As wide as before."""
        kernel, bias = self.weights(outer, inner // group, size, size), self.weights(outer)
        return self.graph.node("Conv", values, kernel, bias, pads=[size // 2] * 4, group=group)

    def dense(self, values: str, inner: int, outer: int) -> str:
        """A Gemm."""
        return self.graph.node("Gemm", values, self.weights(outer, inner), self.weights(outer), transB=1)

    def normalise(self, values: str, width: int) -> str:
        """By statistics that differ from channel to channel."""
        means, variances = self.weights(width), self.graph.constant(self.random.uniform(0.5, 2, width), np.float32)
        scales = self.graph.constant(self.random.uniform(0.5, 2, width), np.float32)
        return self.graph.node("BatchNormalization", values, scales, self.weights(width), means, variances)

    def relu(self, values: str) -> str:
        return self.graph.node("Relu", values)

    def answer(self, logits: str) -> onnx.ModelProto:
        """The probabilities of three classes, and the first of the labels that is likeliest."""
        if self._balance is not None:
            centred = self.graph.node("Sub", logits, self.graph.constant(self._balance[0], np.float32))
            logits = self.graph.node("Mul", centred, self.graph.constant(self._balance[1], np.float32))
        scores = self.graph.node("Softmax", logits, axis=1)
        best = self.graph.node("ArgMax", scores, axis=1, keepdims=0)
        label = self.graph.node("Gather", self.graph.texts(LABELS), best)
        self.graph.output(label, "label", TensorProto.STRING, ["rows"])
        self.graph.output(scores, PROBABILITIES, TensorProto.FLOAT, ["rows", len(LABELS)])
        return self.graph.build()


def convolutional(balance: tuple[Array, float] | None = None) -> onnx.ModelProto:
    """With a residual, a depthwise convolution, a concatenation, batch normalisation and two dense layers."""
    net = Writer(balance)
    graph = net.graph
    pixels = graph.node("Cast", graph.input("x", TensorProto.UINT8, ["rows", 8, 8, 2]), to=TensorProto.FLOAT)
    scaled = graph.node("Mul", pixels, graph.constant(1 / 255, np.float32))
    stem = net.relu(net.normalise(net.conv(graph.node("Transpose", scaled, perm=[0, 3, 1, 2]), 2, 16), 16))
    block = net.conv(net.relu(net.conv(net.conv(stem, 16, 16, group=16), 16, 24, size=1)), 24, 16)
    added = net.relu(graph.node("Add", stem, block))
    pooled = graph.node("MaxPool", added, kernel_shape=[2, 2], strides=[2, 2])
    both = graph.node("Concat", pooled, net.relu(net.conv(pooled, 16, 8)), axis=1)
    flat = graph.node("Reshape", both, graph.constant([-1, 24 * 16], np.int64))
    return net.answer(net.dense(net.relu(net.dense(flat, 24 * 16, 32)), 32, len(LABELS)))


def recurrent(cell: str, balance: tuple[Array, float] | None = None) -> onnx.ModelProto:
    """Ids of words, their vectors, a layer in both directions, the mean of its states."""
    net = Writer(balance)
    graph = net.graph
    ids = graph.input("x", TensorProto.INT64, ["rows", "steps"])
    vectors = graph.node("Transpose", graph.node("Gather", net.weights(50, 16), ids), perm=[1, 0, 2])
    gates = 4 if cell == "LSTM" else 3
    sizes = ((2, gates * 12, 16), (2, gates * 12, 12), (2, 2 * gates * 12))
    states, _ = graph.nodes(
        cell,
        *(vectors, *(net.weights(*size) for size in sizes)),
        num_outputs=2,
        hidden_size=12,
        direction="bidirectional",
    )
    joined = graph.node("Transpose", states, perm=[2, 0, 1, 3])
    flat = graph.node("Reshape", joined, graph.constant([0, 0, 24], np.int64))
    mean = graph.node("ReduceMean", flat, graph.constant([1], np.int64), keepdims=0)
    return net.answer(net.dense(mean, 24, len(LABELS)))


def regression() -> onnx.ModelProto:
    """Columns of numbers, two hidden layers, a value far from zero."""
    net = Writer()
    graph = net.graph
    hidden = net.relu(net.dense(graph.input("x", TensorProto.FLOAT, ["rows", 6]), 6, 48))
    standard = net.dense(net.relu(net.dense(hidden, 48, 48)), 48, 1)
    scaled = graph.node("Mul", graph.node("Cast", standard, to=TensorProto.DOUBLE), graph.constant(50.0, np.float64))
    value = graph.node("Cast", graph.node("Add", scaled, graph.constant(1000.0, np.float64)), to=TensorProto.FLOAT)
    flat = graph.node("Squeeze", value, graph.constant([1], np.int64))
    graph.output(flat, VALUE, TensorProto.FLOAT, ["rows"])
    return graph.build()


def balanced(build: Callable[[tuple[Array, float] | None], onnx.ModelProto], rows: Array) -> onnx.ModelProto:
    """With weights by chance a network answers one class for all rows; this one answers all."""
    session = onnxruntime.InferenceSession(build(None).SerializeToString())
    logits = np.log(session.run([PROBABILITIES], {"x": rows})[0])
    centre = logits.mean(axis=0)
    return build((centre, float(3 / (logits - centre).std())))


def pixels(num_rows: int = 400) -> Array:
    """Each of colours of its own, with noise."""
    random = np.random.default_rng(1)
    colours, noise = random.integers(0, 200, (num_rows, 1, 1, 2)), random.integers(0, 56, (num_rows, 8, 8, 2))
    return np.asarray(colours + noise, dtype=np.uint8)


def words(num_rows: int = 600) -> Array:
    return np.random.default_rng(1).integers(0, 50, (num_rows, 7))


def numbers(num_rows: int = 600) -> Array:
    return np.random.default_rng(1).normal(size=(num_rows, 6)).astype(np.float32)


def build_ground(model: onnx.ModelProto, rows: Array, scratch: Path, **changes: Any) -> Ground:
    """The truth is what the model answers itself."""
    is_regression = model.graph.output[0].name == VALUE
    task = Task.REGRESSION if is_regression else Task.MULTICLASS
    datatypes = {"uint8": Datatype.UINT8, "int64": Datatype.INT64, "float32": Datatype.FP32}
    shape = [-1, -1] if rows.dtype == np.int64 else [-1, *rows.shape[1:]]
    labels = None if is_regression else LABELS
    signature = Signature(
        kind=DatasetKind.TABLE,
        task=task,
        target="y",
        inputs=[TensorSpec(name="x", datatype=datatypes[str(rows.dtype)], shape=shape, column="x")],
        outputs=[],
        labels=None if labels is None else list(labels),
    )
    scores = Scorer(model.SerializeToString(), signature).answer(_frame(rows)).scores
    truth = scores.astype(np.float64) if is_regression else scores.argmax(axis=1)
    half = len(rows) - len(rows) // 3
    parts = {TRAIN: (rows[:half], truth[:half]), VALIDATION: (rows[half:], truth[half:])}
    original = RegisteredModel(
        name="tiny@1",
        model=model.SerializeToString(),
        signature=signature,
        card=_card(task),
        golden=Golden(inputs={}, outputs={}),
    )
    held = parts[VALIDATION]

    def score(graph: onnx.ModelProto) -> float:
        found = Scorer(graph.SerializeToString(), signature).answer(_frame(held[0])).scores
        if is_regression:
            return -float(np.sqrt(np.mean((found - held[1]) ** 2)))
        return float((found.argmax(axis=1) == held[1]).mean())

    fields: dict[str, Any] = {
        "spec": CompressSpec(kind=JobKind.COMPRESS, parent="tiny@1"),
        "original": original,
        "material": Material(
            kind=DatasetKind.TABLE,
            data_kind=DataKind.TABLE,
            target=Target(column="y", task=task, labels=labels),
            columns=(),
            image_shape=None,
            parts={
                name: Part(name=name, frame=_frame(part), truth=known, numbers=np.arange(len(known)))
                for name, (part, known) in parts.items()
            },
        ),
        "score": score,
        "num_threads": 1,
        "seed": 0,
        "scratch_path": scratch,
        "seconds_left": lambda: None,
        "message": lambda text: None,
    }
    return Ground(**(fields | changes))


def answers(model: onnx.ModelProto, rows: Array, ground: Ground) -> Array:
    """What ONNX Runtime says."""
    return Scorer(model.SerializeToString(), ground.original.signature).answer(_frame(rows)).scores


def _frame(rows: Array) -> Frame:
    return Frame(columns={"x": rows}, num_rows=len(rows))


def _card(task: Task) -> Card:
    return Card(
        algorithm="script",
        framework="onnx",
        task=task,
        target="y",
        hyperparameters={},
        seed=0,
        dataset="tiny",
        evaluations=[],
        model_bytes=1,
        training_seconds=1.0,
    )
