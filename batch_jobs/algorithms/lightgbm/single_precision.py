"""A booster written anew, so that float32 arithmetic takes every row down the branch that LightGBM takes it.

The format is LightGBM's own model text (`src/io/tree.cpp`): one line for each property of a tree, one value for each of
its nodes.
"""

import lightgbm
import numpy as np
from numpy.typing import NDArray


def to_single_precision(booster: lightgbm.Booster, *, num_rounds: int) -> lightgbm.Booster:
    """The first rounds of a booster; for float32 features it answers what the booster answers, to the last bit.

    Thresholds are float64 and lie between two values of the data; in a graph they are float32, and rounding one up may
    reach the upper value. Rounded down, none is ever passed.
    """
    lines: list[str] = []
    for line in booster.model_to_string(num_iteration=num_rounds).split("\n"):
        name, _, values = line.partition("=")
        if name == "threshold":
            rounded = _round_down(np.array(values.split(), dtype=np.float64))
            lines.append(f"{name}=" + " ".join(map(repr, rounded.tolist())))
        elif name != "tree_sizes":
            # Those are offsets in bytes, and optional: without them the trees are read one after the other.
            lines.append(line)
    return lightgbm.Booster(model_str="\n".join(lines))


def _round_down(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Categorical nodes have indices for thresholds: small whole numbers, which stay what they are.
    nearest = values.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > values, below, nearest).astype(np.float64)
