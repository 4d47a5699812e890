"""Hears how a trial's fit goes, tells the study, and ends it early where it is not worth its time."""

from collections.abc import Callable, Mapping

from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError

from batch_jobs.evaluate.metrics import LOWER_IS_BETTER
from batch_jobs.search.goals import Goal

_MAX_REPORTS = 100
_EVERY_STEP_UNTIL = 10

OnStep = Callable[[str], None]


class Watch:
    """Satisfies `Reporter`, for the fits of one trial.

    The study hears of the first fit alone, at most some hundred times, by its validation loss: negative where the
    objective is to be large, so that pruners need not know. Which steps are told depends on the steps only, so that a
    study can be repeated.
    """

    def __init__(self, trial: Trial | None, goal: Goal | None, *, on_step: OnStep) -> None:
        """Without a goal the study hears nothing, and nothing is pruned: of several objectives Optuna wants none.
        Without a trial nobody does: the fit is no trial."""
        self._trial, self._goal, self._on_step = trial, goal, on_step
        self._fit = self._first_fit = ""
        self._num_steps = 1
        self.is_pruned = self.is_lost = False

    def progress(self, phase: str, *, step: int | None = None, num_steps: int | None = None, message: str = "") -> None:
        """See Reporter."""
        if step is not None:
            self._fit, self._num_steps = phase, num_steps or 1
            self._first_fit = self._first_fit or phase
        steps = "" if step is None else f" {step}/{num_steps}"
        self._on_step(f"{phase}{steps}{message and f' {message}'}")

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """See Reporter."""
        value = self._choose(values)
        if (
            self._trial is None
            or value is None
            or self.is_over()
            or self._fit != self._first_fit
            or not self._is_told(step)
        ):
            return
        try:
            self._trial.report(value, step)
            self.is_pruned = self._trial.should_prune()
        except UpdateFinishedTrialError:
            self.is_lost = True

    def message(self, text: str) -> None:
        """See Reporter. The model's card has it."""

    def is_over(self) -> bool:
        """Whether the fit may end: what comes of it is not wanted."""
        return self.is_pruned or self.is_lost

    def _is_told(self, step: int) -> bool:
        return step <= _EVERY_STEP_UNTIL or step % max(self._num_steps // _MAX_REPORTS, 1) == 0

    def _choose(self, values: Mapping[str, float]) -> float | None:
        if self._goal is None:
            return None
        found = {name.removeprefix("validation/"): value for name, value in values.items() if "validation/" in name}
        if self._goal.metric in found:
            return found[self._goal.metric]
        losses = [value for name, value in found.items() if name in LOWER_IS_BETTER]
        return self._goal.sign * losses[0] if losses else None
