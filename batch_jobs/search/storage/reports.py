"""Which intermediate values of a trial are kept."""

from collections.abc import Mapping

_MAX_STRIDE = 2**62


def thin(values: Mapping[int, float], *, limit: int) -> dict[int, float]:
    """Every second step, or every fourth, and so on, until half of the limit is left. The last step stays.

    Whole steps and not positions decide, so that trials that report alike keep the same steps: pruners compare them.
    """
    last, kept = max(values), dict(values)
    stride = 1
    while len(kept) > limit // 2 and stride < _MAX_STRIDE:
        stride *= 2
        kept = {step: value for step, value in values.items() if step % stride == 0 or step == last}
    return kept
