"""Long curves as short ones that look the same."""

import numpy as np

from batch_jobs.data.frames import Array

MAX_POINTS = 500
DIGITS = 5


def thin(values: Array, max_points: int = MAX_POINTS) -> Array:
    """Positions to keep, ascending: the ends, and of each stretch the lowest and the highest value.

    Values that are not finite are left out.
    """
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) <= max_points:
        return finite
    kept = [finite[[0, -1]]]
    for stretch in np.array_split(finite, (max_points - 2) // 2):
        kept.append(stretch[[values[stretch].argmin(), values[stretch].argmax()]])
    return np.unique(np.concatenate(kept))


def to_numbers(values: Array) -> list[float]:
    """As JSON numbers with the digits that a picture can show."""
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]
