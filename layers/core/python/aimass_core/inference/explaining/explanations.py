"""Explanations of answers: the parts of a row by what they contribute, the greatest first."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.domain.endpoints import Contribution, Explanation
from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import InvalidRequestError
from aimass_core.inference.explaining import shapley
from aimass_core.inference.explaining.parts import RowParts, parts_of
from aimass_core.inference.explaining.shapley import Masks
from aimass_core.inference.serving.model import AnyModel, Tensors

MAX_ROWS = 100
_ROWS_AT_ONCE = 2_048


def check(signature: Signature, num_rows: int) -> None:
    """Raises InvalidRequestError for what cannot be explained."""
    if num_rows > MAX_ROWS:
        raise InvalidRequestError(
            f"{num_rows} rows are too many to explain; at most {MAX_ROWS} are explained at once. Send fewer rows, or "
            "leave `explain` out."
        )
    if signature.task is Task.CUSTOM or any(spec.column_type is None for spec in signature.inputs):
        raise InvalidRequestError(
            "This model was made by a script, and nothing tells what its tensors mean: its answers cannot be "
            "explained. Leave `explain` out."
        )


def explain(model: AnyModel, inputs: Tensors, *, seconds_left: Callable[[], float]) -> list[Explanation]:
    """One for each row. `check` comes before.

    Of a classification the probability of the likeliest label is explained, of a forecast the mean of its steps.

    Raises:
        DeadlineExceededError: It took too long.
    """
    num_rows = len(next(iter(inputs.values())))
    return [
        _explain_row(model, {name: array[row] for name, array in inputs.items()}, seconds_left)
        for row in range(num_rows)
    ]


def _explain_row(model: AnyModel, cells: dict[str, NDArray[Any]], seconds_left: Callable[[], float]) -> Explanation:
    signature = model.signature
    name = "value" if signature.labels is None else "probabilities"

    def answer(inputs: Tensors) -> NDArray[Any]:
        return model.run(inputs, outputs=[name], seconds=seconds_left())[name].astype(np.float64)

    chosen = 0
    if signature.labels is not None:
        chosen = int(answer({key: cell[None] for key, cell in cells.items()})[0].argmax())
    parts = RowParts(specs=signature.inputs, parts=[parts_of(spec, cells[spec.name]) for spec in signature.inputs])

    def value(masks: Masks) -> NDArray[Any]:
        answers = np.concatenate(
            [answer(parts.build(masks[start : start + _ROWS_AT_ONCE])) for start in range(0, len(masks), _ROWS_AT_ONCE)]
        )
        if signature.labels is not None:
            return np.asarray(answers[:, chosen])
        return np.asarray(answers.reshape(len(masks), -1).mean(axis=1))

    names = parts.names
    found = shapley.explain(value, len(names))
    return Explanation(
        explains=_word(signature, chosen),
        base=found.base,
        answer=found.answer,
        is_exact=found.errors is None,
        contributions=_to_contributions(names, found),
    )


def _word(signature: Signature, chosen: int) -> str:
    if signature.labels is not None:
        return f"probability of {signature.labels[chosen]}"
    return "mean of the forecast" if signature.task is Task.FORECASTING else signature.target


def _to_contributions(names: Sequence[str], found: shapley.Shapley) -> list[Contribution]:
    return [
        Contribution(
            part=names[place],
            value=float(found.values[place]),
            error=None if found.errors is None else float(found.errors[place]),
        )
        for place in np.argsort(-np.abs(found.values), kind="stable")
    ]
