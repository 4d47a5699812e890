"""What was filled up takes part in nothing: neither in an answer nor in what is learned from a batch."""

import numpy as np
import pytest
import torch

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.series import FcnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Problem
from batch_jobs.algorithms.torch.fcn import Network


def _network(*, residual: bool, series: np.ndarray) -> Network:
    torch.manual_seed(0)
    problem = Problem(task=Task.MULTICLASS, kind=DataKind.SERIES, num_outputs=3, num_numeric=2, seed=0, num_threads=1)
    chosen = FcnHyperparameters(channels=[4, 4], kernels=[8, 3], residual=residual)
    return Network(problem, chosen, series)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("is_training", [False, True])
def test_filling_up_changes_neither_answers_nor_batch_statistics(residual: bool, is_training: bool) -> None:
    series = np.random.default_rng(0).normal(3, 2, (6, 9, 2)).astype(np.float32)
    series[2, 5:] = np.nan
    filled = np.concatenate([series, np.full((6, 7, 2), np.nan, np.float32)], axis=1)
    networks = [_network(residual=residual, series=each).train(is_training) for each in (series, filled)]
    plain, longer = (network(torch.from_numpy(each)) for network, each in zip(networks, (series, filled), strict=True))
    torch.testing.assert_close(longer, plain, atol=1e-5, rtol=1e-5)
    for (name, mine), theirs in zip(networks[0].state_dict().items(), networks[1].state_dict().values(), strict=True):
        torch.testing.assert_close(theirs, mine, atol=1e-5, rtol=1e-5, msg=name)


@pytest.mark.parametrize("is_training", [False, True])
def test_a_row_without_a_value_has_a_finite_answer(is_training: bool) -> None:
    series = np.random.default_rng(0).normal(size=(4, 9, 2)).astype(np.float32)
    series[1] = np.nan
    answer = _network(residual=False, series=series).train(is_training)(torch.from_numpy(series))
    assert torch.isfinite(answer).all()


def test_the_gradient_of_a_batch_with_gaps_is_finite() -> None:
    series = np.random.default_rng(0).normal(size=(4, 9, 2)).astype(np.float32)
    series[0, 3:], series[1, 2, 0], series[2] = np.nan, np.nan, np.nan
    network = _network(residual=True, series=series).train()
    network(torch.from_numpy(series)).square().sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters() if weight.grad is not None)
