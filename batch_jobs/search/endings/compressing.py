"""Compresses models of trials that miss a limit of the study and are better than all that keep it."""

import time
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from aimass_core.domain.compression import CompressSpec
from aimass_core.domain.studies import TrialAttribute
from aimass_core.domain.training import LearningSpec
from batch_jobs.compress.compressing import build_card, build_search, settle
from batch_jobs.compress.judging import describe
from batch_jobs.compress.page import write_compression
from batch_jobs.registered.results import describe as describe_model
from batch_jobs.search import opening
from batch_jobs.search.endings.contract import Ending, Phase, find_held_out, resolve_metric, to_registered, to_row
from batch_jobs.search.goals import Figures, Goal, is_feasible, rank
from batch_jobs.search.studying import Studying
from batch_jobs.train.exporting import Exported
from batch_jobs.train.material import Material

SHARE = 0.15
"""Of all time, where the study has limits of the model."""
_MAX_FINALISTS = 2
# What is measured once more at the end, and how long all of that takes; without time for more a second is not begun.
_NUM_MEASURED, _MEASURED_SECONDS, _SETTLE_SECONDS, _MIN_SECONDS = 4, 0.3, 4.0, 10.0
_ANY_DROP = 1.0
_MIN_DROP = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Compressed:
    """What came of it; `advice` says for the user why nothing did."""

    ending: Ending | None = None
    advice: str = ""


def compress(studying: Studying, goal: Goal, *, best: float | None) -> Compressed:
    """The best of what the models of trials that miss a limit can be compressed to within it.

    Leaves compression.json and compression.html, of the last model that was tried.

    Args:
        studying: of the study, whose archive has the best model of each algorithm.
        goal: what is to be good.
        best: the score of the best that keeps the limits, which is to be beaten; None where nothing does.
    """
    finalists = _find_finalists(studying, goal, best=best)
    endings: list[Ending] = []
    advice: list[str] = []
    all_ends = studying.time_to_end(SHARE)
    for place, (trial, exported, material) in enumerate(finalists):
        ends, now = all_ends, time.monotonic()
        if all_ends is not None:
            if place and all_ends - now < _MIN_SECONDS:
                break
            ends = now + (all_ends - now) / (len(finalists) - place)
        found = _Compressing(studying=studying, goal=goal, trial=trial, exported=exported, material=material).run(
            best=best, ends=ends
        )
        advice.append(found.advice)
        if found.ending is not None:
            endings.append(found.ending)
    if not endings:
        return Compressed(advice=" ".join(filter(None, advice)))
    ending = min(endings, key=lambda each: goal.sign * each.row.score)
    is_better = best is None or goal.sign * ending.row.score < goal.sign * best
    return Compressed(ending=ending if is_better else None)


def _find_finalists(
    studying: Studying, goal: Goal, *, best: float | None
) -> list[tuple[FrozenTrial, Exported, Material]]:
    """Of each algorithm the best trial, if it is better than all that keep the limits; the best of them first."""
    ranked = rank(opening.read_anew(studying.worker.study), studying.worker.goals, is_any=True)
    by_algorithm: dict[str, FrozenTrial] = {}
    for trial in ranked:
        by_algorithm.setdefault(str(trial.user_attrs[TrialAttribute.ALGORITHM]), trial)
    found: list[tuple[FrozenTrial, Exported, Material]] = []
    for trial in by_algorithm.values():
        is_better = best is None or goal.sign * trial.values[0] < goal.sign * best
        if is_feasible(trial) or not is_better or len(found) == _MAX_FINALISTS:
            continue
        exported = studying.find(trial.number)
        material = None if exported is None else find_held_out(studying, exported)
        if exported is None or material is None:
            studying.notes(
                f"trial {trial.number} is better than what keeps the limits, and cannot be compressed: that takes rows "
                "in memory that are held out, not folds"
            )
            continue
        found.append((trial, exported, material))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compressing:
    """Of one model."""

    studying: Studying
    goal: Goal
    trial: FrozenTrial
    exported: Exported
    material: Material

    def run(self, *, best: float | None, ends: float | None) -> Compressed:
        studying, began = self.studying, time.monotonic()
        environment, original = studying.environment, to_registered(self.trial.number, self.exported)
        spec = self._to_spec(original.name, best=best)
        studying.reporter.progress("compressing")
        search = build_search(
            environment,
            spec,
            original,
            self.material,
            ends=None if ends is None else ends - _SETTLE_SECONDS,
            message=_ignore,
            reporter=Phase(reporter=studying.reporter, name="compressing"),
        )
        search.run()
        found = settle(search, num_finalists=_NUM_MEASURED, seconds=_MEASURED_SECONDS)
        write_compression(environment.output_path, found.compression)
        if found.winner is None:
            words = " ".join(found.compression.advice)
            studying.notes(f"trial {self.trial.number} ({found.words}) was compressed in vain. {words}")
            return Compressed(advice=f"Compressing trial {self.trial.number} did not help. {words}")
        entry = found.winner.entry
        exported = describe_model(
            found.winner.model,
            original.signature,
            self.material,
            data=self.exported.spec,
            card=build_card(environment, original, entry, self.material, seconds=time.monotonic() - began),
        )
        metrics = exported.card.evaluations[0].metrics
        figures = Figures(metrics=metrics, latency_ms=entry.cost.latency_p50_ms, model_bytes=entry.cost.model_bytes)
        name = f"trial {self.trial.number}, compressed"
        studying.notes(f"trial {self.trial.number} ({found.words}) is compressed by {entry.name}: {describe(entry)}")
        row = to_row(exported, name, figures, score=self.goal.find(metrics), seconds=time.monotonic() - began)
        return Compressed(ending=Ending(exported=exported, material=self.material, row=row))

    def _to_spec(self, name: str, *, best: float | None) -> CompressSpec:
        """What may be lost is what the model is better by."""
        study, metric, score = self.studying.spec, resolve_metric(self.goal, self.exported), self.trial.values[0]
        drop = _ANY_DROP
        if best is not None:
            drop = abs(score - best) / (max(abs(score), _MIN_DROP) if self.goal.sign > 0 else 1.0)
        return CompressSpec.model_validate(
            {
                "kind": "compress",
                "parent": name,
                "data": study.model_dump(mode="json", include={*LearningSpec.model_fields}),
                "metric": metric,
                "max_model_bytes": study.max_model_bytes,
                "max_latency_ms": study.max_latency_ms,
                "max_metric_drop": min(max(drop, _MIN_DROP), _ANY_DROP),
                "seed": study.seed,
            }
        )


def _ignore(_: str) -> None:
    """Of a candidate the table tells."""
