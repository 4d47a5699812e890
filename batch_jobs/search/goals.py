"""What makes a trial good: its objectives as numbers, its limits as constraints, and which trial is the best."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from aimass_core.domain.studies import TrialAttribute
from aimass_core.domain.study_specs import Direction, Objective, StudySpec
from aimass_core.errors import ErrorDetail, InvalidRequestError
from batch_jobs.data.targets import Target
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER, PRIMARY_METRICS, fallback_metric

LATENCY_MS, MODEL_BYTES = "latency_ms", "model_bytes"
_FIGURES = frozenset({LATENCY_MS, MODEL_BYTES})


class UnknownMetricError(InvalidRequestError):
    """The study asks for a metric that its data does not have: no trial can answer it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One objective with its defaults filled in. `fallback` is taken where the primary metric cannot be had."""

    metric: str
    direction: Direction
    fallback: str | None = None

    @property
    def sign(self) -> float:
        """What makes the better of two values the smaller one."""
        return 1.0 if self.direction is Direction.MINIMIZE else -1.0

    @property
    def ideal(self) -> float:
        """What no model is better than."""
        return 0.0 if self.direction is Direction.MINIMIZE else 1.0

    def find(self, metrics: Mapping[str, float]) -> float:
        """Raises UnknownMetricError."""
        if self.metric in metrics:
            return metrics[self.metric]
        if self.fallback is not None and self.fallback in metrics:
            return metrics[self.fallback]
        known = ", ".join(metrics)
        message = f"The objective {self.metric!r} is no metric of this data. It has: {known}. Choose one of them."
        raise UnknownMetricError(message, details=[ErrorDetail(location="body.spec.objectives", message=message)])


def resolve_goals(objectives: Sequence[Objective], target: Target) -> list[Goal]:
    """By the task that the data has."""
    return [_resolve(objective, target) for objective in objectives]


def _resolve(objective: Objective, target: Target) -> Goal:
    name = objective.metric or PRIMARY_METRICS[target.task]
    is_lower = name in LOWER_IS_BETTER or name in _FIGURES
    direction = objective.direction or (Direction.MINIMIZE if is_lower else Direction.MAXIMIZE)
    has_fallback = objective.metric is None and target.labels is not None
    return Goal(metric=name, direction=direction, fallback=fallback_metric(target) if has_fallback else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured on an exported model."""

    metrics: Mapping[str, float]
    latency_ms: float
    model_bytes: int

    def values(self, goals: Sequence[Goal]) -> list[float]:
        """One for each objective. Raises UnknownMetricError."""
        known = {**self.metrics, LATENCY_MS: self.latency_ms, MODEL_BYTES: float(self.model_bytes)}
        return [goal.find(known) for goal in goals]

    def constraints(self, spec: StudySpec) -> dict[str, float]:
        """By how much each limit is missed; none above zero is kept."""
        found = {}
        if spec.max_latency_ms is not None:
            found[LATENCY_MS] = self.latency_ms - spec.max_latency_ms
        if spec.max_model_bytes is not None:
            found[MODEL_BYTES] = float(self.model_bytes - spec.max_model_bytes)
        return found


def is_feasible(trial: FrozenTrial) -> bool:
    """Whether it is complete and keeps all limits."""
    return trial.state == TrialState.COMPLETE and all(value <= 0 for value in trial.constraints.values())


def rank(trials: Iterable[FrozenTrial], goals: Sequence[Goal], *, is_any: bool = False) -> list[FrozenTrial]:
    """Those that are feasible, or all that are complete, best first: by the first objective, then by the others, then
    by the log loss, as few rows have the same share right by several models, then the earlier one."""

    def order(trial: FrozenTrial) -> tuple[float, ...]:
        values = (goal.sign * value for goal, value in zip(goals, trial.values, strict=True))
        log_loss = trial.user_attrs.get(TrialAttribute.METRICS, {}).get("log_loss", 0.0)
        return (*values, float(log_loss), float(trial.number))

    kept = [trial for trial in trials if is_feasible(trial) or (is_any and trial.state == TrialState.COMPLETE)]
    return sorted(kept, key=order)
