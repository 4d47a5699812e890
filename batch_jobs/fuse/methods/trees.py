"""A small XGBoost model on the members' answers."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.fusion import FusionMethod
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.signatures import Task
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.algorithms.learning import FEATURES, SCORES, Examples, FitContext, Fitted, Problem
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.data.splits import hold_out
from batch_jobs.data.targets import TargetScale, fit_scale
from batch_jobs.fuse.answers import Answered, Doubles
from batch_jobs.fuse.methods.contract import CLASSES, Settings

_HYPERPARAMETERS = {
    "num_rounds": 200,
    "early_stopping_rounds": 20,
    "learning_rate": 0.05,
    "max_depth": 3,
    "min_child_weight": 5.0,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "reg_lambda": 5.0,
}
_HELD_SHARE = 0.2


class _Quiet:
    """Satisfies `Listener`."""

    def step(self, step: int, num_steps: int, losses: object) -> None:
        """See Listener."""

    def message(self, text: str) -> None:
        """See Listener."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeStack:
    """Rounds of trees over [rows, members x outputs]."""

    fitted: Fitted
    scale: TargetScale
    task: Task
    weights = None

    def answer(self, scores: Doubles) -> Doubles:
        """See Combination."""
        found = self.fitted.predict(_to_features(scores, self.scale)).astype(np.float64)
        if self.task.is_classification:
            return found
        return np.asarray(found[:, None] * self.scale.deviation + self.scale.mean)

    def to_graph(self, graph: GraphBuilder, scores: str, weights: str | None) -> str:
        """See Combination."""
        del weights
        scaled = graph.node("Sub", scores, graph.constant(self.scale.mean, np.float64))
        scaled = graph.node("Div", scaled, graph.constant(self.scale.deviation, np.float64))
        by_row = graph.node("Flatten", graph.node("Transpose", scaled, perm=[1, 0, 2]))
        features = graph.node("Cast", by_row, to=TensorProto.FLOAT)
        model: onnx.ModelProto = self.fitted.to_onnx()
        (found,) = graph.include(model.graph, {FEATURES: features}, [SCORES])
        found = graph.node("Cast", found, to=TensorProto.DOUBLE)
        if self.task.is_classification:
            return found
        values = graph.node("Mul", found, graph.constant(self.scale.deviation, np.float64))
        return graph.node("Add", values, graph.constant(self.scale.mean, np.float64))


@dataclass(frozen=True, slots=True)
class StackingTrees:
    """Shallow trees, stopped early by a fifth of the rows."""

    method = FusionMethod.STACKING_TREES
    tasks = CLASSES | {Task.REGRESSION}

    def fit(self, answered: Answered, settings: Settings) -> TreeStack:
        """See Method."""
        target = answered.target
        classes = answered.truth if target.task in (Task.BINARY, Task.MULTICLASS) else None
        split = hold_out(answered.num_rows, classes=classes, fraction=_HELD_SHARE, seed=settings.seed)
        if classes is not None and len(np.unique(classes[split.train])) < target.num_outputs:
            raise ValueError("too few rows: some class has none that trees could learn from")
        scale = fit_scale(target, answered.truth[split.train])
        spec = TrainSpec.model_validate(
            {"dataset": "answers", "algorithm": "xgboost", "hyperparameters": _HYPERPARAMETERS}
        )
        problem = Problem(
            task=target.task,
            kind=DataKind.TABLE,
            num_outputs=target.num_outputs,
            num_numeric=answered.num_members * answered.scores.shape[2],
            seed=settings.seed,
            num_threads=settings.num_threads,
        )
        parts = [
            Examples(
                features=_to_features(answered.scores[:, index], scale),
                targets=answered.truth[index] if target.labels else scale.to_standard(answered.truth[index]),
            )
            for index in (split.train, split.validation)
        ]
        fitted = build_learner(spec).fit(problem, *parts, context=FitContext(listener=_Quiet()))
        return TreeStack(fitted=fitted, scale=scale, task=target.task)


def _to_features(scores: Doubles, scale: TargetScale) -> np.ndarray:
    by_row = ((scores - scale.mean) / scale.deviation).transpose(1, 0, 2)
    return by_row.reshape(len(by_row), -1).astype(np.float32)
