"""An autotrain job: from a dataset and a budget to the best model."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Thread

from optuna.trial import FrozenTrial

from aimass_core.domain.algorithms import registry
from aimass_core.domain.algorithms.contract import DataKind
from aimass_core.domain.studies import TrialAttribute
from aimass_core.domain.study_specs import AutotrainSpec, Candidate, Objective, Preset, PrunerName, SamplerName
from aimass_core.errors import InvalidRequestError
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.decompose.workflow import write_parts
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.search import portfolio
from batch_jobs.search.combining import combine
from batch_jobs.search.endings import compressing, decomposing, fusing
from batch_jobs.search.endings.contract import Ending
from batch_jobs.search.goals import Goal
from batch_jobs.search.leaderboards import build_leaderboard
from batch_jobs.search.materials import Materials
from batch_jobs.search.profiling import Profile, check_algorithms, profile
from batch_jobs.search.refitting import refit
from batch_jobs.search.studying import Plan, Point, Studying, begin
from batch_jobs.search.working import explain_failures
from batch_jobs.train.notes import Notes

_NUM_KEPT, _NUM_KEPT_EACH = 12, 2
# With `small`, the smallest model is chosen among those whose error is at most so much larger than the best one's.
_SMALL_LOSS = 0.05
_PERFECT = 1.0
# Of many rows so many judge, or such a part of all: those that do not are trained on, and there is seldom time to fit
# what was chosen on all rows again. AutoGluon goes by nearly the same.
_JUDGING_ROWS, _MIN_FRACTION = 1_500, 0.1
# What tells two classes apart is known by the rarer one's rows: half the usual part of 15,000 rows, 30 of them frauds,
# would leave it to three which model is the best.
_JUDGING_ROWS_OF_A_CLASS = 100
# For so many models there is to be time to fit them on all rows. A tenth more rows is worth less than other trials:
# there only what time is left over goes to it.
_NUM_REFITTED = 3
# Measured in 30 s of one thread on eight tables, two or three splits of each, see docs/RESULTS.md. With more time more
# rows: hundreds of trials would be chosen by the luck of the few rows that judge them all.
_FOLDS, _MAX_ROWS_OF_FOLDS, _MAX_ROWS_PER_SECOND, _MIN_SECONDS_OF_FOLDS = 5, 2_500, 80, 20.0
_MORE_ROWS_PER_SECOND, _MOST_ROWS_OF_FOLDS = 25, 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aim:
    """What a preset means: networks for tables or not, the most that one trial gets of the time that is left, how many
    models may be combined, and whether what is chosen is fitted again on all rows."""

    has_table_networks: bool
    trial_share: float
    max_members: int
    is_refitted: bool = True


_AIMS: Mapping[Preset, _Aim] = {
    Preset.FAST: _Aim(has_table_networks=False, trial_share=0.2, max_members=3, is_refitted=False),
    Preset.BALANCED: _Aim(has_table_networks=True, trial_share=0.3, max_members=8),
    Preset.BEST: _Aim(has_table_networks=True, trial_share=0.4, max_members=12),
    Preset.SMALL: _Aim(has_table_networks=True, trial_share=0.2, max_members=1),
}


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """Tries what did well elsewhere, searches on from there, and combines the best models where that is better.

    Leaves what a training job leaves, of the model that was chosen, and leaderboard.json, study.html and figures in
    `output_path`. A worker that is not the main one runs trials and leaves nothing but these.

    Returns:
        The metrics of the model, as a training job's.

    Raises:
        InvalidRequestError, InvalidDataError: What was asked for cannot be done with this data, or no trial succeeded.
    """
    spec = environment.spec
    if not isinstance(spec, AutotrainSpec):
        raise InvalidRequestError(f"a {spec.kind} job is no autotrain job")
    aim, notes = _AIMS[spec.preset], Notes(reporter)
    reporter.progress("reading")
    materials = Materials(environment, notes)
    found = profile(environment, spec, materials)
    spec = _choose_validation(spec, found, environment, notes)
    candidates = _choose_candidates(spec, found, aim)
    plan = Plan(
        candidates=candidates,
        objectives=[Objective(metric=spec.metric)],
        sampler=SamplerName.TPE,
        pruner=PrunerName.ASHA,
        points=_choose_points(candidates, found),
        # Of few algorithms each trial may take longer: a network that is cut short is no good.
        trial_share=max(aim.trial_share, 1 / (len(candidates) + 1)),
        reserved_share=0.1,
        num_kept=_NUM_KEPT,
        num_kept_each=_NUM_KEPT_EACH,
        num_combined=aim.max_members,
        num_refitted=_count_refitted(spec, aim),
        runs_on=True,
        keeps_unfit=_has_limits(spec),
        ending_share=_has_limits(spec) * compressing.SHARE + spec.decompose * decomposing.SHARE,
    )
    notes(
        f"{found.task} on {found.kind} data of {found.num_rows:,} rows: {', '.join(each.name for each in candidates)}"
    )
    Thread(target=_import_learners, args=(candidates, spec), daemon=True).start()
    studying = begin(environment, reporter, spec, plan, materials=materials)
    studying.worker.work()
    if not environment.worker.is_main:
        return {}
    return _finish(studying, aim, spec)


def _finish(studying: Studying, aim: _Aim, spec: AutotrainSpec) -> dict[str, float]:
    """Makes of the trials' models what else the study may end with, chooses, fits again, and hands over."""
    worker = studying.worker
    ranked, (goal,) = worker.ranked(), worker.goals
    ending = _make(studying, ranked, goal, aim, spec)
    if ending is not None:
        if ending.whole is not None:
            write_parts(ending.whole, studying.environment)
        leaderboard = build_leaderboard(ranked, worker.goals, chosen=None, made=ending.row)
        return studying.hand_over(ending.exported, leaderboard, material=ending.material)
    number, exported = studying.choose()
    if spec.preset is Preset.SMALL:
        for trial in _by_size(ranked, goal):
            if (smaller := studying.find(trial.number)) is not None:
                number, exported = trial.number, smaller
                break
    if aim.is_refitted:
        exported = refit(studying, {number: exported})[number]
    return studying.hand_over(exported, build_leaderboard(ranked, worker.goals, chosen=(number, exported)))


def _make(
    studying: Studying, ranked: Sequence[FrozenTrial], goal: Goal, aim: _Aim, spec: AutotrainSpec
) -> Ending | None:
    """What was made of the trials' models and is better than the best of them; None where nothing is.

    What combines them comes last: its fits on all rows take the time that is left.
    """
    best = ranked[0].values[0] if ranked else None
    ending: Ending | None = None
    if spec.decompose and ranked:
        ending = decomposing.decompose(studying, ranked, goal)
        best = ending.row.score if ending is not None else best
    if _has_limits(spec):
        compressed = compressing.compress(studying, goal, best=best)
        if compressed.ending is not None:
            ending, best = compressed.ending, compressed.ending.row.score
        elif best is None:
            explained = explain_failures(studying.worker.study.get_trials(deepcopy=False))
            raise InvalidRequestError(f"{explained.message} {compressed.advice}".rstrip())
    if aim.max_members > 1 and best is not None:
        studying.reporter.progress("combining")
        join = fusing.fuse if spec.fuse else combine
        combined = join(studying, ranked, goal, best=best, max_members=aim.max_members, is_refitted=aim.is_refitted)
        ending = combined or ending
    return ending


def _has_limits(spec: AutotrainSpec) -> bool:
    return spec.max_model_bytes is not None or spec.max_latency_ms is not None


def _choose_validation(spec: AutotrainSpec, found: Profile, environment: Environment, notes: Notes) -> AutotrainSpec:
    """Of a small table all rows judge, where there is time for so many fits; of a large one a smaller part than of
    others, where nobody said how to validate."""
    is_free = spec.folds is None and spec.validation is None and spec.validation_fraction is None
    if not is_free or found.kind is not DataKind.TABLE:
        return spec
    if _can_have_folds(spec, found, environment):
        notes(f"{_FOLDS} folds of {found.num_rows:,} rows judge each trial, and its model is fitted on all of them")
        return spec.model_copy(update={"folds": _FOLDS})
    fraction = max(_JUDGING_ROWS / found.num_rows, _MIN_FRACTION)
    if found.num_rarer:
        fraction = max(fraction, _JUDGING_ROWS_OF_A_CLASS / found.num_rarer)
    if fraction >= spec.held_out_fraction:
        return spec
    notes(f"{fraction:.3g} of {found.num_rows:,} rows judge: there are enough of them")
    return spec.model_copy(update={"validation_fraction": fraction})


def _can_have_folds(spec: AutotrainSpec, found: Profile, environment: Environment) -> bool:
    """What ends in a compression or a decomposition is judged by rows that its model has not seen, and not by folds."""
    if spec.decompose or spec.fuse or _has_limits(spec):
        return False
    if environment.deadline is None:
        return found.num_rows <= _MAX_ROWS_OF_FOLDS
    seconds = environment.deadline - time.monotonic()
    max_rows = min(max(_MAX_ROWS_OF_FOLDS, _MORE_ROWS_PER_SECOND * seconds), _MAX_ROWS_PER_SECOND * seconds)
    return seconds >= _MIN_SECONDS_OF_FOLDS and found.num_rows <= min(max_rows, _MOST_ROWS_OF_FOLDS)


def _count_refitted(spec: AutotrainSpec, aim: _Aim) -> int:
    if not aim.is_refitted or spec.folds is not None:
        return 0
    are_few_more = spec.validation is None and spec.held_out_fraction <= _MIN_FRACTION
    return 0 if are_few_more else min(_NUM_REFITTED, aim.max_members)


def _import_learners(candidates: Sequence[Candidate], spec: AutotrainSpec) -> None:
    """While the first trial runs: a framework takes seconds, which would be a later trial's."""
    for candidate in candidates:
        build_learner(candidate.to_train_spec(spec, {}))


def _choose_candidates(spec: AutotrainSpec, found: Profile, aim: _Aim) -> list[Candidate]:
    if spec.algorithms is not None:
        check_algorithms(spec.algorithms, found)
        return [Candidate(algorithm=name) for name in dict.fromkeys(spec.algorithms)]
    names = portfolio.algorithms(found.kind, found.task, num_rows=found.num_rows, num_columns=found.num_columns)
    quick = [name for name in names if aim.has_table_networks or not _is_slow(name, found.kind)]
    return [Candidate(algorithm=name) for name in quick or names]


def _is_slow(name: str, kind: DataKind) -> bool:
    return kind is DataKind.TABLE and not registry.find(name).is_of_trees and name != "linear"


def _choose_points(candidates: Sequence[Candidate], found: Profile) -> list[Point]:
    """What the portfolio has of the candidates, and the defaults of those that it does not know."""
    by_name = {candidate.algorithm: candidate for candidate in candidates}
    known = portfolio.configurations(found.kind, found.task, num_rows=found.num_rows, num_columns=found.num_columns)
    points: list[Point] = [
        (by_name[each.algorithm], each.hyperparameters) for each in known if each.algorithm in by_name
    ]
    tried = {candidate.algorithm for candidate, _ in points}
    return points + [(candidate, {}) for name, candidate in by_name.items() if name not in tried]


def _by_size(ranked: Sequence[FrozenTrial], goal: Goal) -> list[FrozenTrial]:
    """Those that are nearly as good as the best, the smallest first."""
    errors = [abs(trial.values[0]) if goal.sign > 0 else _PERFECT - trial.values[0] for trial in ranked]
    near = [trial for trial, error in zip(ranked, errors, strict=True) if error <= errors[0] * (1 + _SMALL_LOSS)]
    return sorted(near, key=lambda trial: int(trial.user_attrs[TrialAttribute.MODEL_BYTES]))
