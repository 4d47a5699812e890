"""LSTM and GRU as ONNX defines them, by torch's own: its gates stand in another order."""

import torch
from torch import Tensor

from batch_jobs.compress.networks.operators.registry import Attributes, Results, UnsupportedError, operator

_LSTM_GATES = (0, 2, 3, 1)
"""ONNX has input, output, forget, cell; torch input, forget, cell, output."""
_GRU_GATES = (1, 0, 2)
"""ONNX has update, reset, hidden; torch reset, update, new."""
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}


@operator("LSTM", "GRU")
def recurrent(  # noqa: PLR0917  inputs are by position
    node: Attributes,
    values: Tensor,
    weights: Tensor,
    recurrences: Tensor,
    biases: Tensor | None = None,
    lengths: Tensor | None = None,
    state: Tensor | None = None,
    cell: Tensor | None = None,
    peepholes: Tensor | None = None,
) -> Results:
    """[length, rows, width] to all states [length, directions, rows, hidden], the last ones, and the last cells."""
    directions, _, hidden = recurrences.shape
    _check(node, directions, peepholes)
    direction = node.get("direction", "forward")
    outputs = []
    for index in range(directions):
        is_reverse = direction == "reverse" or index == 1
        zeros = values.new_zeros(values.shape[1], hidden)
        outputs.append(
            _read(
                node,
                _turn(values, lengths) if is_reverse else values,
                (weights[index], recurrences[index], None if biases is None else biases[index]),
                (zeros if state is None else state[index], zeros if cell is None else cell[index]),
                lengths,
                is_reverse=is_reverse,
            )
        )
    return tuple(
        torch.stack(part, 1 if position == 0 else 0) for position, part in enumerate(zip(*outputs, strict=True))
    )[: max(node.num_outputs, 1)]


def _check(node: Attributes, directions: int, peepholes: Tensor | None) -> None:
    node.require("layout", 0)
    node.require("input_forget", 0)
    node.require("activations", _DEFAULTS[node.op_type] * directions)
    if node.get("clip") is not None or peepholes is not None:
        raise UnsupportedError(f"{node.op_type} with a clip or with peepholes")


def _read(
    node: Attributes,
    values: Tensor,
    weights: tuple[Tensor, Tensor, Tensor | None],
    start: tuple[Tensor, Tensor],
    lengths: Tensor | None,
    *,
    is_reverse: bool,
) -> tuple[Tensor, ...]:
    """One direction: all states, the last state, and of an LSTM the last cell."""
    steps = values.shape[0]
    if node.op_type == "LSTM":
        states, last, cell = _lstm(values, weights, start)
    elif node.get("linear_before_reset", 0):
        states, last = _gru(values, weights, start[0])
    else:
        states, last = _gru_after(values, weights, start[0])
    if lengths is not None:
        counts = lengths.to(torch.int64)
        is_step = torch.arange(steps)[:, None] < counts[None]
        states = states * is_step[..., None]
        last = states.gather(0, (counts - 1).clamp(min=0)[None, :, None].expand(1, -1, states.shape[2]))[0]
        if node.op_type == "LSTM" and node.num_outputs > 2 and bool((counts < steps).any()):
            raise UnsupportedError("LSTM whose last cells are read, with rows of different lengths")
    if is_reverse:
        states = _turn(states, lengths)
    return (states, last, cell) if node.op_type == "LSTM" else (states, last)


def _turn(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Each row from its end to its beginning; what comes after its end stays."""
    if lengths is None:
        return values.flip(0)
    steps = torch.arange(values.shape[0])[:, None]
    counts = lengths.to(torch.int64)[None]
    order = torch.where(steps < counts, counts - 1 - steps, steps)
    return values.gather(0, order[..., None].expand(-1, -1, values.shape[2]))


def _ordered(
    weights: tuple[Tensor, Tensor, Tensor | None], gates: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights of inputs and states, and the biases of both, with the gates as torch has them."""
    of_inputs, of_states, biases = weights
    size = of_states.shape[1]
    if biases is None:
        biases = of_inputs.new_zeros(2 * len(gates) * size)
    of_both = biases.reshape(2, len(gates), size)
    order = list(gates)
    return (
        of_inputs.reshape(len(gates), size, -1)[order].flatten(0, 1),
        of_states.reshape(len(gates), size, -1)[order].flatten(0, 1),
        of_both[0, order].flatten(),
        of_both[1, order].flatten(),
    )


def _lstm(
    values: Tensor, weights: tuple[Tensor, Tensor, Tensor | None], start: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    parameters = list(_ordered(weights, _LSTM_GATES))
    first = [part[None].contiguous() for part in start]
    # NOTE: cuDNN computes gradients only of what it ran as a training; without dropout it answers the same.
    states, last, cell = torch.lstm(values, first, parameters, True, 1, 0.0, True, False, False)
    return states, last[0], cell[0]


def _gru(values: Tensor, weights: tuple[Tensor, Tensor, Tensor | None], start: Tensor) -> tuple[Tensor, Tensor]:
    parameters = list(_ordered(weights, _GRU_GATES))
    states, last = torch.gru(values, start[None].contiguous(), parameters, True, 1, 0.0, True, False, False)
    return states, last[0]


def _gru_after(values: Tensor, weights: tuple[Tensor, Tensor, Tensor | None], start: Tensor) -> tuple[Tensor, Tensor]:
    """The reset is applied before the state is multiplied, which torch's GRU does not do."""
    of_inputs, of_states, of_biases, of_state_biases = _ordered(weights, (0, 1, 2))
    size = of_states.shape[1]
    projected = values @ of_inputs.t() + of_biases
    state, states = start, []
    for step in projected:
        both = torch.sigmoid(step[:, : 2 * size] + state @ of_states[: 2 * size].t() + of_state_biases[: 2 * size])
        update, reset = both[:, :size], both[:, size:]
        new = torch.tanh(
            step[:, 2 * size :] + (reset * state) @ of_states[2 * size :].t() + of_state_biases[2 * size :]
        )
        state = (1 - update) * new + update * state
        states.append(state)
    return torch.stack(states), state
