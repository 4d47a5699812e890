"""Networks that are cut and trained on their graph stay what they were, in less."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from batch_jobs.compress.contract import Ground, Method, UnfitError
from batch_jobs.compress.networks import Factorization, Sparsification, finetune
from batch_jobs.compress.networks.network import open_network
from batch_jobs.evaluate.scoring import Scorer
from tests.unit.batch_jobs.compress.networks.tiny import (
    LABELS,
    Writer,
    answers,
    balanced,
    build_ground,
    convolutional,
    numbers,
    pixels,
    recurrent,
    regression,
    words,
)

FACTORIZATION, SPARSIFICATION = Factorization(), Sparsification()
_KINDS = {
    "convolutional": (lambda: balanced(convolutional, pixels()), pixels),
    "LSTM": (lambda: balanced(partial(recurrent, "LSTM"), words()), words),
    "GRU": (lambda: balanced(partial(recurrent, "GRU"), words()), words),
    "regression": (regression, numbers),
}


def _build(kind: str, path: Path) -> tuple[onnx.ModelProto, Ground]:
    build, rows = _KINDS[kind]
    model = build()
    return model, build_ground(model, rows(), path)


@pytest.mark.parametrize("kind", _KINDS)
def test_a_network_that_is_opened_answers_as_before(kind: str, tmp_path: Path) -> None:
    model, ground = _build(kind, tmp_path)
    network = open_network(model, ground)
    rows = _KINDS[kind][1](40)
    opened = network.graph.to_model()
    onnx.checker.check_model(opened, full_check=True)
    np.testing.assert_allclose(answers(opened, rows, ground), answers(model, rows, ground), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", _KINDS)
def test_sparsification_removes_units_everywhere(kind: str, tmp_path: Path) -> None:
    model, ground = _build(kind, tmp_path)
    before = model.SerializeToString()
    thinner = SPARSIFICATION.apply(model, {"ratio": 0.5}, ground)
    onnx.checker.check_model(thinner, full_check=True)
    assert model.SerializeToString() == before
    assert thinner.ByteSize() < 0.7 * model.ByteSize()
    # Of any number of rows, and of any length.
    assert np.isfinite(answers(thinner, _KINDS[kind][1](5), ground)).all()
    if kind in ("LSTM", "GRU"):
        assert np.isfinite(answers(thinner, words(5)[:, :3], ground)).all()


def test_units_without_weight_are_those_that_go_and_nothing_changes(tmp_path: Path) -> None:
    """Half of the hidden units of a layer have no part in the answer."""
    net = Writer()
    graph = net.graph
    first, second = net.random.normal(size=(32, 6)), net.random.normal(size=(len(LABELS), 32))
    idle = np.arange(32) % 2 == 0
    first[idle], second[:, idle] = 0, 0
    values = graph.input("x", TensorProto.FLOAT, ["rows", 6])
    hidden = net.relu(graph.node("Gemm", values, graph.constant(first, np.float32), transB=1))
    model = net.answer(graph.node("Gemm", hidden, graph.constant(second, np.float32), transB=1))
    ground = build_ground(model, numbers(), tmp_path)
    thinner = SPARSIFICATION.apply(model, {"ratio": 0.5}, ground)
    shapes = sorted(tuple(constant.dims) for constant in thinner.graph.initializer if len(constant.dims) == 2)
    assert shapes == [(len(LABELS), 16), (16, 6)]
    np.testing.assert_allclose(answers(thinner, numbers(), ground), answers(model, numbers(), ground), atol=1e-6)


@pytest.mark.parametrize("kind", ["convolutional", "LSTM", "regression"])
def test_fine_tuning_brings_back_what_was_lost_and_is_the_same_each_time(kind: str, tmp_path: Path) -> None:
    model, ground = _build(kind, tmp_path)
    thinner = SPARSIFICATION.apply(model, {"ratio": 0.5}, ground)
    tuned = finetune(thinner, ground, epochs=20)
    assert tuned.ByteSize() <= thinner.ByteSize() + 200
    assert _distance(tuned, model, ground) < _distance(thinner, model, ground)
    again = finetune(thinner, ground, epochs=20)
    # The sums of a GPU have no fixed order.
    assert torch.cuda.is_available() or again.SerializeToString() == tuned.SerializeToString()


def test_images_are_augmented_as_the_original_had_them(tmp_path: Path) -> None:
    """On a GPU too, though what changes them is drawn on the processor."""
    model, ground = _build("convolutional", tmp_path)
    card = ground.original.card.model_copy(update={"algorithm": "cnn", "hyperparameters": {"flip": True}})
    augmented = replace(ground, original=replace(ground.original, card=card))
    thinner = SPARSIFICATION.apply(model, {"ratio": 0.5}, ground)
    tuned = finetune(thinner, augmented, epochs=10)
    assert _distance(tuned, model, ground) < _distance(thinner, model, ground)
    assert tuned.SerializeToString() != finetune(thinner, ground, epochs=10).SerializeToString()


def _distance(one: onnx.ModelProto, other: onnx.ModelProto, ground: Ground) -> float:
    """How far apart their answers to the rows of validation are."""
    frame = ground.material.parts["validation"].sample(seed=0).frame
    found = [Scorer(each.SerializeToString(), ground.original.signature).answer(frame).scores for each in (one, other)]
    return float(np.abs(found[0] - found[1]).mean())


def test_fine_tuning_without_time_leaves_the_weights(tmp_path: Path) -> None:
    model, _ = _build("regression", tmp_path)
    ground = build_ground(model, numbers(), tmp_path, seconds_left=lambda: 0.0)
    tuned = finetune(model, ground)
    np.testing.assert_allclose(answers(tuned, numbers(), ground), answers(model, numbers(), ground), rtol=1e-5)


def test_factors_of_a_layer_of_low_rank_answer_as_it_does(tmp_path: Path) -> None:
    """Its weights have rank 4, and so have the columns that it reads."""
    net = Writer()
    graph = net.graph
    low = (net.random.normal(size=(64, 4)) @ net.random.normal(size=(4, 64))) / 8
    hidden = net.relu(net.dense(graph.input("x", TensorProto.FLOAT, ["rows", 6]), 6, 64))
    layer = graph.node("MatMul", hidden, graph.constant(low, np.float32))
    model = net.answer(net.dense(net.relu(layer), 64, len(LABELS)))
    ground = build_ground(model, numbers(), tmp_path)
    (mildest, *_) = FACTORIZATION.propose(model, ground)
    thinner = FACTORIZATION.apply(model, mildest.settings, ground)
    assert thinner.ByteSize() < 0.4 * model.ByteSize()
    np.testing.assert_allclose(answers(thinner, numbers(), ground), answers(model, numbers(), ground), atol=1e-4)


@pytest.mark.parametrize("kind", ["convolutional", "LSTM", "GRU"])
def test_factorization_by_energy_makes_every_kind_of_layer_smaller(kind: str, tmp_path: Path) -> None:
    model, ground = _build(kind, tmp_path)
    proposals = FACTORIZATION.propose(model, ground)
    sizes = [FACTORIZATION.apply(model, each.settings, ground).ByteSize() for each in proposals]
    assert sizes == sorted(sizes, reverse=True)
    # Weights by chance have no low rank, those of a trained network do.
    strongest = FACTORIZATION.apply(model, {"energy": 0.6}, ground)
    onnx.checker.check_model(strongest, full_check=True)
    assert strongest.ByteSize() < 0.95 * model.ByteSize()
    rows = _KINDS[kind][1]()
    is_same = answers(strongest, rows, ground).argmax(axis=1) == answers(model, rows, ground).argmax(axis=1)
    assert is_same.mean() > 0.5


def test_methods_follow_each_other_and_one_fine_tuning_ends_them(tmp_path: Path) -> None:
    model, ground = _build("convolutional", tmp_path)
    thinner = SPARSIFICATION.apply(model, {"ratio": 0.3}, ground)
    thinnest = FACTORIZATION.apply(thinner, {"energy": 0.9}, ground)
    tuned = finetune(thinnest, ground, epochs=3)
    onnx.checker.check_model(tuned, full_check=True)
    assert tuned.ByteSize() < 0.6 * model.ByteSize()
    assert ground.score(tuned) >= ground.score(thinnest)
    assert [value.name for value in tuned.graph.output] == [value.name for value in model.graph.output]


def _unknown_operator() -> onnx.ModelProto:
    net = Writer()
    values = net.graph.input("x", TensorProto.FLOAT, ["rows", 6])
    return net.answer(net.graph.node("Hardmax", net.dense(values, 6, len(LABELS))))


def _without_weights() -> onnx.ModelProto:
    net = Writer()
    values = net.graph.input("x", TensorProto.FLOAT, ["rows", 6])
    return net.answer(net.graph.node("Slice", values, *(net.graph.constant([n], np.int64) for n in (0, 3, 1))))


def _quantized() -> onnx.ModelProto:
    net = Writer()
    graph = net.graph
    values = graph.input("x", TensorProto.FLOAT, ["rows", 6])
    number, scale, zero = graph.nodes("DynamicQuantizeLinear", values, num_outputs=3)
    weights = graph.constant(net.random.integers(-99, 99, (6, 3)), np.int8)
    product = graph.node("MatMulInteger", number, weights, zero)
    return net.answer(graph.node("Mul", graph.node("Cast", product, to=TensorProto.FLOAT), scale))


@pytest.mark.parametrize(
    ("build", "reason"),
    [(_unknown_operator, "Hardmax"), (_without_weights, "no layer with trained"), (_quantized, "quantized already")],
)
@pytest.mark.parametrize("method", [FACTORIZATION, SPARSIFICATION])
def test_what_is_no_network_is_refused_with_the_reason(
    build: Callable[[], onnx.ModelProto], reason: str, method: Method, tmp_path: Path
) -> None:
    model = build()
    with pytest.raises(UnfitError, match=reason):
        method.propose(model, build_ground(model, numbers(60), tmp_path))


def test_small_layers_are_left_alone(tmp_path: Path) -> None:
    net = Writer()
    model = net.answer(net.dense(net.graph.input("x", TensorProto.FLOAT, ["rows", 6]), 6, len(LABELS)))
    ground = build_ground(model, numbers(60), tmp_path)
    with pytest.raises(UnfitError, match="no layer becomes smaller"):
        FACTORIZATION.propose(model, ground)
    with pytest.raises(UnfitError, match="8 or more channels"):
        SPARSIFICATION.propose(model, ground)


@pytest.mark.parametrize(("method", "settings"), [(FACTORIZATION, {"energy": 1.5}), (SPARSIFICATION, {"ratio": 1.0})])
def test_settings_that_make_no_sense_are_refused(method: Method, settings: dict[str, float], tmp_path: Path) -> None:
    model, ground = _build("regression", tmp_path)
    with pytest.raises(UnfitError, match="between 0 and 1"):
        method.apply(model, settings, ground)
