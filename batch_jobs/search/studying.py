"""A study from its data to the worker that runs its trials, and from its best trial to the job's result."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimass_core.domain import search_spaces
from aimass_core.domain.jobs import TrainSpec
from aimass_core.domain.studies import Leaderboard
from aimass_core.domain.study_specs import AnyStudySpec, Candidate, Objective, PrunerName, SamplerName
from aimass_core.errors import InternalError
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.search import opening
from batch_jobs.search.archive import Archive
from batch_jobs.search.goals import resolve_goals
from batch_jobs.search.live import LEADERBOARD, Live
from batch_jobs.search.materials import Materials
from batch_jobs.search.pictures import write_pictures
from batch_jobs.search.progress import Progress
from batch_jobs.search.pruners import build_pruner
from batch_jobs.search.running import TrialRunner
from batch_jobs.search.samplers import LEARNING, build_sampler, choose_sampler
from batch_jobs.search.space import StudySpace
from batch_jobs.search.timetable import plan
from batch_jobs.search.working import Worker, explain_failures
from batch_jobs.train.exporting import Exported
from batch_jobs.train.fitting import validated_rows
from batch_jobs.train.handover import Handover
from batch_jobs.train.material import Material
from batch_jobs.train.notes import Notes

_MAX_SEED = 2**32
_SEEDS_OF_A_JOB = 7_919
Point = tuple[Candidate, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a study is searched.

    `points` are tried first. `trial_share` is the most that one trial gets of the time that is left, `reserved_share`
    what is kept for the end of all time. `num_kept` of the best trials leave their models in the lake, and
    `num_kept_each` of each algorithm. `ending_share` of all time is kept for what is made of these models.
    `num_combined`, `num_refitted`, `runs_on` and `keeps_unfit`: see `Worker`.
    """

    candidates: Sequence[Candidate]
    objectives: Sequence[Objective]
    sampler: SamplerName | None = None
    pruner: PrunerName | None = None
    points: Sequence[Point] = ()
    trial_share: float = 1.0
    reserved_share: float = 0.1
    num_kept: int = 1
    num_kept_each: int = 0
    num_combined: int = 0
    num_refitted: int = 0
    runs_on: bool = False
    keeps_unfit: bool = False
    ending_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Studying:
    """One worker's part in a study, and what it hands over in the end."""

    environment: Environment
    reporter: Reporter
    notes: Notes
    spec: AnyStudySpec
    worker: Worker
    settings: Mapping[str, str]

    def choose(self) -> tuple[int, Exported]:
        """The best trial. Raises InvalidRequestError where none is."""
        ranked = self.worker.ranked()
        for trial in ranked:
            exported = self.find(trial.number)
            if exported is not None:
                return trial.number, exported
        if ranked:
            raise _gone(ranked[0].number)
        raise explain_failures(self.worker.study.get_trials(deepcopy=False))

    def time_to_close(self, num_models: int) -> float | None:
        """When fits and the choice of an ensemble have to end so that what is chosen, one model or an ensemble of so
        many, is handed over in time; None: never."""
        if self.environment.deadline is None:
            return None
        return self.environment.deadline - self.worker.closing_seconds(num_models)

    def time_to_end(self, share: float) -> float | None:
        """When what is made of the trials' models has to be there, if it is begun now and such a share of all time is
        its own; None: never."""
        closing = self.time_to_close(1)
        return None if closing is None else min(time.monotonic() + share * self.worker.timetable.all_seconds, closing)

    def find(self, number: int) -> Exported | None:
        """The model of a trial, if one was kept."""
        if self.worker.best is not None and self.worker.best[0] == number:
            return self.worker.best[1]
        spec = self.find_spec(number)
        validated = validated_rows(self.worker.runner.materials.find(spec), spec)
        return self.worker.archive.load(number, spec, validated)

    def load(self, number: int) -> Exported:
        """The model of a trial, of which one was kept."""
        exported = self.find(number)
        if exported is None:
            raise _gone(number)
        return exported

    def find_spec(self, number: int) -> TrainSpec:
        """What a trial was trained by."""
        trial = self.worker.study.get_trials(deepcopy=False)[number]
        candidate, chosen = self.worker.space.suggest(trial)
        return candidate.to_train_spec(self.spec, chosen)

    def hand_over(
        self, exported: Exported, leaderboard: Leaderboard, *, material: Material | None = None
    ) -> dict[str, float]:
        """Leaves the job's files. Returns its metrics. `material`: of an ensemble, what it is judged by."""
        path, worker = self.environment.output_path, self.worker
        metrics = Handover(
            environment=self.environment,
            material=material or worker.runner.materials.find(exported.train_spec),
            exported=exported,
            reporter=self.reporter,
            notes=self.notes,
        ).run()
        (path / LEADERBOARD).write_text(leaderboard.model_dump_json(indent=1), encoding="utf-8")
        write_pictures(
            path,
            worker.study,
            worker.goals,
            title=self.spec.study or self.environment.job,
            description=f"{self.spec.kind} on {self.environment.dataset}",
            settings=self.settings,
            leaderboard=leaderboard,
        )
        return metrics


def _gone(number: int) -> InternalError:
    return InternalError(f"The model of trial {number} is gone. Continue the study with another job.")


def begin(
    environment: Environment, reporter: Reporter, spec: AnyStudySpec, found: Plan, *, materials: Materials
) -> Studying:
    """Reads the data and opens the study.

    Raises:
        InvalidRequestError, InvalidDataError: What was asked for cannot be done with this data.
    """
    notes = materials.notes
    for number, candidate in enumerate(found.candidates):
        candidate.to_train_spec(spec, {}).check()
        search_spaces.check_space(
            candidate.resolve_algorithm(),
            candidate.resolve_framework(),
            candidate.space,
            fixed=search_spaces.fixed_values(candidate),
            location=f"body.spec.candidates.{number}.space",
        )
    material = materials.find(found.candidates[0].to_train_spec(spec, {}))
    goals = resolve_goals(found.objectives, material.target)
    space = StudySpace(found.candidates)
    study = opening.open_study(environment, goals, max_trials=spec.max_trials)
    num_known = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
    index = environment.worker.index
    pruner = found.pruner or (PrunerName.ASHA if len(goals) == 1 else PrunerName.NONE)
    sampler = found.sampler or choose_sampler(
        space.distributions(),
        max_trials=spec.max_trials,
        trial_seconds=None,
        is_conditional=space.is_conditional,
        is_pruned=pruner is not PrunerName.NONE,
    )
    # A study that goes on draws other points than it did.
    seed = (spec.seed + index + _SEEDS_OF_A_JOB * num_known) % _MAX_SEED
    opening.equip(study, build_sampler(sampler, space, seed=seed), build_pruner(pruner))
    if environment.worker.is_main and sampler in LEARNING:
        points = [space.to_params(candidate, hyperparameters) for candidate, hyperparameters in found.points]
        opening.enqueue(study, points, max_trials=spec.max_trials)
    timetable = plan(
        environment.deadline,
        reading_seconds=materials.reading_seconds,
        trial_share=found.trial_share,
        reserved_share=found.reserved_share + found.ending_share,
    )
    notes(f"{sampler} proposes trials, pruner {pruner}")
    settings = {"sampler": str(sampler), "pruner": str(pruner), "workers": str(environment.worker.count)}
    scratch_path = environment.base_path / "scratch"
    archive = Archive(environment.study, scratch_path)
    live = Live(
        archive,
        study,
        goals,
        title=spec.study or environment.job,
        description=f"{spec.kind} on {environment.dataset}",
        settings=settings,
        scratch_path=scratch_path,
    )
    is_seen = environment.worker.is_main and environment.study is not None
    worker = Worker(
        index=index,
        spec=spec,
        goals=goals,
        space=space,
        study=study,
        runner=TrialRunner(environment, materials, wants_accuracy=goals[0].metric == "accuracy"),
        archive=archive,
        timetable=timetable,
        progress=Progress(study, goals, max_trials=spec.max_trials, timetable=timetable, reporter=reporter),
        message=notes,
        num_kept=found.num_kept,
        num_kept_each=found.num_kept_each,
        num_combined=found.num_combined,
        num_refitted=found.num_refitted,
        runs_on=found.runs_on,
        keeps_unfit=found.keeps_unfit,
        ending_seconds=found.ending_share * timetable.all_seconds,
        after_trial=live.update if is_seen else lambda: None,
    )
    return Studying(
        environment=environment, reporter=reporter, notes=notes, spec=spec, worker=worker, settings=settings
    )
