"""What every encoder is."""

from collections.abc import Mapping
from typing import Any, Protocol

import onnx
from numpy.typing import NDArray

from aimass_core.domain.signatures import TensorSpec
from batch_jobs.data.frames import Frame


class Encoder(Protocol):
    """Fitted on training rows. The graph repeats `transform` exactly; `input_names` maps raw columns to its inputs."""

    @property
    def num_numeric(self) -> int:
        """See `batch_jobs.algorithms.learning.Problem`."""

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """See `batch_jobs.algorithms.learning.Problem`."""

    def transform(self, frame: Frame) -> NDArray[Any]:
        """The features of some rows, one entry a row along the first axis."""

    def to_onnx(self, input_names: Mapping[str, str]) -> onnx.ModelProto:
        """A graph from the raw columns to `features`."""

    def describe_inputs(self, input_names: Mapping[str, str]) -> list[TensorSpec]:
        """The graph's inputs as the signature has them, with what the training rows held."""

    def hard_rows(self, frame: Frame) -> Frame:
        """Rows made from the frame's, of the sort that training may not have shown: an endpoint answers them too."""
