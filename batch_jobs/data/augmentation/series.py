"""Changes within a series, in batches of series that may differ in length."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from torch import Tensor

from aimass_core.domain.algorithms.augmentation import series as declared

Change = Callable[[Tensor, Tensor, torch.Generator], Tensor]
"""Standardised series, the length of each (on the processor) and a generator to the series changed."""

_MIN_SPEED = 0.1
_WARP = 2.0


class SeriesAugment:
    """The steps one after the other, each on its own choice of the series.

    What was filled up at the end stays so, and so does every length. What is missing stays missing, and moves with the
    time.
    """

    def __init__(self, steps: Sequence[declared.SeriesStep], series: NDArray[np.float32]) -> None:
        """`series` are those of training, [rows, steps, channels]: strengths are in units of their deviations."""
        means, deviations = _measure(series)
        self._means, self._deviations = torch.from_numpy(means), torch.from_numpy(deviations)
        self._changes = [(step.probability, build_change(step)) for step in steps]

    @torch.no_grad()
    def __call__(self, series: Tensor, generator: torch.Generator) -> Tensor:
        """[rows, steps, channels]; those whose turn it never is are the same bit for bit."""
        means, deviations = self._means.to(series.device), self._deviations.to(series.device)
        # What a warp does to time is worked out where the generator is: a sum over time does not repeat on every GPU.
        lengths = count_steps(series).cpu()
        scaled, is_touched = (series - means) / deviations, torch.zeros(len(series), 1, 1, dtype=torch.bool)
        for probability, change in self._changes:
            is_chosen = torch.rand(len(series), 1, 1, generator=generator) < probability
            scaled = torch.where(is_chosen.to(series.device), change(scaled, lengths, generator), scaled)
            is_touched |= is_chosen
        return torch.where(is_touched.to(series.device), scaled * deviations + means, series)


def build_change(step: declared.SeriesStep) -> Change:
    """What a step does, to every series."""
    return _BUILDERS[type(step)](step)


def count_steps(series: Tensor) -> Tensor:
    """The length of each series [rows]: steps at the end in which every channel is NaN are none."""
    places = torch.arange(1, series.shape[1] + 1, device=series.device)
    return (~torch.isnan(series).all(dim=2) * places).amax(dim=1)


def _measure(series: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean and deviation of each channel; 0 and 1 where there is none."""
    values = series.reshape(-1, series.shape[2]).astype(np.float64)
    is_some = ~np.isnan(values)
    counts = np.maximum(is_some.sum(axis=0), 1)
    means = np.where(is_some, values, 0.0).sum(axis=0) / counts
    deviations = np.sqrt((np.where(is_some, values - means, 0.0) ** 2).sum(axis=0) / counts)
    return means.astype(np.float32), np.where(deviations > 0, deviations, 1.0).astype(np.float32)


def _jitter(step: declared.Jitter) -> Change:
    return lambda series, _, generator: series + step.deviation * _normal(series.shape, generator, series.device)


def _scale(step: declared.Scale) -> Change:
    def change(series: Tensor, _: Tensor, generator: torch.Generator) -> Tensor:
        factors = _normal((len(series), 1, series.shape[2]), generator, series.device)
        return series * (1 + step.deviation * factors)

    return change


def _magnitude_warp(step: declared.MagnitudeWarp) -> Change:
    def change(series: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        return series * _curves(series.shape, lengths, step.deviation, step.knots, generator).to(series.device)

    return change


def _time_warp(step: declared.TimeWarp) -> Change:
    def change(series: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        shape = (len(series), series.shape[1], 1)
        speeds = _curves(shape, lengths, step.deviation, step.knots, generator)[:, :, 0]
        return _resample(series, _travel(speeds.clamp(min=_MIN_SPEED), lengths), lengths)

    return change


def _window_warp(step: declared.WindowWarp) -> Change:
    def change(series: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        is_window = _window(series, lengths, step.share, generator)
        is_fast = torch.rand(len(series), 1, generator=generator) < 0.5
        speeds = torch.where(is_window, torch.where(is_fast, _WARP, 1 / _WARP), 1.0)
        return _resample(series, _travel(speeds, lengths), lengths)

    return change


def _crop(step: declared.Crop) -> Change:
    def change(series: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(2, len(series), 1, generator=generator)
        share = step.min_share + (1 - step.min_share) * drawn[0]
        last = (lengths - 1).clamp(min=0)[:, None]
        places = (1 - share) * last * drawn[1] + share * torch.arange(series.shape[1])
        return _resample(series, places, lengths)

    return change


def _cutout(step: declared.Cutout) -> Change:
    def change(series: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        is_window = _window(series, lengths, step.share, generator).to(series.device)
        return torch.where(is_window[:, :, None] & ~torch.isnan(series), 0.0, series)

    return change


_BUILDERS: Mapping[type, Callable[[Any], Change]] = {
    declared.Jitter: _jitter,
    declared.Scale: _scale,
    declared.MagnitudeWarp: _magnitude_warp,
    declared.TimeWarp: _time_warp,
    declared.WindowWarp: _window_warp,
    declared.Crop: _crop,
    declared.Cutout: _cutout,
}


def _normal(shape: Sequence[int], generator: torch.Generator, device: torch.device) -> Tensor:
    return torch.randn(tuple(shape), generator=generator).to(device)


def _window(series: Tensor, lengths: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A part of each series, of at least one step, that lies anywhere within: a mask [rows, steps]."""
    wide = (share * lengths).round().clamp(min=1)
    starts = (torch.rand(len(series), generator=generator) * (lengths - wide + 1).clamp(min=0)).floor()
    places = torch.arange(series.shape[1])
    return (places >= starts[:, None]) & (places < (starts + wide)[:, None])


def _curves(shape: Sequence[int], lengths: Tensor, deviation: float, knots: int, generator: torch.Generator) -> Tensor:
    """Cubic splines through values around 1 at both ends and so many knots between, over each series' own length."""
    num_rows, num_steps, num_channels = shape
    values = 1 + deviation * torch.randn(num_rows, knots + 2, num_channels, generator=generator)
    grid = np.linspace(0, 1, max(num_steps, 2))
    basis = CubicSpline(np.linspace(0, 1, knots + 2), np.eye(knots + 2))(grid)
    curves = torch.einsum("gk,rkc->rgc", torch.from_numpy(basis).float(), values)
    ends = (lengths - 1).clamp(min=1)[:, None]
    places = (torch.arange(num_steps) * (len(grid) - 1) / ends).clamp(max=len(grid) - 1)
    return _interpolate(curves, places, torch.full((num_rows, 1), len(grid) - 1))


def _travel(speeds: Tensor, lengths: Tensor) -> Tensor:
    """Where one is at each step, [rows, steps], going from the first step to the last at such relative speeds."""
    way = torch.cumsum(speeds, dim=1) - speeds[:, :1]
    last = (lengths - 1).clamp(min=0)[:, None]
    return way * last / way.gather(1, last).clamp(min=1e-6)


def _resample(series: Tensor, places: Tensor, lengths: Tensor) -> Tensor:
    """The series at other places in time, [rows, steps], and nothing beyond its length."""
    last = (lengths - 1).clamp(min=0)[:, None]
    found = _interpolate(series, torch.minimum(places, last).to(series.device), last.to(series.device))
    is_step = torch.arange(series.shape[1]) < lengths[:, None]
    return torch.where(is_step[:, :, None].to(series.device), found, torch.nan)


def _interpolate(series: Tensor, places: Tensor, last: Tensor) -> Tensor:
    """Between two neighbours; where one of them is missing, what the nearer one is."""
    before = places.floor().long()
    after = torch.minimum(before + 1, last)
    share = (places - before).unsqueeze(2)
    first, second = (series.gather(1, index.unsqueeze(2).expand(-1, -1, series.shape[2])) for index in (before, after))
    mixed = torch.lerp(first, second, share)
    return torch.where(torch.isnan(mixed), torch.where(share < 0.5, first, second), mixed)
