"""Training that knows of quantization: it computes as the quantized graph does, and loses less."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from aimass_core.domain.common import JsonScalar
from batch_jobs.compress import integers
from batch_jobs.compress.contract import UnfitError
from batch_jobs.compress.graphs import activate_early, fold
from batch_jobs.compress.networks.awareness import find_roundings, round_channels, round_groups
from batch_jobs.compress.networks.core import encode
from batch_jobs.compress.networks.module import CoreModule, to_tensors
from batch_jobs.compress.networks.network import open_network
from batch_jobs.compress.quantization import Quantization
from batch_jobs.data.frames import Array
from tests.unit.batch_jobs.compress.networks.tiny import (
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

METHOD = Quantization()
STATIC: dict[str, JsonScalar] = {"mode": "static", "calibration": "minmax"}
NIBBLES: dict[str, JsonScalar] = {"mode": "weights", "bits": 4}
_KINDS: dict[str, tuple[Callable[[], onnx.ModelProto], Callable[[], Array]]] = {
    "convolutional": (lambda: balanced(convolutional, pixels()), pixels),
    "LSTM": (lambda: balanced(partial(recurrent, "LSTM"), words()), words),
    "regression": (regression, numbers),
}


@pytest.mark.parametrize("kind", _KINDS)
def test_torch_answers_as_the_quantized_graph_does(kind: str, tmp_path: Path) -> None:
    build, draw = _KINDS[kind]
    rows = draw()
    model = build()
    ground = build_ground(model, rows, tmp_path)
    folded = fold(activate_early(model), tmp_path)
    quantized = integers.quantize_static(folded, ground, calibration="minmax")
    network = open_network(folded, ground)
    module = CoreModule(network.core, roundings=find_roundings(folded, quantized))
    frame = ground.material.parts["train"].sample(seed=0).frame
    with torch.no_grad():
        (found,) = module(to_tensors(encode(network.core, frame, ground.original.signature)), [network.core.answer])
    given = np.asarray(frame.columns["x"])
    exact, rounded = answers(folded, given, ground), answers(quantized, given, ground)
    # What lies on the border between two integers may fall to either side.
    assert np.abs(found.numpy() - rounded).mean() < 0.2 * np.abs(exact - rounded).mean()


@pytest.mark.parametrize("kind", ["LSTM", "regression"])
def test_a_network_that_was_trained_for_it_answers_more_like_the_original(kind: str, tmp_path: Path) -> None:
    build, draw = _KINDS[kind]
    model = build()
    before = model.SerializeToString()
    ground = build_ground(model, draw(1_000), tmp_path)
    rows = np.asarray(ground.material.parts["train"].sample(seed=0).frame.columns["x"])
    without, trained = (METHOD.apply(model, {**NIBBLES, "aware": is_aware}, ground) for is_aware in (False, True))
    onnx.checker.check_model(trained, full_check=True)
    expected = answers(model, rows, ground)
    errors = [float(np.square(answers(each, rows, ground) - expected).mean()) for each in (without, trained)]
    assert errors[1] < 0.8 * errors[0]
    assert trained.ByteSize() == pytest.approx(without.ByteSize(), rel=0.02)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("settings", [STATIC, NIBBLES])
def test_without_time_it_is_what_it_would_be_without_training(settings: dict[str, JsonScalar], tmp_path: Path) -> None:
    model = balanced(convolutional, pixels())
    ground = build_ground(model, pixels(), tmp_path, seconds_left=lambda: 0.0)
    rows = pixels(50)
    found, expected = (
        answers(METHOD.apply(model, {**settings, "aware": is_aware}, ground), rows, ground)
        for is_aware in (True, False)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_it_is_proposed_as_better_than_what_loses_most(tmp_path: Path) -> None:
    model = regression()
    ground = build_ground(model, numbers(), tmp_path)
    proposals = METHOD.propose(model, ground)
    trained = [each for each in proposals if each.is_trained]
    assert [each.betters for each in trained] == [{**STATIC, "float_layers": 0}, NIBBLES]
    for each in trained:
        assert each.betters in [other.settings for other in proposals if not other.is_trained]
        assert each.settings == {**(each.betters or {}), "aware": True}
    for settings in ({"mode": "dynamic"}, {**STATIC, "float_layers": 1}, {"mode": "weights", "bits": 16}):
        with pytest.raises(UnfitError, match="training knows of"):
            METHOD.apply(model, {**settings, "aware": True}, ground)


def test_gradients_pass_a_rounding_and_what_it_cuts_off_has_none(tmp_path: Path) -> None:
    weights = torch.tensor([[0.3, -1.0], [0.004, 0.01]], requires_grad=True)
    rounded = round_channels(weights, axis=0)
    rounded.sum().backward()
    assert weights.grad is not None
    assert weights.grad.tolist() == [[1, 1], [1, 1]]
    # Each channel has as many steps as the others.
    steps = rounded / torch.tensor([[1.0], [0.01]]) * 127
    torch.testing.assert_close(steps, torch.tensor([[38.0, -127.0], [51.0, 127.0]]))
    spread = round_groups(torch.linspace(-1, 1, 65), num_bits=4) * 7
    torch.testing.assert_close(spread[:32], spread[:32].round())
    model = regression()
    ground = build_ground(model, numbers(), tmp_path)
    folded = fold(activate_early(model), tmp_path)
    roundings = find_roundings(folded, integers.quantize_static(folded, ground, calibration="minmax"))
    values = torch.tensor([-1e6, 0.0, 0.5, 1e6], requires_grad=True)
    roundings["x"](values).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [0, 1, 1, 0]
