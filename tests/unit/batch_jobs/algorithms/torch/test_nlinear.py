"""A forecast begins at the latest value that there is."""

import numpy as np
import pytest
import torch

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.series import NlinearHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import Problem
from batch_jobs.algorithms.torch.nlinear import FromLastValue, Network, last_values
from batch_jobs.data.targets import TargetScale


def _forecaster(series: np.ndarray, **options: object) -> FromLastValue:
    torch.manual_seed(0)
    problem = Problem(
        task=Task.FORECASTING,
        kind=DataKind.SERIES,
        num_outputs=3,
        num_numeric=2,
        target_channel=1,
        target_scale=TargetScale(mean=10.0, deviation=4.0),
        seed=0,
        num_threads=1,
    )
    return FromLastValue(Network(problem, NlinearHyperparameters.model_validate(options), series), problem).eval()


def test_the_latest_value_is_the_last_that_is_not_missing() -> None:
    nan = np.nan
    series = torch.tensor([[[1, nan], [2, nan], [nan, nan]], [[5, 1], [6, 2], [7, 3]]])
    found = last_values(series)[:, 0]
    np.testing.assert_array_equal(found.numpy(), np.array([[2, nan], [7, 3]], np.float32))


def test_an_untrained_linear_forecast_is_that_all_stays_as_it_is() -> None:
    series = np.random.default_rng(0).normal(10, 4, (5, 6, 2)).astype(np.float32)
    forecast = _forecaster(series)(torch.from_numpy(series)) * 4 + 10
    np.testing.assert_allclose(forecast.detach().numpy(), np.repeat(series[:, -1:, 1], 3, axis=1), rtol=1e-5)


@pytest.mark.parametrize("options", [{"hidden": [8]}, {"hidden": [8], "all_columns": True}])
def test_a_shifted_past_shifts_the_forecast(options: dict[str, object]) -> None:
    series = np.random.default_rng(0).normal(10, 4, (5, 6, 2)).astype(np.float32)
    forecaster = _forecaster(series, **options)
    plain = forecaster(torch.from_numpy(series))
    shifted = forecaster(torch.from_numpy(series + 40.0))
    torch.testing.assert_close(shifted, plain + 10.0, atol=1e-4, rtol=1e-4)


def test_other_columns_count_only_where_they_are_asked_for() -> None:
    series = np.random.default_rng(0).normal(10, 4, (5, 6, 2)).astype(np.float32)
    changed = series.copy()
    changed[:, :-1, 0] += 3
    for all_columns in (False, True):
        forecaster = _forecaster(series, hidden=[8], all_columns=all_columns)
        difference = (forecaster(torch.from_numpy(changed)) - forecaster(torch.from_numpy(series))).abs().max()
        assert bool(difference > 1e-6) is all_columns


def test_a_past_without_any_value_gives_a_finite_forecast() -> None:
    series = np.full((2, 6, 2), np.nan, np.float32)
    assert torch.isfinite(_forecaster(series)(torch.from_numpy(series))).all()
