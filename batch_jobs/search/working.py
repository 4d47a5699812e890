"""The loop of a study's worker: asks for a trial, carries it out, tells what came of it, until time is up."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from optuna import Trial
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from aimass_core.domain.studies import TrialAttribute
from aimass_core.domain.study_specs import Candidate, StudySpec
from aimass_core.errors import AimassError, InvalidRequestError
from batch_jobs.search import opening
from batch_jobs.search.archive import Archive
from batch_jobs.search.goals import Goal, UnknownMetricError, is_feasible, rank
from batch_jobs.search.progress import Progress
from batch_jobs.search.running import Outcome, TrialRunner
from batch_jobs.search.samplers import is_exhausted
from batch_jobs.search.space import StudySpace
from batch_jobs.search.storage import FAILURE, StudyFullError
from batch_jobs.search.telling import tell
from batch_jobs.search.timetable import Timetable
from batch_jobs.search.watching import LeftError, Watch
from batch_jobs.train.exporting import Exported
from batch_jobs.train.handover import SENT_BYTES_PER_SECOND

_POLL_SECONDS = 0.5
# A study of which so many trials failed, and none did not, will not get better.
_MAX_FAILURES = 20
_MAX_CAUSE = 500
# What a fit on all rows and its export take, of what the trial took.
REFIT_TIMES = 1.3
# What handing over takes: seconds on an idle machine, and how many exports of one model that is like: of a model alone,
# and of an ensemble.
_CLOSING_SECONDS, _EXPORTS_ALONE, _EXPORTS, _EXPORT_SECONDS = 3.0, 1, 2, 1.0
# The best model by now has a report so much later than it was found, and again after so many times what one takes.
_REPORT_AFTER_SECONDS, _REPORT_TIMES = 10.0, 30.0
# So many trials that all are perfect are no accident, and nothing is better.
_NUM_PERFECT = 3
# Where so many proposals in a row were tried before, all that is left has been.
_MAX_REPEATS = 30
_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Worker:
    """One of a study's workers. Each trains alone, and all that they know of each other is in the table.

    Attributes:
        num_kept: of how many of the best trials the models are left in the archive.
        num_kept_each: of how many of the best trials of each algorithm.
        num_combined: of how many of the trials' models what is handed over is made at most; 0: it is the best alone,
            and what that takes is reserved from the beginning.
        num_refitted: of how many of the best trials there is to be time to fit the models again on all rows.
        after_trial: what follows each.
        runs_on: whether at the end the best trial is carried out again without haste, where it was short of time.
        keeps_unfit: whether of each algorithm the model of the best trial is left too where it misses a limit.
        ending_seconds: what is to be kept for what is made of the trials' models.
        best: the last trial that ran here and was the best then.
        seconds: what the trials that were completed here took.
        export_seconds: what came after their fits.
        slowness: what that took, of what it takes on an idle machine.
        longest_exports: the most of it, by candidate.
    """

    index: int
    spec: StudySpec
    goals: Sequence[Goal]
    space: StudySpace
    study: Study
    runner: TrialRunner
    archive: Archive
    timetable: Timetable
    progress: Progress
    message: Callable[[str], None]
    num_kept: int = 1
    num_kept_each: int = 0
    num_combined: int = 0
    num_refitted: int = 0
    runs_on: bool = False
    keeps_unfit: bool = False
    ending_seconds: float = 0.0
    after_trial: Callable[[], None] = lambda: None
    best: tuple[int, Exported] | None = None
    seconds: list[float] = field(default_factory=list)
    export_seconds: list[float] = field(default_factory=list)
    slowness: list[float] = field(default_factory=list)
    longest_exports: dict[str, float] = field(default_factory=dict)
    sleep: Callable[[float], None] = time.sleep
    _is_last: bool = field(default=False, init=False)
    _report_at: float | None = field(default=None, init=False)
    _is_reported: bool = field(default=False, init=False)
    _num_repeats: int = field(default=0, init=False)
    """Of the last trials, those that repeated an earlier one."""

    def work(self) -> None:
        """Runs trials until time is up, or all are run.

        Raises:
            InvalidRequestError: So many trials failed that no other will do better; the commonest cause is named.
        """
        while (trial := self._next()) is not None:
            self._carry_out(trial)
            self.after_trial()
            self._report_best()
            if self.num_combined:
                self._reserve()

    def closing_seconds(self, num_models: int) -> float:
        """What handing over takes on this machine, as busy as it is: of a model alone, or of an ensemble of so many,
        which is as large as the best ones together."""
        num_exports = _EXPORTS_ALONE if num_models == 1 else _EXPORTS
        num_bytes = sum(int(trial.user_attrs[TrialAttribute.MODEL_BYTES]) for trial in self._best(num_models))
        export_seconds = median(self.export_seconds) if self.export_seconds else _EXPORT_SECONDS
        slowness = median(self.slowness) if self.slowness else 1.0
        by_size = num_exports * export_seconds + num_bytes / SENT_BYTES_PER_SECOND
        return _CLOSING_SECONDS * slowness + self.runner.materials.reading_seconds + by_size

    def ranked(self) -> list[FrozenTrial]:
        """The trials that may be chosen, best first, as the table has them now."""
        return rank(opening.read_anew(self.study), self.goals)

    def _next(self) -> Trial | None:
        """None when there is nothing to do. While others run trials that they may lose, it waits for these."""
        while not self.timetable.is_over() and self._has_room():
            opening.reap(self.study)
            trials = self.study.get_trials(deepcopy=False)
            _check_hope(trials)
            if self._is_perfect(trials) or self._is_repeating():
                return None
            if (again := self._find_unfinished(trials)) is not None:
                self._is_last = True
                return opening.ask_again(self.study, again)
            if opening.has_waiting(trials) or self._may_ask(trials):
                try:
                    return self.study.ask()
                except StudyFullError:
                    self.sleep(_POLL_SECONDS)
                    continue
            if all(trial.state != TrialState.RUNNING for trial in trials):
                return None
            self.progress.step("waiting for the trials of other workers")
            self.sleep(_POLL_SECONDS)
        return None

    def _is_perfect(self, trials: Sequence[FrozenTrial]) -> bool:
        if len(self.goals) > 1:
            return False
        goal = self.goals[0]
        values = [trial.values[0] for trial in rank(trials, self.goals)[:_NUM_PERFECT]]
        if len(values) < _NUM_PERFECT or any(value != goal.ideal for value in values):
            return False
        self.message(f"{_NUM_PERFECT} trials reach {goal.metric} {goal.ideal:g}: there is nothing better to search for")
        return True

    def _is_repeating(self) -> bool:
        if self._num_repeats < _MAX_REPEATS:
            return False
        self.message(
            f"the last {_MAX_REPEATS} proposals were tried before: there is hardly another in the search space"
        )
        return True

    def _find_unfinished(self, trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
        """The best trial, where it was short of time, and there is little time left but more than it had: after another
        trial there might not be."""
        if not self.runs_on or self._is_last or self.index:
            return None
        best = next(iter(rank(trials, self.goals)), None)
        if best is None or not best.user_attrs.get(TrialAttribute.IS_SHORT) or not self._may_ask(trials):
            return None
        another = median(self.seconds) if self.seconds else 0.0
        is_its_turn = self.timetable.is_last_turn(
            float(best.user_attrs[TrialAttribute.SECONDS]), another_seconds=another
        )
        return best if is_its_turn else None

    def _reserve(self) -> None:
        """What comes after the trials takes as much as they have shown. Fits on all rows for which there will be no
        time have none reserved."""
        seconds = self.closing_seconds(self.num_combined) + self.ending_seconds
        for trial in self._best(self.num_refitted):
            fit_seconds = REFIT_TIMES * float(trial.user_attrs[TrialAttribute.SECONDS])
            if seconds + fit_seconds > self.timetable.most_reserved_seconds:
                break
            seconds += fit_seconds
        self.timetable.reserve(seconds)

    def _best(self, count: int) -> list[FrozenTrial]:
        return rank(self.study.get_trials(deepcopy=False), self.goals)[:count]

    def _has_room(self) -> bool:
        """Whether a trial that begins now is likely to come to something: of the time that half of the trials need."""
        return not self.seconds or self.timetable.has_room(median(self.seconds) / 2 + median(self.export_seconds))

    def _find_deadline(self, candidate: Candidate) -> float | None:
        """When the fit has to end, so that its export ends in time; not before it can come to something."""
        unknown = None if candidate.resolve_algorithm().is_of_trees else 0.0
        deadline = self.timetable.trial_deadline(
            export_seconds=self.longest_exports.get(candidate.name, unknown), is_last=self._is_last
        )
        if deadline is None or not self.seconds:
            return deadline
        return max(deadline, self.timetable.clock() + median(self.seconds) / 2)

    def _may_ask(self, trials: Sequence[FrozenTrial]) -> bool:
        is_full = self.spec.max_trials is not None and opening.count_asked(trials) >= self.spec.max_trials
        return not is_full and not is_exhausted(self.study)

    def _carry_out(self, trial: Trial) -> None:
        goal = self.goals[0] if len(self.goals) == 1 and not self._is_last else None
        watch = Watch(trial, goal, on_step=self.progress.step)
        with get_heartbeat_thread(trial._trial_id, self.study._storage):
            try:
                outcome = self._run(trial, watch)
                values = outcome.figures.values(self.goals)
            except LeftError:
                told = tell(self.study, trial, state=TrialState.PRUNED).trial
            except UnknownMetricError as error:
                self._fail(trial, error)
                raise
            except Exception as error:  # noqa: BLE001 - whatever a trial raises is its failure, and the study goes on
                told = self._fail(trial, error)
            else:
                told = self._complete(trial, outcome, values)
        self.progress.end(told)

    def _run(self, trial: Trial, watch: Watch) -> Outcome:
        candidate, chosen = self.space.suggest(trial)
        name = f"trial {trial.number} ({candidate.name})"
        trial.set_user_attr(TrialAttribute.ALGORITHM, candidate.name)
        trial.set_user_attr(TrialAttribute.WORKER, self.index)
        self.progress.begin(name)
        self._leave_repeated(trial)
        spec = candidate.to_train_spec(self.spec, chosen)
        outcome = self.runner.run(spec, watch, deadline=self._find_deadline(candidate))
        self.seconds.append(outcome.seconds)
        self.export_seconds.append(outcome.export_seconds)
        self.slowness.append(outcome.slowness)
        longest = max(self.longest_exports.get(candidate.name, 0.0), outcome.export_seconds)
        self.longest_exports[candidate.name] = longest
        return outcome

    def _leave_repeated(self, trial: Trial) -> None:
        """A seed makes the same of the same hyperparameters, unless time had cut the fit short.

        Raises:
            LeftError: they were tried before. So the sampler learns that there is nothing to be found here.
        """
        same = (
            each for each in self.study.get_trials(deepcopy=False) if _is_whole(each) and each.params == trial.params
        )
        if (earlier := next(same, None)) is None:
            self._num_repeats = 0
            return
        self._num_repeats += 1
        trial.set_user_attr(TrialAttribute.REPEATS, earlier.number)
        raise LeftError

    def _complete(self, trial: Trial, outcome: Outcome, values: list[float]) -> FrozenTrial:
        figures = outcome.figures
        attributes = {
            TrialAttribute.METRICS: dict(figures.metrics),
            TrialAttribute.MODEL_BYTES: figures.model_bytes,
            TrialAttribute.LATENCY_MS: figures.latency_ms,
            TrialAttribute.SECONDS: round(outcome.seconds, 3),
            TrialAttribute.NUM_STEPS: outcome.num_steps,
            TrialAttribute.IS_SHORT: outcome.is_short_of_time,
        }
        try:
            for name, value in attributes.items():
                trial.set_user_attr(name, value)
            for limit, excess in figures.constraints(self.spec).items():
                trial.set_constraint(limit, excess)
        except UpdateFinishedTrialError:
            _log.info("trial %d was taken from this worker before it told its values", trial.number)
        told = tell(self.study, trial, values)
        if told.is_accepted and is_feasible(told.trial):
            self._keep(told.trial, outcome)
        elif told.is_accepted and self.keeps_unfit:
            self._keep_unfit(told.trial, outcome)
        return told.trial

    def _keep_unfit(self, trial: FrozenTrial, outcome: Outcome) -> None:
        """Leaves the model where none of its algorithm is better, so that it can be compressed."""
        algorithm = trial.user_attrs[TrialAttribute.ALGORITHM]
        ranked = rank(opening.read_anew(self.study), self.goals, is_any=True)
        best = next(each for each in ranked if each.user_attrs.get(TrialAttribute.ALGORITHM) == algorithm)
        if best.number == trial.number:
            self.archive.keep(trial.number, outcome.exported, list(trial.values))

    def _keep(self, trial: FrozenTrial, outcome: Outcome) -> None:
        """Leaves the model where it is among the best. The trial was told before: so a worker that looks after this
        one sees it."""
        ranked = self.ranked()
        algorithm = trial.user_attrs[TrialAttribute.ALGORITHM]
        alike = [each.number for each in ranked if each.user_attrs.get(TrialAttribute.ALGORITHM) == algorithm]
        place = [each.number for each in ranked].index(trial.number)
        if place >= self.num_kept and alike.index(trial.number) >= self.num_kept_each:
            return
        self.archive.keep(trial.number, outcome.exported, list(trial.values))
        if place == 0:
            self.best, self._is_reported = (trial.number, outcome.exported), False
            self.archive.publish_best(self._find_best)

    def _report_best(self) -> None:
        """A study that is stopped leaves a report of its model, and one that is not has had little of its time."""
        now = self.timetable.clock()
        if self._report_at is None:
            self._report_at = now + _REPORT_AFTER_SECONDS
        if self.best is None or self._is_reported or now < self._report_at:
            return
        self.archive.report(*self.best)
        self.archive.publish_best(self._find_best)
        self._is_reported = True
        self._report_at = now + _REPORT_TIMES * (self.timetable.clock() - now)

    def _find_best(self) -> int | None:
        ranked = self.ranked()
        return ranked[0].number if ranked else None

    def _fail(self, trial: Trial, error: Exception) -> FrozenTrial:
        words = error.message if isinstance(error, AimassError) else f"{type(error).__name__}: {error}"
        cause = words.strip()[:_MAX_CAUSE]
        self.message(f"trial {trial.number} failed: {cause}")
        try:
            self.study._storage.set_trial_system_attr(trial._trial_id, FAILURE, cause)
        except UpdateFinishedTrialError:
            _log.info("trial %d was taken from this worker before it failed", trial.number)
        return tell(self.study, trial, state=TrialState.FAIL).trial


def explain_failures(trials: Sequence[FrozenTrial]) -> InvalidRequestError:
    """Why a study has nothing to choose from: the commonest cause first."""
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    unfit = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if unfit:
        by_limit = {name: min(trial.constraints[name] for trial in unfit) for name in unfit[0].constraints}
        words = ", ".join(
            f"{name} was missed by {excess:.6g} at least" for name, excess in by_limit.items() if excess > 0
        )
        return InvalidRequestError(
            f"None of {len(unfit)} complete trials keeps all limits: {words or 'each misses one of them'}. Raise the "
            "limits, or search smaller models."
        )
    if not failed:
        return InvalidRequestError(
            f"No trial was complete when the time was up ({len(trials)} were begun). Give the job more max_seconds."
        )
    causes = Counter(str(trial.system_attrs.get(FAILURE, "unknown")) for trial in failed)
    (cause, count), *others = causes.most_common()
    also = f" Other causes: {'; '.join(text for text, _ in others[:3])}" if others else ""
    return InvalidRequestError(f"{cause} So ended {count} of {len(failed)} trials, and no trial was complete.{also}")


def _is_whole(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE and not trial.user_attrs.get(TrialAttribute.IS_SHORT)


def _check_hope(trials: Sequence[FrozenTrial]) -> None:
    states = Counter(trial.state for trial in trials)
    if states[TrialState.FAIL] >= _MAX_FAILURES and not states[TrialState.COMPLETE] + states[TrialState.PRUNED]:
        raise explain_failures(trials)
