"""Fits models that were chosen again on all rows, those that judged them included, where there is time for it."""

import time
from collections.abc import Mapping

from aimass_core.domain.studies import TrialAttribute
from batch_jobs.search.goals import Goal
from batch_jobs.search.studying import Studying
from batch_jobs.search.watching import Watch
from batch_jobs.train.exporting import Exported

# Of what the trial took: the fit, once more on all rows, and an export.
_TIMES = 2.5
_TOLERANCE = 1e-6


def refit(studying: Studying, models: Mapping[int, Exported], goal: Goal) -> dict[int, Exported]:
    """The models by the number of their trials; those that could not be fitted again in time are as they were.

    The trial is repeated, with the seed that it had, and goes on to all rows. What is not as good as it was on the
    rows that judged it, as less time cut its fit, is not taken.
    """
    return {number: _refit(studying, number, exported, goal) or exported for number, exported in models.items()}


def _refit(studying: Studying, number: int, exported: Exported, goal: Goal) -> Exported | None:
    worker, deadline = studying.worker, studying.time_to_combine()
    if exported.spec.folds is not None:
        return None
    trial = worker.study.get_trials(deepcopy=False)[number]
    seconds = _TIMES * float(trial.user_attrs[TrialAttribute.SECONDS])
    if deadline is not None and time.monotonic() + seconds > deadline:
        studying.notes(f"no time is left to fit trial {number} again on all rows")
        return None
    worker.progress.begin(f"trial {number} on all rows")
    spec = exported.spec.model_copy(update={"refit": True})
    outcome = worker.runner.run(spec, Watch(None, None, on_step=worker.progress.step), deadline=deadline)
    missed = any(excess > 0 for excess in outcome.figures.constraints(studying.spec).values())
    loss = goal.sign * (goal.find(outcome.figures.metrics) - trial.values[0])
    if missed or loss > _TOLERANCE or not outcome.exported.card.is_refitted:
        return None
    return outcome.exported
