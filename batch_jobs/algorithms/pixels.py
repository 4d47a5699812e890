"""Statistics of pixels, for every framework."""

import numpy as np
from numpy.typing import NDArray

MAX_FLAT_PIXELS = 16
"""What the blocks of a convolutional network leave is flattened up to so many pixels, and averaged above."""

_SAMPLE = 5000


def fit_pixels(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Means and inverse deviations of each channel, of a sample of the images scaled to 0..1."""
    pixels = images[:: max(len(images) // _SAMPLE, 1)].astype(np.float64) / 255.0
    means, deviations = pixels.mean(axis=(0, 1, 2)), pixels.std(axis=(0, 1, 2))
    return means.astype(np.float32), (1.0 / np.maximum(deviations, 1e-3)).astype(np.float32)
