"""Networks write graphs that answer what they answer, whatever their statistics, sizes and gaps are."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.networks import CnnHyperparameters
from aimass_core.domain.algorithms.series import FcnHyperparameters, NlinearHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import FEATURES, Problem
from batch_jobs.algorithms.torch import cnn, fcn, nlinear
from batch_jobs.algorithms.torch.fitted import Answer, FittedNetwork
from batch_jobs.algorithms.torch.written import Written
from batch_jobs.data.frames import Array
from batch_jobs.data.targets import TargetScale

_IMAGES = np.random.default_rng(0).integers(0, 256, (8, 12, 13, 3), dtype=np.uint8)


def _series() -> Array:
    series = np.random.default_rng(0).normal(3, 2, (6, 11, 2)).astype(np.float32)
    series[0, 4:], series[1, :5, 0], series[2], series[3, -2:, 1] = np.nan, np.nan, np.nan, np.nan
    return series


def _check(network: nn.Module, problem: Problem, rows: Array, *lengths: int) -> None:
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            # Those that a training begins with would hide that one is left out.
            for values in (module.running_var, module.weight):
                assert values is not None
                nn.init.uniform_(values, 0.3, 2)
            for values in (module.running_mean, module.bias):
                assert values is not None
                nn.init.normal_(values)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight)
    assert isinstance(network, Written)
    fitted = FittedNetwork(
        answer=Answer(network, problem).eval(), num_steps=1, example=rows[:2], has_variable_length=bool(lengths)
    )
    session = onnxruntime.InferenceSession(fitted.to_onnx().SerializeToString())
    for features in (rows, rows[:1], *(rows[:, :length] for length in lengths)):
        (found,) = session.run(None, {FEATURES: features})
        np.testing.assert_allclose(found, fitted.predict(features), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [[4], [4, 8], [2, 3, 4, 5, 6]], ids=["averaged", "flat", "one pixel"])
def test_of_images(channels: list[int]) -> None:
    problem = Problem(task=Task.MULTICLASS, kind=DataKind.IMAGES, num_outputs=3, seed=0, num_threads=1)
    _check(cnn.Network(problem, CnnHyperparameters(channels=channels), _IMAGES), problem, _IMAGES)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("normalise", [False, True])
def test_of_series_of_any_length(residual: bool, normalise: bool) -> None:
    problem = Problem(task=Task.MULTICLASS, kind=DataKind.SERIES, num_outputs=3, num_numeric=2, seed=0, num_threads=1)
    chosen = FcnHyperparameters(channels=[4, 5], kernels=[8, 3], residual=residual, normalise_series=normalise)
    _check(fcn.Network(problem, chosen, _series()), problem, _series(), 1, 4)


@pytest.mark.parametrize("options", [{}, {"hidden": [8]}, {"hidden": [8, 4], "all_columns": True}], ids=str)
def test_of_forecasts(options: dict[str, Any]) -> None:
    problem = Problem(
        task=Task.FORECASTING,
        kind=DataKind.SERIES,
        num_outputs=6,
        num_numeric=2,
        target_channel=1,
        target_scale=TargetScale(mean=10.0, deviation=4.0),
        seed=0,
        num_threads=1,
    )
    network = nlinear.Network(problem, NlinearHyperparameters(**options), _series())
    _check(nlinear.FromLastValue(network, problem), problem, _series())
