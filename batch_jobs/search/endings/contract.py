"""What every ending of a study is given and gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aimass_core.domain.studies import LeaderboardRow
from batch_jobs.data.frames import Frame
from batch_jobs.decompose.wholes import Whole
from batch_jobs.registered.models import RegisteredModel
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.search.goals import Figures, Goal
from batch_jobs.search.studying import Studying
from batch_jobs.train.exporting import Exported
from batch_jobs.train.fitting import hold_out_rows
from batch_jobs.train.material import TRAIN, VALIDATION, Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A model that was made of those of trials, with the material that it is judged by and its row of the
    leaderboard; `whole` is what a decomposition consists of."""

    exported: Exported
    material: Material
    row: LeaderboardRow
    whole: Whole | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Satisfies `Reporter` for what has steps and curves that are not those of the study: one phase of it."""

    reporter: Reporter
    name: str

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""
        del step, num_steps
        self.reporter.progress(self.name, message=message or phase)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter."""

    def message(self, text: str) -> None:
        """See Reporter."""


def to_row(exported: Exported, name: str, figures: Figures, *, score: float, seconds: float) -> LeaderboardRow:
    """Of whatever rank."""
    return LeaderboardRow(
        rank=0,
        name=name,
        algorithm=exported.card.algorithm,
        score=score,
        latency_ms=figures.latency_ms,
        model_bytes=figures.model_bytes,
        seconds=round(seconds, 3),
    )


def to_registered(number: int, exported: Exported) -> RegisteredModel:
    """The model of a trial as jobs on models take it."""
    return RegisteredModel(
        name=f"trial-{number}",
        model=exported.model,
        signature=exported.signature,
        card=exported.card,
        golden=exported.golden,
    )


def find_held_out(studying: Studying, exported: Exported) -> Material | None:
    """What a trial learned from, its rows divided into those that train and those that validate; None where they are
    on disk, or divided into folds."""
    if exported.spec.folds is not None:
        return None
    material = studying.worker.runner.materials.find(exported.train_spec)
    if any(not isinstance(part.frame, Frame) for part in material.parts.values()):
        return None
    train, validation = hold_out_rows(material, exported.spec)
    return replace(material, parts={**material.parts, TRAIN: train, VALIDATION: validation})


def resolve_metric(goal: Goal, exported: Exported) -> str:
    """What the goal is measured by on this data."""
    has_it = goal.metric in exported.card.evaluations[0].metrics
    return goal.metric if has_it or goal.fallback is None else goal.fallback
