"""A forecast by its components: trend, season and residual, each forecast by an expert, and added up.

The classical additive decomposition, made in each window: the trend is a moving average as wide as a season, the season
the mean of what is left at the same place of it. An expert reads its own component of the past.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from aimass_core.domain.decomposition import DecompositionMethod
from aimass_core.domain.signatures import Task, TensorSpec
from batch_jobs.algorithms.export.builder import GraphBuilder, finish
from batch_jobs.algorithms.learning import FEATURES
from batch_jobs.data.frames import Array, Frame
from batch_jobs.data.targets import Target, TargetScale
from batch_jobs.data.windows import find_period
from batch_jobs.decompose.combining import Summing
from batch_jobs.decompose.contract import Ground, UnfitError, take
from batch_jobs.decompose.parts import Expert, Question, expert_name
from batch_jobs.decompose.wholes import Whole
from batch_jobs.encoding.contract import Encoder
from batch_jobs.train.material import Part

Floats = NDArray[np.float32]
_MIN_WIDTH = 3


class Components:
    """Satisfies Method."""

    method = DecompositionMethod.COMPONENTS

    def propose(self, ground: Ground) -> Sequence[int]:
        """Three; two where there is no season."""
        _check(ground)
        return [2 if _find_period(ground) is None else 3]

    def build(self, num_experts: int, ground: Ground) -> Whole:
        """See Method."""
        _check(ground)
        period = _find_period(ground)
        if num_experts not in (2, 3) or (num_experts == 3 and period is None):
            count = "3 (trend, season, residual) or 2 (trend, residual)" if period else "2: there is no season"
            raise UnfitError(f"components of a forecast are {count}; num_experts is {num_experts}")
        target, train, validation = ground.target, ground.train, ground.validation
        window = int(ground.frame(train).columns[target.column].shape[1])
        width = period or max(window // 4, _MIN_WIDTH)
        season = period if num_experts == 3 else None
        of_past = split_matrices(window, width=width, period=season)
        of_all = split_matrices(window + target.horizon, width=width, period=season)
        ground.trainer.num_fits_left = len(of_past)
        experts: list[Expert] = []
        for number, name in enumerate(of_past):
            truths = {part.name: _component(part, target, of_all[name], ground) for part in (train, validation)}
            known = truths[train.name]
            own = Target(
                column=target.column,
                task=Task.FORECASTING,
                labels=None,
                horizon=target.horizon,
                scale=TargetScale(mean=float(known.mean()), deviation=float(known.std()) or 1.0),
                position=target.position,
            )
            part = ground.trainer.train(
                expert_name(number),
                own,
                take(train, np.arange(train.num_rows), known),
                take(validation, np.arange(validation.num_rows), truths[validation.name]),
                encoder=ComponentEncoder(
                    base=ground.trainer.encoder, matrix=of_past[name].astype(np.float32), position=target.position
                ),
            )
            experts.append(Expert(purpose=name, part=part, question=Question(truth=truths[validation.name])))
        return Whole(
            name=f"{self.method} ({', '.join(of_past)})",
            method=self.method,
            target=target,
            experts=tuple(experts),
            combination=Summing(weights=(1.0,) * len(experts)),
        )


def split_matrices(length: int, *, width: int, period: int | None) -> dict[str, Array]:
    """What a series of this length is multiplied by from the right for each of its components; they add up to it."""
    places = np.arange(length)
    near = (np.abs(places[:, None] - places) <= width // 2).astype(np.float64)
    if width % 2 == 0:
        # As many rows on both sides, the outermost by half.
        near[np.abs(places[:, None] - places) == width // 2] = 0.5
    trend = (near / near.sum(axis=1, keepdims=True)).T
    rest = np.eye(length) - trend
    if period is None:
        return {"trend": trend, "residual": rest}
    same = (places[:, None] % period == places % period).astype(np.float64)
    season = rest @ (same / same.sum(axis=0))
    return {"trend": trend, "season": season, "residual": rest - season}


def _component(part: Part, target: Target, matrix: Array, ground: Ground) -> Array:
    """Of what is to come."""
    past = fill_gaps(ground.frame(part).columns[target.column].astype(np.float64))
    whole = np.concatenate([past, part.truth], axis=1)
    return np.asarray((whole @ matrix)[:, past.shape[1] :])


def fill_gaps(past: Array) -> Array:
    """With the mean of the window; 0 where there is nothing in it."""
    is_known = ~np.isnan(past)
    means = np.where(is_known, past, 0).sum(axis=1) / np.maximum(is_known.sum(axis=1), 1)
    return np.asarray(np.where(is_known, past, means[:, None]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentEncoder:
    """Satisfies Encoder: the windows, in which one component of the target's past has its place."""

    base: Encoder
    matrix: Floats
    position: int

    @property
    def num_numeric(self) -> int:
        """See Encoder."""
        return self.base.num_numeric

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """See Encoder."""
        return self.base.cardinalities

    def transform(self, frame: Frame) -> Floats:
        """See Encoder."""
        features = np.array(self.base.transform(frame), dtype=np.float32)
        features[:, :, self.position] = fill_gaps(features[:, :, self.position]) @ self.matrix
        return features

    def to_onnx(self, input_names: Mapping[str, str]) -> onnx.ModelProto:
        """See Encoder."""
        graph, encoding = GraphBuilder("component"), finish(self.base.to_onnx(input_names))
        for value in encoding.graph.input:
            tensor = value.type.tensor_type
            graph.input(
                value.name, tensor.elem_type, [each.dim_param or each.dim_value or None for each in tensor.shape.dim]
            )
        (features,) = graph.insert(encoding, {value.name: value.name for value in encoding.graph.input})
        last, zero = graph.constant([2], np.int64), graph.constant(0, np.float32)
        channels: list[str] = []
        for channel in range(self.num_numeric):
            own = graph.node("Gather", features, graph.constant([channel], np.int64), axis=2)
            if channel == self.position:
                past = graph.node("Squeeze", own, last)
                is_missing = graph.node("IsNaN", past)
                is_known = graph.node("Cast", graph.node("Not", is_missing), to=TensorProto.FLOAT)
                axis = graph.constant([1], np.int64)
                count = graph.node("ReduceSum", is_known, axis, keepdims=1)
                total = graph.node("ReduceSum", graph.node("Where", is_missing, zero, past), axis, keepdims=1)
                mean = graph.node("Div", total, graph.node("Max", count, graph.constant(1, np.float32)))
                filled = graph.node("Where", is_missing, mean, past)
                component = graph.node("MatMul", filled, graph.constant(self.matrix, np.float32))
                own = graph.node("Unsqueeze", component, last)
            channels.append(own)
        joined = graph.node("Concat", *channels, axis=2) if len(channels) > 1 else channels[0]
        graph.output(joined, FEATURES, TensorProto.FLOAT, ["rows", len(self.matrix), self.num_numeric])
        return graph.build()

    def describe_inputs(self, input_names: Mapping[str, str]) -> list[TensorSpec]:
        """See Encoder."""
        return self.base.describe_inputs(input_names)

    def hard_rows(self, frame: Frame) -> Frame:
        """See Encoder."""
        return self.base.hard_rows(frame)


def _find_period(ground: Ground) -> int | None:
    """Of the training rows. Windows follow each other, so that their last values are the series."""
    past = ground.frame(ground.train).columns[ground.target.column]
    return find_period(past[:, -1].astype(np.float64), longest=past.shape[1])


def _check(ground: Ground) -> None:
    if ground.target.task is not Task.FORECASTING:
        raise UnfitError(
            f"components splits a forecast into trend, season and residual, and this task is {ground.target.task}: "
            "choose another method, or give a horizon"
        )
