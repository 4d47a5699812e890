"""Quantization: fewer bytes, answers that stay, and what it refuses."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from aimass_core.domain import graph_check
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.compress.contract import UnfitError
from batch_jobs.compress.optimization import Optimization
from batch_jobs.compress.quantization import Quantization
from batch_jobs.fuse.graphs import to_one_graph
from batch_jobs.fuse.methods.weighting import WeightedMean
from batch_jobs.registered import operations
from tests.unit.batch_jobs.compress.tiny_models import COLUMNS, answer, build_ground, fit_network

METHOD = Quantization()


def test_every_proposal_is_smaller_and_answers_nearly_the_same(tmp_path: Path) -> None:
    model = fit_network()
    before = model.SerializeToString()
    ground = build_ground(model, tmp_path)
    proposals = METHOD.propose(model, ground)

    for proposal in proposals:
        smaller = METHOD.apply(model, proposal.settings, ground)
        onnx.checker.check_model(smaller, full_check=True)
        bits = int(proposal.settings.get("bits") or 8)
        assert smaller.ByteSize() < model.ByteSize() * (0.4 if bits <= 8 else 0.6), proposal.settings
        # One that was trained has learned from the truth too.
        difference = np.abs(answer(smaller, ground) - answer(model, ground)).mean()
        assert proposal.is_trained or difference < (0.03 if bits > 4 else 0.2), proposal.settings
        assert ground.score(smaller) > ground.score(model) - (0.01 if bits > 4 else 0.05)
        assert [value.name for value in smaller.graph.input] == [*COLUMNS]
    assert {proposal.settings["mode"] for proposal in proposals} == {"weights", "static", "dynamic"}
    assert model.SerializeToString() == before


def test_static_quantization_computes_layers_with_integers(tmp_path: Path) -> None:
    model = fit_network()
    ground = build_ground(model, tmp_path)

    smaller = METHOD.apply(model, {"mode": "static", "calibration": "entropy"}, ground)

    quantized = {node.op_type for node in smaller.graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= quantized
    with pytest.raises(UnfitError, match="int8 already"):
        METHOD.propose(smaller, ground)


def test_the_layer_that_matters_most_stays_in_float(tmp_path: Path) -> None:
    model = fit_network()
    ground = build_ground(model, tmp_path)
    errors = []
    for num_layers in (0, 1, 2):
        smaller = METHOD.apply(model, {"mode": "static", "float_layers": num_layers, "bits": 16}, ground)
        errors.append(float(np.square(answer(smaller, ground) - answer(model, ground)).mean()))

    assert errors[0] > errors[1] > errors[2]


def test_f4_weights_of_any_shape_and_type_are_restored(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(7, 11, 13)) * np.logspace(-4, 4, 13)
    graph = GraphBuilder("weights")
    columns = [graph.input(name, TensorProto.FLOAT, ["rows", 1]) for name in COLUMNS]
    joined = graph.node("Cast", graph.node("Concat", *columns, axis=1), to=TensorProto.DOUBLE)
    total = graph.node("Mul", graph.node("ReduceSum", joined), graph.constant(0, np.float64))
    graph.output(graph.node("Add", graph.constant(values, np.float64), total), "y", TensorProto.DOUBLE, [7, 11, 13])
    model = graph.build()
    ground = build_ground(model, tmp_path)

    for bits in (16, 8, 4):
        stored = METHOD.apply(model, {"mode": "weights", "bits": bits}, ground)
        session = onnx.reference.ReferenceEvaluator(stored)
        restored = session.run(None, {name: np.ones((1, 1), dtype=np.float32) for name in COLUMNS})[0]
        groups = np.abs(np.pad(values.reshape(-1), (0, -values.size % 64))).reshape(-1, 64).max(axis=1)
        peaks = np.abs(values) * 16 if bits == 16 else np.repeat(groups, 64)[: values.size].reshape(values.shape)
        bound = peaks * 1.01 / 2 ** (bits - 1) + 2**-25
        assert restored.dtype == np.float64
        assert (np.abs(restored - values) <= bound).all()


def _edges() -> dict[str, NDArray[Any]]:
    """What is easily lost: signs of zero, payloads, subnormals, extremes, arrays of no and of one value."""
    floats = np.array([0.0, -0.0, np.inf, -np.inf, 1e-45, -1e-40, np.finfo(np.float32).max], dtype=np.float32)
    payload = np.array([0x7FC01234, 0xFFC00001], dtype=np.uint32).view(np.float32)
    return {
        "floats": np.tile(np.concatenate([floats, payload]), 80),
        "doubles": np.tile(np.array([0.0, -0.0, 5e-324, np.finfo(np.float64).max, np.nan]), 120),
        "integers": np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max, 0] * 200),
        "bytes": np.arange(600).astype(np.int8),
        "none": np.empty((0, 3), dtype=np.float32),
        "one": np.float32(-0.0).reshape(()),
        "turned": np.asfortranarray(np.arange(600, dtype=np.float32).reshape(20, 30)),
        "big-endian": np.arange(600, dtype=">f4"),
    }


def _with_constants(values: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """`fit_network` with these as further outputs."""
    model = fit_network()
    for name, value in values.items():
        tensor = onnx.numpy_helper.from_array(value.astype(value.dtype.newbyteorder("=")), name)
        model.graph.initializer.append(tensor)
        model.graph.node.append(helper.make_node("Identity", [name], [f"out {name}"]))
        model.graph.output.append(helper.make_tensor_value_info(f"out {name}", tensor.data_type, list(value.shape)))
    return model


def _recurrent() -> onnx.ModelProto:
    """Both ways over the columns as steps."""
    rng, hidden = np.random.default_rng(5), 48
    graph = GraphBuilder("recurrent")
    columns = [graph.input(name, TensorProto.FLOAT, ["rows", 1]) for name in COLUMNS]
    joined = graph.node("Concat", *columns, axis=1)
    joined = graph.node("Where", graph.node("IsNaN", joined), graph.constant(0, np.float32), joined)
    steps = graph.node("Unsqueeze", graph.node("Transpose", joined, perm=[1, 0]), graph.constant([2], np.int64))
    entry, own = rng.normal(size=(2, 4 * hidden, 1)), rng.normal(size=(2, 4 * hidden, hidden)) / 7
    constants = [graph.constant(value, np.float32) for value in (entry, own, np.zeros((2, 8 * hidden)))]
    _, last = graph.nodes("LSTM", steps, *constants, num_outputs=2, hidden_size=hidden, direction="bidirectional")
    first = graph.node("Gather", last, graph.constant(0, np.int64), axis=0)
    logit = graph.node("MatMul", first, graph.constant(rng.normal(size=(hidden, 1)), np.float32))
    yes = graph.node("Sigmoid", logit)
    scores = graph.node("Concat", graph.node("Sub", graph.constant(1, np.float32), yes), yes, axis=1)
    best = graph.node("ArgMax", scores, axis=1, keepdims=0)
    graph.output(graph.node("Gather", graph.texts(["no", "yes"]), best), "label", TensorProto.STRING, ["rows"])
    graph.output(scores, "probabilities", TensorProto.FLOAT, ["rows", 2])
    return graph.build()


def test_an_lstm_is_computed_in_int8_by_an_operator_that_is_served(tmp_path: Path) -> None:
    model = _recurrent()
    ground = build_ground(model, tmp_path)
    assert {"mode": "dynamic"} in [proposal.settings for proposal in METHOD.propose(model, ground)]
    smaller = METHOD.apply(model, {"mode": "dynamic"}, ground)
    assert {(node.domain, node.op_type) for node in smaller.graph.node if node.domain} == {
        ("com.microsoft", "DynamicQuantizeLSTM")
    }
    graph_check.check(smaller.SerializeToString())
    assert smaller.ByteSize() < 0.35 * model.ByteSize()
    assert np.abs(answer(smaller, ground) - answer(model, ground)).max() < 0.05
    rows = [{name: np.ones((1, 1), dtype=np.float32) for name in COLUMNS}]
    assert operations.count(smaller.SerializeToString(), rows) == pytest.approx(
        operations.count(model.SerializeToString(), rows), rel=0.02
    )
    with pytest.raises(UnfitError, match="int8 already"):
        METHOD.propose(smaller, ground)
    weights = np.array([0.5, 0.5])
    members = [replace(ground.original, model=each.SerializeToString()) for each in (smaller, model)]
    joined = to_one_graph(members, WeightedMean(weights=weights, task=Task.BINARY), ground.material.target)
    graph_check.check(joined)
    mean = (answer(smaller, ground) + answer(model, ground)) / 2
    np.testing.assert_allclose(answer(onnx.load_from_string(joined), ground), mean, atol=1e-5)


def test_f4_what_is_lossless_keeps_every_bit(tmp_path: Path) -> None:
    values = _edges()
    model = _with_constants(values)
    smaller = Optimization().apply(model, {}, build_ground(model, tmp_path))
    session = onnxruntime.InferenceSession(smaller.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {name: np.ones((1, 1), dtype=np.float32) for name in COLUMNS}
    for name, value in values.items():
        found = session.run([f"out {name}"], feed)[0]
        expected = np.ascontiguousarray(value.astype(value.dtype.newbyteorder("=")))
        assert (found.shape, found.dtype) == (value.shape, expected.dtype)
        assert found.tobytes() == expected.tobytes(), name


@pytest.mark.parametrize("bits", [16, 8, 4])
def test_f4_what_cannot_be_stored_with_fewer_bits_stays_as_it_is(tmp_path: Path, bits: int) -> None:
    values = {
        name: value for name, value in _edges().items() if name in ("floats", "doubles", "integers", "none", "one")
    }
    model = _with_constants(values)
    stored = METHOD.apply(model, {"mode": "weights", "bits": bits}, build_ground(model, tmp_path))
    session = onnxruntime.InferenceSession(stored.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {name: np.ones((1, 1), dtype=np.float32) for name in COLUMNS}
    for name, value in values.items():
        assert session.run([f"out {name}"], feed)[0].tobytes() == np.ascontiguousarray(value).tobytes(), name


def test_a_model_without_weights_is_refused(tmp_path: Path) -> None:
    graph = GraphBuilder("none")
    value = graph.input("a", TensorProto.FLOAT, ["rows", 1])
    graph.output(graph.node("Neg", value), "value", TensorProto.FLOAT, ["rows", 1])
    model = graph.build()

    with pytest.raises(UnfitError, match="0 of its"):
        METHOD.propose(model, build_ground(model, tmp_path))


def test_f6_external_data_and_custom_operators_are_refused(tmp_path: Path) -> None:
    model = fit_network()
    ground = build_ground(model, tmp_path)
    outside = onnx.ModelProto()
    outside.CopyFrom(model)
    tensor = max(outside.graph.initializer, key=lambda each: each.ByteSize())
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    custom = onnx.ModelProto()
    custom.CopyFrom(model)
    custom.opset_import.append(helper.make_opsetid("com.example", 1))
    custom.graph.node[0].domain = "com.example"

    with pytest.raises(UnfitError, match="lies outside of the file"):
        METHOD.propose(outside, ground)
    with pytest.raises(UnfitError, match=r"com\.example"):
        METHOD.propose(custom, ground)


def test_f1_methods_and_levels_that_are_unknown_are_refused(tmp_path: Path) -> None:
    model = fit_network()
    ground = build_ground(model, tmp_path)

    for settings in ({"mode": "ternary"}, {"mode": "weights", "bits": 3}, {"mode": "static", "calibration": "guess"}):
        with pytest.raises(UnfitError):
            METHOD.apply(model, settings, ground)
