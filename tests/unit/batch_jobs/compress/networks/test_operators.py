"""Every operator answers as ONNX's own cases of its definition say."""

import numpy as np
import pytest
import torch
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.case.test_case import TestCase as Case

from batch_jobs.compress.networks.operators import OPERATORS, Attributes, UnsupportedError

_UNCHECKED = {"Cast", "CastLike"}
"""Their cases are tensors of types that numpy lacks."""
_PLAIN = {"float32", "float64", "int32", "int64", "bool"}


@pytest.fixture(scope="module")
def cases() -> dict[str, list[Case]]:
    """By operator."""
    found: dict[str, list[Case]] = {}
    # NOTE: Some divide by zero on purpose while they are made.
    with np.errstate(all="ignore"):
        for case in collect_testcases(None):
            nodes = case.model.graph.node
            if len(nodes) == 1 and nodes[0].op_type in OPERATORS and not nodes[0].domain:
                found.setdefault(nodes[0].op_type, []).append(case)
    return found


def test_operators_answer_as_their_definition_says(cases: dict[str, list[Case]]) -> None:
    wrong, repeated = [], set()
    for op_type, known in cases.items():
        for case in known:
            node = case.model.graph.node[0]
            inputs, outputs = case.data_sets[0]
            if not all(_is_plain(value) for value in (*inputs, *outputs)):
                continue
            named = dict(zip((value.name for value in case.model.graph.input), inputs, strict=False))
            given = [torch.from_numpy(np.array(named[name])) if name else None for name in node.input]
            try:
                answer = OPERATORS[op_type](Attributes(node), *given)
            except UnsupportedError:
                continue
            found = answer if isinstance(answer, tuple) else (answer,)
            places = [place for place, name in enumerate(node.output) if name]
            if all(_is_same(found[place], value) for place, value in zip(places, outputs, strict=True)):
                repeated.add(op_type)
            else:
                wrong.append(case.name)
    assert wrong == []
    assert set(OPERATORS) - repeated <= _UNCHECKED


def _is_plain(value: object) -> bool:
    return isinstance(value, np.ndarray | np.generic) and value.size > 0 and str(value.dtype) in _PLAIN


def _is_same(found: torch.Tensor | None, expected: np.ndarray) -> bool:
    assert found is not None
    values = found.numpy()
    is_like = values.shape == expected.shape and values.dtype == expected.dtype
    return is_like and np.allclose(values, expected, rtol=1e-3, atol=1e-5, equal_nan=True)
