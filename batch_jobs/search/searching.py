"""A search job: hyperparameter optimisation over the search spaces of its candidates."""

from aimass_core.domain.study_specs import SearchSpec
from aimass_core.errors import InvalidRequestError
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter
from batch_jobs.search.leaderboards import build_leaderboard
from batch_jobs.search.materials import Materials
from batch_jobs.search.studying import Plan, begin
from batch_jobs.train.notes import Notes


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """Searches as `environment.spec` says, until time is up or all trials are run.

    Leaves what a training job leaves, of the best trial, and leaderboard.json in `output_path`. A worker that is not
    the main one runs trials and leaves nothing but these.

    Returns:
        The metrics of the best trial's model, as a training job's.

    Raises:
        InvalidRequestError, InvalidDataError: What was asked for cannot be done with this data, or no trial succeeded.
    """
    spec = environment.spec
    if not isinstance(spec, SearchSpec):
        raise InvalidRequestError(f"a {spec.kind} job cannot be searched")
    plan = Plan(
        candidates=spec.candidates,
        objectives=spec.objectives,
        sampler=spec.sampler,
        pruner=spec.pruner,
        points=[(candidate, {}) for candidate in spec.candidates],
    )
    reporter.progress("reading")
    studying = begin(environment, reporter, spec, plan, materials=Materials(environment, Notes(reporter)))
    studying.worker.work()
    if not environment.worker.is_main:
        return {}
    number, exported = studying.choose()
    worker = studying.worker
    leaderboard = build_leaderboard(worker.ranked(), worker.goals, chosen=(number, exported))
    return studying.hand_over(exported, leaderboard)
