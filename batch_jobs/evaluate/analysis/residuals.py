"""Errors of a regression."""

import numpy as np

from aimass_core.domain.reports import Forecasts, ForecastWindow, Histogram, Residuals
from batch_jobs.data.frames import Array
from batch_jobs.evaluate.analysis.thinning import MAX_POINTS, to_numbers

_MAX_SHOWN = 1_000
_NUM_WORST = 50
_NUM_BINS = 50
_NUM_WINDOWS = 3
_PERCENTS = (1, 5, 25, 50, 75, 95, 99)


def residuals(truth: Array, values: Array, *, seed: int) -> Residuals:
    """Of all values; the histogram goes from the first to the 99th percentile with an overflow at either end."""
    actual, predicted = truth.ravel().astype(np.float64), values.ravel().astype(np.float64)
    errors = predicted - actual
    kept = _sample(errors, seed)
    quantiles = np.percentile(errors, _PERCENTS)
    return Residuals(
        mean=float(errors.mean()),
        std=float(errors.std()),
        quantiles={str(percent): float(value) for percent, value in zip(_PERCENTS, quantiles, strict=True)},
        histogram=_histogram(errors),
        actual=to_numbers(actual[kept]),
        predicted=to_numbers(predicted[kept]),
    )


def forecasts(truth: Array, values: Array, rows: Array) -> Forecasts:
    """Of [rows, horizon]; `rows` are the last that each was made from."""
    chosen = np.linspace(0, len(truth) - 1, num=min(_NUM_WINDOWS, len(truth))).astype(int)
    windows = [
        ForecastWindow(
            row=int(rows[index]),
            actual=to_numbers(truth[index, :MAX_POINTS]),
            predicted=to_numbers(values[index, :MAX_POINTS]),
        )
        for index in chosen
    ]
    return Forecasts(windows=windows, errors=to_numbers(np.abs(values - truth).mean(axis=0)[:MAX_POINTS]))


def _sample(errors: Array, seed: int) -> Array:
    if len(errors) <= _MAX_SHOWN:
        return np.arange(len(errors))
    worst = np.argpartition(-np.abs(errors), _NUM_WORST)[:_NUM_WORST]
    others = np.random.default_rng(seed).choice(len(errors), _MAX_SHOWN - _NUM_WORST, replace=False)
    return np.unique(np.concatenate([worst, others]))


def _histogram(errors: Array) -> Histogram:
    """NOTE: one far error would squeeze all others into one bar: the last bars hold what lies beyond."""
    low, high = np.percentile(errors, (0.5, 99.5))
    if high <= low:
        low, high = errors.min(), errors.max()
    is_flat = high - low <= 1e-9 * max(abs(low), abs(high))
    counts, edges = np.histogram(np.clip(errors, low, high), bins=1 if is_flat else _NUM_BINS, range=(low, high))
    return Histogram(edges=to_numbers(edges), counts=counts.tolist())
