"""Images are learned from as they are: the network's own graph does what there is to do with pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from aimass_core.domain.schemas import ColumnType, ImageShape
from aimass_core.domain.signatures import Datatype, TensorSpec
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES
from batch_jobs.data.frames import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelEncoder:
    """An `Encoder` of the one image column."""

    column: str
    shape: ImageShape
    num_numeric: int = 0
    cardinalities: tuple[int, ...] = ()

    def transform(self, frame: Frame) -> NDArray[Any]:
        """uint8 [rows, height, width, channels]."""
        return frame.columns[self.column]

    def to_onnx(self, input_names: Mapping[str, str]) -> onnx.ModelProto:
        """See `Encoder.to_onnx`."""
        graph = GraphBuilder("encoding")
        shape: list[int | str] = ["rows", *self._dimensions]
        source = graph.input(input_names[self.column], TensorProto.UINT8, shape)
        graph.output(source, FEATURES, TensorProto.UINT8, shape)
        return graph.build()

    def describe_inputs(self, input_names: Mapping[str, str]) -> list[TensorSpec]:
        """See `Encoder.describe_inputs`."""
        return [
            TensorSpec(
                name=input_names[self.column],
                datatype=Datatype.UINT8,
                shape=[-1, *self._dimensions],
                column=self.column,
                column_type=ColumnType.IMAGE,
            )
        ]

    def hard_rows(self, frame: Frame) -> Frame:
        """None: an image without a value is refused."""
        return frame.take(np.arange(0))

    @property
    def _dimensions(self) -> tuple[int, int, int]:
        return self.shape.height, self.shape.width, self.shape.channels
