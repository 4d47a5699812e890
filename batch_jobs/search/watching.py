"""Hears how a trial's fit goes, tells the study, and ends it early where it is not worth its time."""

from collections.abc import Callable, Mapping

from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import NopPruner

from aimass_core.domain.studies import TrialAttribute
from batch_jobs.evaluate.metrics import LOWER_IS_BETTER
from batch_jobs.search.goals import Goal

_MAX_REPORTS = 100
_EVERY_STEP_UNTIL = 10

# After each fold one of three trials goes on, as in successive halving; the first ones all do.
_GO_ON, _MIN_GO_ON = 3, 4

OnStep = Callable[[str], None]


class LeftError(Exception):
    """The fit was ended because its outcome is not wanted: the watch says why."""


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
        self._folds: list[float] = []
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

    def fold(self, metrics: Mapping[str, float]) -> None:
        """What the next fold is worth. Raises LeftError where by now too many trials are better."""
        if self._trial is None or self._goal is None or self._goal.metric not in metrics:
            return
        self._folds.append(self._goal.sign * metrics[self._goal.metric])
        try:
            self._trial.set_user_attr(TrialAttribute.FOLDS, self._folds)
        except UpdateFinishedTrialError:
            self.is_lost = True
        self.is_pruned = self.is_pruned or self._is_behind(self._trial)
        if self.is_over():
            raise LeftError

    def _is_behind(self, trial: Trial) -> bool:
        """Of the trials that came as far, by the mean of these folds. In a study without a pruner nobody is."""
        if isinstance(trial.study.pruner, NopPruner):
            return False
        count = len(self._folds)
        known = [
            other.user_attrs[TrialAttribute.FOLDS][:count]
            for other in trial.study.get_trials(deepcopy=False)
            if other.number != trial.number and len(other.user_attrs.get(TrialAttribute.FOLDS, [])) >= count
        ]
        num_better = sum(sum(folds) < sum(self._folds) for folds in known)
        return bool(num_better >= max(_MIN_GO_ON, len(known) / _GO_ON))

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
