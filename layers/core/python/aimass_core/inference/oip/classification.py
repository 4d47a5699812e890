"""Triton's classification extension: an output as its highest values, each with its index and label."""

from typing import Any

import numpy as np

from aimass_core.domain.signatures import Signature
from aimass_core.errors import InvalidRequestError
from aimass_core.inference.oip.tensors import Array

PARAMETER = "classification"
_LABELLED = "probabilities"


def read_count(value: Any) -> int:
    """How many classes are asked for; 0 where none are. Raises InvalidRequestError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidRequestError(
            f"The parameter {PARAMETER!r} must be the number of classes to return, not {str(value)[:40]!r}."
        )
    return value


def find_highest(array: Array, count: int, signature: Signature, *, name: str) -> Array:
    """Texts `value:index:label` of shape [rows, count], the highest first; without a label where there is none.

    Raises:
        InvalidRequestError: The output holds no numbers, or one value a row.
    """
    if array.dtype.kind not in "iuf" or array.ndim < 2:
        raise InvalidRequestError(
            f"The output {name!r} cannot be given as classes: that needs several numbers for each row. Ask it of "
            f"{_LABELLED!r}, or leave the parameter {PARAMETER!r} out."
        )
    flat = array.reshape(len(array), -1)
    labels = signature.labels if name == _LABELLED and len(signature.labels or []) == flat.shape[1] else None
    # NOTE: stable, so that of equal values the first comes first; NaN sorts to the end.
    order = np.argsort(-flat.astype(np.float64), axis=1, kind="stable")[:, :count]
    texts = [
        [_write(value, index, labels) for value, index in zip(row[chosen].tolist(), chosen.tolist(), strict=True)]
        for row, chosen in zip(flat, order, strict=True)
    ]
    return np.array(texts, dtype=object).reshape(order.shape)


def _write(value: float, index: int, labels: list[str] | None) -> str:
    number = f"{value:f}" if isinstance(value, float) else str(value)
    return f"{number}:{index}" if labels is None else f"{number}:{index}:{labels[index]}"
