"""Statistics of the channels of series, for every framework."""

import numpy as np
from numpy.typing import NDArray


def fit_channels(series: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Means and inverse deviations of each channel, of the values that are not missing in [rows, steps, channels].

    A channel without any has mean 0; one that never changes keeps its scale.
    """
    flat = series.reshape(-1, series.shape[2])
    present = [column[~np.isnan(column)].astype(np.float64) for column in flat.T]
    means = np.array([values.mean() if len(values) else 0.0 for values in present])
    deviations = np.array([values.std() if len(values) else 0.0 for values in present])
    inverse = np.divide(1.0, deviations, out=np.ones_like(deviations), where=deviations > 0)
    return means.astype(np.float32), inverse.astype(np.float32)
