"""How many rows networks of every framework answer at once."""

import math
from collections.abc import Sequence

_MAX_ROWS = 1024
# A network may hold some hundred times its input.
_MAX_VALUES = 2**19


def evaluation_size(shape: Sequence[int]) -> int:
    """The batch for features of this shape: the more values a row has, the fewer rows."""
    return min(_MAX_ROWS, max(_MAX_VALUES // max(math.prod(shape[1:]), 1), 1))
