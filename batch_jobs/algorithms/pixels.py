"""Statistics of pixels, for every framework."""

import numpy as np
from numpy.typing import NDArray

MAX_FLAT_PIXELS = 16
"""What the blocks of a convolutional network leave is flattened up to so many pixels, and averaged above."""

_SAMPLE = 5000
_LEAST_DEVIATION = 0.255


def fit_pixels(images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Means and inverse deviations of each channel [1, 1, 1, channels], of a sample of the images.

    NOTE: they have as many dimensions as images have: ONNX Runtime takes ten times as long to bring one number to the
    pixels of a grey image (5 microseconds of 28 x 28 for each operator), as its last dimension is of size one.
    """
    pixels = images[:: max(len(images) // _SAMPLE, 1)].astype(np.float64)
    means, deviations = (found(axis=(0, 1, 2), keepdims=True) for found in (pixels.mean, pixels.std))
    return means.astype(np.float32), (1.0 / np.maximum(deviations, _LEAST_DEVIATION)).astype(np.float32)
