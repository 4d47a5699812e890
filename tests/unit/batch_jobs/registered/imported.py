"""Graphs as other tools write them, with loops, branches or int8, and the files of a version of them."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

from aimass_core.domain.schemas import ColumnType, DatasetKind
from aimass_core.domain.signatures import Card, Datatype, Golden, Signature, Task, TensorSpec
from batch_jobs.algorithms.export.builder import GraphBuilder
from tests.unit.batch_jobs.channel_files import Columns

COLUMNS = ("a", "b", "c")
LABELS = ("no", "yes")
WIDTH, NUM_STEPS = 48, 3
KINDS = ("plain", "loop", "scan", "branch")


def make_rows(num_rows: int = 400, *, seed: int = 0) -> Columns:
    """Three numbers, and a label that depends on all of them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(num_rows, 3))
    is_yes = values[:, 0] + np.sin(3 * values[:, 1]) + 0.3 * values[:, 2] + rng.normal(0, 0.3, num_rows) > 0
    columns = {name: (ColumnType.NUMBER, values[:, number].tolist()) for number, name in enumerate(COLUMNS)}
    return columns | {"answer": (ColumnType.STRING, np.where(is_yes, "yes", "no").tolist())}


def build(kind: str, *, seed: int = 0) -> onnx.ModelProto:
    """From three columns to label and probabilities: `hidden` comes of a layer, or of a loop or branches with layers
    in them."""
    rng, graph = np.random.default_rng(seed), GraphBuilder("imported")
    columns = [graph.input(name, TensorProto.FLOAT, ["rows", 1]) for name in COLUMNS]
    given = graph.node("Concat", *columns, axis=1)
    joined = graph.node("Where", graph.node("IsNaN", given), graph.constant(0, np.float32), given)
    first, again, other = (
        graph.constant(weights, np.float32)
        for weights in (
            np.concatenate([np.eye(3), rng.normal(size=(3, WIDTH - 3))], axis=1),
            np.eye(WIDTH) + rng.normal(size=(WIDTH, WIDTH)) / 20,
            np.eye(WIDTH) - rng.normal(size=(WIDTH, WIDTH)) / 20,
        )
    )
    start = graph.node("MatMul", joined, first)
    match kind:
        case "loop":
            steps = graph.constant(NUM_STEPS, np.int64)
            hidden = graph.node("Loop", steps, "", start, body=_loop_body(again))
        case "scan":
            turned = graph.node(
                "Unsqueeze", graph.node("Transpose", joined, perm=[1, 0]), graph.constant([2], np.int64)
            )
            hidden = graph.node("Scan", start, turned, body=_scan_body(rng), num_scan_inputs=1)
        case "branch":
            mean = graph.node("ReduceMean", joined, keepdims=0)
            is_more = graph.node("Greater", mean, graph.constant(0, np.float32))
            then, otherwise = (_branch(name, start, weights) for name, weights in (("then", again), ("else", other)))
            hidden = graph.node("If", is_more, then_branch=then, else_branch=otherwise)
        case _:
            hidden = graph.node("Relu", graph.node("MatMul", start, again))
    last = np.concatenate([[1, 0.5, 0.3], rng.normal(size=WIDTH - 3) / 50])[:, None]
    yes = graph.node("Sigmoid", graph.node("MatMul", hidden, graph.constant(last, np.float32)))
    scores = graph.node("Concat", graph.node("Sub", graph.constant(1, np.float32), yes), yes, axis=1)
    best = graph.node("ArgMax", scores, axis=1, keepdims=0)
    graph.output(graph.node("Gather", graph.texts(LABELS), best), "label", TensorProto.STRING, ["rows"])
    graph.output(scores, "probabilities", TensorProto.FLOAT, ["rows", 2])
    return graph.build()


def to_int8(model: onnx.ModelProto, scratch_path: Path) -> onnx.ModelProto:
    """As ONNX Runtime quantizes it, by rows of its own."""
    path = scratch_path / "int8.onnx"
    quantization.quantize_static(model, path, _Reader(), quant_format=quantization.QuantFormat.QDQ)
    quantized = onnx.load(path)
    kept = [opset for opset in quantized.opset_import if opset.domain in ("", "ai.onnx.ml")]
    del quantized.opset_import[:]
    quantized.opset_import.extend(kept)
    return quantized


def write(path: Path, model: onnx.ModelProto | bytes) -> Path:
    """The files of a model version that no job of ours has trained."""
    body = model if isinstance(model, bytes) else model.SerializeToString()
    signature = Signature(
        kind=DatasetKind.TABLE,
        task=Task.BINARY,
        target="answer",
        labels=list(LABELS),
        inputs=[
            TensorSpec(name=name, datatype=Datatype.FP32, shape=[-1, 1], column=name, column_type=ColumnType.NUMBER)
            for name in COLUMNS
        ],
        outputs=[
            TensorSpec(name="label", datatype=Datatype.BYTES, shape=[-1]),
            TensorSpec(name="probabilities", datatype=Datatype.FP32, shape=[-1, 2]),
        ],
    )
    card = Card(
        algorithm="script",
        framework="other",
        task=Task.BINARY,
        target="answer",
        hyperparameters={},
        seed=0,
        dataset="tiny@1",
        evaluations=[],
        model_bytes=len(body),
        training_seconds=0,
    )
    path.mkdir(parents=True)
    (path / "model.onnx").write_bytes(body)
    documents = {"signature": signature, "card": card, "golden": Golden(inputs={}, outputs={})}
    for name, document in documents.items():
        (path / f"{name}.json").write_text(document.model_dump_json())
    return path


def inputs_of(columns: Columns) -> dict[str, NDArray[np.float32]]:
    """As the graph takes them."""
    return {name: np.asarray(columns[name][1], dtype=np.float32)[:, None] for name in COLUMNS}


def _loop_body(weights: str) -> onnx.GraphProto:
    """One more layer, whose weights are outside."""
    nodes = [
        helper.make_node("MatMul", ["before", weights], ["product"]),
        helper.make_node("Relu", ["product"], ["after"]),
        helper.make_node("Identity", ["goes_on"], ["goes_further"]),
    ]
    numbers = [("round", TensorProto.INT64, []), ("goes_on", TensorProto.BOOL, [])]
    state = ["rows", WIDTH]
    return helper.make_graph(
        nodes,
        "body",
        [helper.make_tensor_value_info(*each) for each in (*numbers, ("before", TensorProto.FLOAT, state))],
        [
            helper.make_tensor_value_info("goes_further", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, state),
        ],
    )


def _scan_body(rng: np.random.Generator) -> onnx.GraphProto:
    """A recurrent layer over the columns, whose weights are inside."""
    nodes = [
        helper.make_node("MatMul", ["before", "own"], ["product"]),
        helper.make_node("Mul", ["column", "entry"], ["entered"]),
        helper.make_node("Add", ["product", "entered"], ["after"]),
    ]
    own = np.eye(WIDTH) + rng.normal(size=(WIDTH, WIDTH)) / 50
    state = ["rows", WIDTH]
    return helper.make_graph(
        nodes,
        "body",
        [
            helper.make_tensor_value_info("before", TensorProto.FLOAT, state),
            helper.make_tensor_value_info("column", TensorProto.FLOAT, ["rows", 1]),
        ],
        [helper.make_tensor_value_info("after", TensorProto.FLOAT, state)],
        [
            numpy_helper.from_array(own.astype(np.float32), "own"),
            numpy_helper.from_array((rng.normal(size=(1, WIDTH)) / 10).astype(np.float32), "entry"),
        ],
    )


def _branch(name: str, start: str, weights: str) -> onnx.GraphProto:
    nodes = [
        helper.make_node("MatMul", [start, weights], [f"{name}_product"]),
        helper.make_node("Relu", [f"{name}_product"], [f"{name}_hidden"]),
    ]
    hidden = helper.make_tensor_value_info(f"{name}_hidden", TensorProto.FLOAT, ["rows", WIDTH])
    return helper.make_graph(nodes, name, [], [hidden])


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        self._batches = iter([inputs_of(make_rows(100))])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)
