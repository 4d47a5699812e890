"""Steps change series within their lengths, the same way for the same generator, and leave everything else alone."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aimass_core.domain.algorithms.augmentation.steps import Strength
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.series import FCN, NLINEAR, FcnHyperparameters, NlinearHyperparameters
from aimass_core.domain.signatures import Task
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.learning import Problem
from batch_jobs.data.augmentation.building import Augmentation, build_augmentation
from batch_jobs.data.augmentation.mixing import MixAugment
from batch_jobs.data.augmentation.samples import augmented_rows
from batch_jobs.data.augmentation.series import count_steps

STEPS: list[dict[str, Any]] = [
    {"name": "jitter"},
    {"name": "scale"},
    {"name": "magnitude_warp"},
    {"name": "time_warp"},
    {"name": "window_warp", "share": 0.3},
    {"name": "crop", "min_share": 0.5},
    {"name": "cutout", "share": 0.3},
]
NUM_STEPS = 40


def _name(step: dict[str, Any]) -> str:
    return str(step["name"])


def _series(num_rows: int = 30, num_channels: int = 2) -> Tensor:
    """Waves of different lengths around 100, the second channel ten times the first, gaps within."""
    generator = torch.Generator().manual_seed(0)
    time = torch.arange(NUM_STEPS) / 5
    phases = torch.rand(num_rows, 1, num_channels, generator=generator) * 6
    series = 100 + torch.sin(time[None, :, None] + phases) * torch.tensor([1.0, 10.0][:num_channels])
    for row in range(num_rows):
        series[row, 3 + row % (NUM_STEPS - 2) :] = torch.nan
        series[row, 1, 0] = torch.nan
    return series


def _problem(task: Task = Task.BINARY) -> Problem:
    return Problem(task=task, kind=DataKind.SERIES, num_outputs=2, num_numeric=2, seed=0, num_threads=1)


def _build(augmentation: object, series: Tensor, task: Task = Task.BINARY) -> Augmentation:
    spec = NLINEAR if task is Task.FORECASTING else FCN
    chosen = spec.resolve_hyperparameters({"augmentation": augmentation})
    assert isinstance(chosen, FcnHyperparameters | NlinearHyperparameters)
    return build_augmentation(chosen, _problem(task), series.numpy())


def _run(augmentation: object, series: Tensor, seed: int = 1) -> Tensor:
    augment = _build(augmentation, series).augment
    assert augment is not None
    return augment(series, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("step", STEPS, ids=_name)
def test_each_step_changes_series_repeatably_and_keeps_every_length(step: dict[str, Any]) -> None:
    series = _series()
    before, state = series.clone(), torch.get_rng_state()
    changed = _run([step], series)
    assert changed.shape == series.shape
    assert changed.dtype == torch.float32
    assert torch.equal(count_steps(changed), count_steps(series))
    is_padding = torch.arange(NUM_STEPS) >= count_steps(series)[:, None]
    assert torch.isnan(changed[is_padding]).all()
    is_both = ~torch.isnan(changed) & ~torch.isnan(series)
    assert ((changed - series).abs()[is_both] > 1e-3).float().mean() > 0.1
    torch.testing.assert_close(changed, _run([step], series), rtol=0, atol=0, equal_nan=True)
    assert not torch.allclose(changed, _run([step], series, seed=2), equal_nan=True)
    torch.testing.assert_close(series, before, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ["jitter", "scale", "magnitude_warp", "cutout"])
def test_what_is_missing_stays_missing_where_time_stays(name: str) -> None:
    series = _series()
    assert torch.equal(torch.isnan(_run([{"name": name}], series)), torch.isnan(series))


@pytest.mark.parametrize("name", ["time_warp", "window_warp", "crop"])
def test_a_gap_moves_with_the_time_and_does_not_spread(name: str) -> None:
    series = torch.arange(NUM_STEPS).float()[None, :, None].expand(200, -1, 2).clone()
    series[:, 20, 0] = torch.nan
    changed = _run([{"name": name}], series)
    num_missing = torch.isnan(changed[:, :, 0]).sum(dim=1).float()
    assert num_missing.max() <= 4
    assert 0.4 < num_missing.mean() < 1.6
    assert not torch.isnan(changed[:, :, 1]).any()


@pytest.mark.parametrize("name", ["time_warp", "window_warp"])
def test_a_warp_of_time_goes_forward_from_the_first_step_to_the_last(name: str) -> None:
    series = torch.arange(NUM_STEPS).float()[None, :, None].expand(50, -1, 1).clone()
    changed = _run([{"name": name}], series)
    assert (changed.diff(dim=1) > 0).all()
    torch.testing.assert_close(changed[:, [0, -1]], series[:, [0, -1]], atol=1e-3, rtol=0)


def test_a_crop_is_a_part_of_at_least_its_share() -> None:
    series = torch.arange(NUM_STEPS).float()[None, :, None].expand(500, -1, 1).clone()
    changed = _run([{"name": "crop", "min_share": 0.5}], series)
    spans = (changed[:, -1] - changed[:, 0]) / (NUM_STEPS - 1)
    assert 0.5 <= spans.min() < 0.55
    assert 0.95 < spans.max() <= 1
    assert changed.min() >= 0
    assert changed.max() <= NUM_STEPS - 1


def test_strengths_are_in_units_of_each_channels_deviation() -> None:
    series = 50 + torch.randn(400, NUM_STEPS, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 10.0])
    added = _run([{"name": "jitter", "deviation": 0.3}], series) - series
    torch.testing.assert_close(added.std(dim=(0, 1)), torch.tensor([0.3, 3.0]), rtol=0.05, atol=0)
    factors = (_run([{"name": "scale", "deviation": 0.3}], series) - 50) / (series - 50)
    assert float(factors.median(dim=1).values.std()) == pytest.approx(0.3, rel=0.1)


def test_cutout_is_the_mean_over_its_share() -> None:
    series = _series(num_rows=1).nan_to_num(100.0).expand(300, -1, -1).clone()
    series += torch.linspace(1, 2, NUM_STEPS)[None, :, None]
    is_cut = (_run([{"name": "cutout", "share": 0.25}], series) - series).abs() > 1e-3
    assert (is_cut.sum(dim=1) <= NUM_STEPS / 4).all()
    assert float(is_cut.float().mean()) == pytest.approx(0.25, abs=0.03)
    assert (is_cut.byte().diff(dim=1) == 1).sum(dim=1).max() <= 1


@pytest.mark.parametrize("step", STEPS, ids=_name)
def test_the_probability_is_that_of_each_series_and_the_others_stay_bit_for_bit(step: dict[str, Any]) -> None:
    series = _series(num_rows=1000)
    series[:, :3] = series[:, :3].nan_to_num(101.0)
    changed = _run([step | {"probability": 0.3}], series)
    is_same = ((changed == series) | torch.isnan(series)).all(dim=(1, 2))
    assert float((~is_same).float().mean()) == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("preset", [strength.value for strength in Strength if strength is not Strength.NONE])
@pytest.mark.parametrize("num_steps", [1, 2, NUM_STEPS])
def test_presets_work_on_series_of_one_step_and_of_none(preset: str, num_steps: int) -> None:
    series = _series()[:, :num_steps].contiguous()
    series[0] = torch.nan
    series[1, 1:] = torch.nan
    built = _build(preset, series)
    assert len(built.names) >= 2
    rows = augmented_rows(series.numpy(), built, seed=0)
    for row in rows:
        assert np.isnan(row[0]).all()
        assert not np.isinf(row).any()
        assert np.array_equal(np.isnan(row).all(axis=2), np.isnan(series.numpy()).all(axis=2))
    assert not np.array_equal(rows[0], rows[1], equal_nan=True)


def test_a_channel_that_is_constant_or_missing_stays_so() -> None:
    series = _series()
    series[:, :, 0] = torch.where(torch.isnan(series[:, :, 1]), torch.nan, 7.0)
    series[:, :, 1] = torch.nan
    for step in STEPS[1:]:
        changed = _run([step], series)
        assert torch.isnan(changed[:, :, 1]).all()
        torch.testing.assert_close(changed[:, :, 0], series[:, :, 0], equal_nan=True)


def test_mixed_series_keep_their_own_length_and_gaps() -> None:
    series = _series()
    mix = _build([{"name": "mixup", "alpha": 1.0}], series).mix
    assert isinstance(mix, MixAugment)
    mixed, mixture = mix(series, torch.Generator().manual_seed(3))
    assert mixture
    assert torch.equal(torch.isnan(mixed), torch.isnan(series))
    others = series[mixture.order]
    expected = torch.where(torch.isnan(others), series, mixture.share * series + (1 - mixture.share) * others)
    torch.testing.assert_close(mixed, expected, equal_nan=True)


def test_a_preset_for_forecasts_has_the_steps_that_leave_time_and_level() -> None:
    built = _build("strong", _series(), Task.FORECASTING)
    assert [name.partition(" ")[0] for name in built.names] == ["jitter", "cutout", "mixup"]


@pytest.mark.parametrize(
    ("augmentation", "words"),
    [
        ("much", "'light', 'standard' or 'strong'"),
        ([{"name": "flip"}], "'jitter', 'scale'"),
        (
            [{"name": "jitter", "deviation": 3}],
            "jitter.deviation: Input should be less than or equal to 2, and it is 3",
        ),
        ([{"name": "jitter", "deviation": "3"}], "jitter.deviation: Input should be a valid number"),
        ([{"name": "time_warp", "knots": 0}], "greater than or equal to 1, and it is 0"),
        ([{"name": "crop"}] * 17, "at most 16"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(augmentation: object, words: str) -> None:
    with pytest.raises(InvalidRequestError, match="augmentation") as refused:
        _build(augmentation, _series())
    assert words in str(refused.value)
