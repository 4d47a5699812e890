"""Points of curves on their way out: a flood is thinned, but no peak and no valley is lost."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

_MAX_POINTS = 512
_KEPT_POINTS = 256


@dataclass(frozen=True, slots=True)
class Point:
    """Values at one step. None stands for NaN and infinity, which neither JSON nor DynamoDB can say."""

    step: int
    values: Mapping[str, float | None]


class CurveBuffer:
    """Points that wait to be reported, at most 512 of them whatever the flood; in the order of their coming."""

    def __init__(self) -> None:
        self._points: list[Point] = []

    def add(self, step: int, values: Mapping[str, float]) -> list[str]:
        """Keeps a point. Returns the names whose value is NaN or infinite."""
        finite = {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
        self._points.append(Point(step, finite))
        if len(self._points) > _MAX_POINTS:
            self._points = thin(self._points, _KEPT_POINTS)
        return [name for name, value in finite.items() if value is None]

    def take(self, limit: int) -> list[Point]:
        """What waits, thinned to about `limit`; the buffer is empty afterwards."""
        points, self._points = self._points, []
        return thin(points, limit)

    def __bool__(self) -> bool:
        return bool(self._points)


def thin(points: list[Point], limit: int) -> list[Point]:
    """About `limit` points: the least and the greatest value of each curve in each stretch, and both ends.

    With more curves than that leaves room for, every so many-th point.
    """
    if len(points) <= limit:
        return points
    names = {name for point in points for name in point.values}
    num_stretches = limit // (2 * max(1, len(names)))
    if num_stretches == 0:
        return points[:: math.ceil(len(points) / limit)]
    kept = {0, len(points) - 1}
    for index in range(num_stretches):
        stretch = range(index * len(points) // num_stretches, (index + 1) * len(points) // num_stretches)
        for name in names:
            values = [(value, at) for at in stretch if (value := points[at].values.get(name)) is not None]
            if values:
                kept |= {min(values)[1], max(values)[1]}
    return [points[index] for index in sorted(kept)]
