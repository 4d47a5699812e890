"""Small models, made here, and the ground that methods of compression work on."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.schemas import DatasetKind
from aimass_core.domain.signatures import Card, Datatype, Golden, Signature, Task, TensorSpec
from batch_jobs.algorithms.export.builder import ML_DOMAIN, ML_OPSET, OPSET, GraphBuilder, finish
from batch_jobs.compress.contract import Ground
from batch_jobs.data.frames import Frame
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.metrics import evaluate
from batch_jobs.evaluate.scoring import Scorer
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.train.material import TRAIN, VALIDATION, Material, Part

COLUMNS = ("a", "b", "c")
LABELS = ("no", "yes")
NUM_ROWS = 1500


def draw(seed: int = 0) -> tuple[Frame, NDArray[np.int64]]:
    """Rows with some values missing, and a label that depends on all columns."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(NUM_ROWS, len(COLUMNS))).astype(np.float32)
    values[:, 2] = generator.integers(0, 6, size=NUM_ROWS)
    truth = np.sin(2 * values[:, 0]) + values[:, 1] * (np.isin(values[:, 2], (1, 2, 5)) - 0.5) > 0
    values[generator.random(values.shape) < 0.05] = np.nan
    frame = Frame(columns={name: values[:, number] for number, name in enumerate(COLUMNS)}, num_rows=NUM_ROWS)
    return frame, truth.astype(np.int64)


def build_ground(model: onnx.ModelProto, scratch_path: Path) -> Ground:
    """Rows of `draw`; the score is the area under the curve."""
    signature = Signature(
        kind=DatasetKind.TABLE,
        task=Task.BINARY,
        target="answer",
        labels=list(LABELS),
        inputs=[TensorSpec(name=name, datatype=Datatype.FP32, shape=[-1, 1], column=name) for name in COLUMNS],
        outputs=[
            TensorSpec(name="label", datatype=Datatype.BYTES, shape=[-1]),
            TensorSpec(name="probabilities", datatype=Datatype.FP32, shape=[-1, 2]),
        ],
    )
    card = Card(
        algorithm="tiny",
        framework="onnx",
        task=Task.BINARY,
        target="answer",
        hyperparameters={},
        seed=0,
        dataset="tiny@1",
        evaluations=[],
        model_bytes=model.ByteSize(),
        training_seconds=0,
    )
    target = Target(column="answer", task=Task.BINARY, labels=LABELS)
    parts = {}
    for seed, name in enumerate((TRAIN, VALIDATION)):
        frame, truth = draw(seed)
        parts[name] = Part(name=name, frame=frame, truth=truth, numbers=np.arange(NUM_ROWS))
    judged = parts[VALIDATION]

    def score(graph: onnx.ModelProto) -> float:
        assert isinstance(judged.frame, Frame)
        answers = Scorer(graph.SerializeToString(), signature).answer(judged.frame)
        return evaluate(VALIDATION, target, judged.truth, answers.scores).metrics["roc_auc"]

    return Ground(
        spec=CompressSpec.model_validate({"kind": "compress", "parent": "tiny@1"}),
        original=RegisteredModel(
            name="tiny@1",
            model=model.SerializeToString(),
            signature=signature,
            card=card,
            golden=Golden(inputs={}, outputs={}),
        ),
        material=Material(
            kind=DatasetKind.TABLE, data_kind=DataKind.TABLE, target=target, columns=[], image_shape=None, parts=parts
        ),
        score=score,
        num_threads=1,
        seed=0,
        scratch_path=scratch_path,
        seconds_left=lambda: None,
        message=lambda _: None,
    )


def answer(model: onnx.ModelProto, ground: Ground) -> NDArray[np.float32]:
    """Probabilities of the rows that validate."""
    frame = ground.material.parts[VALIDATION].frame
    assert isinstance(frame, Frame)
    return Scorer(model.SerializeToString(), ground.original.signature).answer(frame).scores


def wrap(node: onnx.NodeProto) -> onnx.ModelProto:
    """A graph from three columns to label and probabilities, with this node from `features` to `scores` in it."""
    graph = GraphBuilder("tiny")
    columns = [graph.input(name, TensorProto.FLOAT, ["rows", 1]) for name in COLUMNS]
    features = graph.node("Concat", *columns, axis=1)
    own = onnx.NodeProto()
    own.CopyFrom(node)
    own.input[0], own.output[-1] = features, "scores"
    if len(own.output) > 1:
        own.output[0] = "label of the trees"
    model = graph.build().graph
    tail = GraphBuilder("answer")
    best = tail.node("ArgMax", "scores", axis=1, keepdims=0)
    tail.output(tail.node("Gather", tail.texts(LABELS), best), "label", TensorProto.STRING, ["rows"])
    tail.output("scores", "probabilities", TensorProto.FLOAT, ["rows", 2])
    end = tail.build().graph
    whole = helper.make_graph(
        [*model.node, own, *end.node], "tiny", model.input, end.output, [*model.initializer, *end.initializer]
    )
    opsets = {"": OPSET, ML_DOMAIN: ML_OPSET if node.op_type == "TreeEnsemble" else 3}
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return finish(helper.make_model(whole, opset_imports=imports), opsets=opsets)


def fit_network() -> onnx.ModelProto:
    """Two dense layers that repeat a random projection of the features well enough to rank rows."""
    frame, truth = draw()
    values = np.nan_to_num(np.stack([frame.columns[name] for name in COLUMNS], axis=1))
    generator = np.random.default_rng(3)
    first = generator.normal(size=(3, 128)).astype(np.float32)
    second = (generator.normal(size=(128, 64)) / 11).astype(np.float32)
    hidden = np.maximum(np.maximum(values @ first, 0) @ second, 0)
    design = hidden.T @ hidden + 10 * np.eye(64)
    last = np.linalg.solve(design, hidden.T @ (truth * 4.0 - 2.0)).astype(np.float32)
    graph = GraphBuilder("net")
    columns = [graph.input(name, TensorProto.FLOAT, ["rows", 1]) for name in COLUMNS]
    joined = graph.node("Concat", *columns, axis=1)
    value = graph.node("Where", graph.node("IsNaN", joined), graph.constant(0, np.float32), joined)
    for weights in (first, second):
        value = graph.node("Relu", graph.node("MatMul", value, graph.constant(weights, np.float32)))
    logit = graph.node("MatMul", value, graph.constant(last[:, None], np.float32))
    yes = graph.node("Sigmoid", logit)
    scores = graph.node("Concat", graph.node("Sub", graph.constant(1, np.float32), yes), yes, axis=1)
    best = graph.node("ArgMax", scores, axis=1, keepdims=0)
    graph.output(graph.node("Gather", graph.texts(LABELS), best), "label", TensorProto.STRING, ["rows"])
    graph.output(scores, "probabilities", TensorProto.FLOAT, ["rows", 2])
    return graph.build()
