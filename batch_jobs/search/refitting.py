"""Fits models that were chosen again on all rows, those that judged them included, where there is time for it."""

import time
from collections.abc import Mapping

from aimass_core.domain.studies import TrialAttribute
from batch_jobs.search.studying import Studying
from batch_jobs.search.watching import Watch
from batch_jobs.search.working import REFIT_TIMES
from batch_jobs.train.exporting import Exported


def refit(studying: Studying, models: Mapping[int, Exported]) -> dict[int, Exported]:
    """The models by the number of their trials, in the order in which they are fitted while time lasts.

    The fit is that of the trial, with its seed, and with as many steps as were best. What could not be fitted again in
    time, or misses a limit so, is as it was.
    """
    deadline = studying.time_to_close(len(models))
    return {number: _refit(studying, number, exported, deadline) or exported for number, exported in models.items()}


def _refit(studying: Studying, number: int, exported: Exported, deadline: float | None) -> Exported | None:
    worker = studying.worker
    if exported.spec.folds is not None:
        return None  # its model has seen all rows
    trial = worker.study.get_trials(deepcopy=False)[number]
    known = trial.user_attrs
    seconds = REFIT_TIMES * float(known[TrialAttribute.SECONDS])
    if deadline is not None and time.monotonic() + seconds > deadline:
        studying.notes(f"no time is left to fit trial {number} again on all rows")
        return None
    worker.progress.begin(f"trial {number} on all rows")
    watch = Watch(None, None, on_step=worker.progress.step)
    outcome = worker.runner.refit(exported, int(known[TrialAttribute.NUM_STEPS]), watch, deadline=deadline)
    if outcome is None or any(excess > 0 for excess in outcome.figures.constraints(studying.spec).values()):
        return None
    return outcome.exported
