"""A trained network as ONNX, more than once in a process."""

import numpy as np
import onnxruntime
import pytest
import torch

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.algorithms.recurrent import RNN, RnnHyperparameters
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.learning import FEATURES, Problem
from batch_jobs.algorithms.torch.fitted import Answer, FittedNetwork
from batch_jobs.algorithms.torch.rnn import Network


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_second_export_in_a_process_is_of_any_length_too(cell: str) -> None:
    chosen = RNN.resolve_hyperparameters({"cell": cell, "hidden": 4, "embedding": 4})
    assert isinstance(chosen, RnnHyperparameters)
    problem = Problem(task=Task.BINARY, kind=DataKind.TEXT, num_outputs=2, cardinalities=(9,), seed=0, num_threads=1)
    torch.manual_seed(0)
    example = np.ones((2, 5), np.int64)
    fitted = FittedNetwork(
        answer=Answer(Network(problem, chosen, example), problem).eval(),
        num_steps=1,
        example=example,
        has_variable_length=True,
    )
    ids = np.random.default_rng(0).integers(1, 9, (3, 14))
    expected = fitted.predict(ids)
    for _ in range(2):
        (scores,) = onnxruntime.InferenceSession(fitted.to_onnx().SerializeToString()).run(None, {FEATURES: ids})
        np.testing.assert_allclose(scores, expected, atol=1e-5)
