"""Operators of ONNX as differentiable functions of torch."""

from batch_jobs.compress.networks.operators import arithmetic, layers, recurrent, shaping
from batch_jobs.compress.networks.operators.registry import OPERATORS, Attributes, Results, UnsupportedError

__all__ = ["OPERATORS", "Attributes", "Results", "UnsupportedError", "arithmetic", "layers", "recurrent", "shaping"]
