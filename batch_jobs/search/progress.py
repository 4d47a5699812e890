"""Says how far a study is, and leaves its pictures in the lake while it runs."""

from collections.abc import Sequence

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from batch_jobs.runtime.reporting import Reporter
from batch_jobs.search.goals import Goal, rank
from batch_jobs.search.timetable import Timetable


class Progress:
    """Of one worker, who tells of the whole study."""

    def __init__(
        self, study: Study, goals: Sequence[Goal], *, max_trials: int | None, timetable: Timetable, reporter: Reporter
    ) -> None:
        self._study, self._goals, self._max_trials = study, goals, max_trials
        self._timetable, self._reporter = timetable, reporter
        self._trial = self._best = ""
        self._num_done = 0

    def begin(self, trial: str) -> None:
        """A trial begins, called `trial 7 (xgboost)`."""
        self._trial = trial
        self.update(self._study.get_trials(deepcopy=False))

    def step(self, what: str) -> None:
        """The running trial goes on."""
        left = self._timetable.seconds_left
        words = [self._trial and f"{self._trial}: {what}", self._best, "" if left is None else f"{left:.0f} s left"]
        self._reporter.progress(
            "searching", step=self._num_done, num_steps=self._max_trials, message="; ".join(filter(None, words))
        )

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Reads from the trials how many are done and which is the best."""
        self._num_done = sum(trial.state.is_finished() for trial in trials)
        ranked = rank(trials, self._goals)
        if ranked:
            self._best = f"best {self._goals[0].metric} {ranked[0].values[0]:.5g} (trial {ranked[0].number})"

    def end(self, trial: FrozenTrial) -> None:
        """A trial has ended."""
        trials = self._study.get_trials(deepcopy=False)
        self.update(trials)
        ranked = rank(trials, self._goals)
        named = {"trial": trial} if trial.state == TrialState.COMPLETE else {}
        named |= {"best": ranked[0]} if ranked else {}
        values = {
            f"{name}/{goal.metric}": value
            for name, each in named.items()
            for goal, value in zip(self._goals, each.values, strict=True)
        }
        if values:
            self._reporter.metrics(trial.number, values)
