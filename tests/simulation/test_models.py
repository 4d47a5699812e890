"""Models of models under faults: every crash point of a registration with parts, and a deletion that meets a job."""

from collections.abc import Callable

import pytest

from aimass_core.domain.jobs import Job, JobCreate, JobStatus
from aimass_core.domain.models import ModelVersion
from aimass_core.errors import ConflictError, NotFoundError
from aimass_core.services import dispatch, jobs, models
from tests.factories import platform
from tests.simulation.faults import Faults, When
from tests.simulation.world import PARTS, World, settle

COMPRESS = JobCreate.model_validate({"spec": {"kind": "compress", "parent": "adult"}})


def _world(plan: dict[int, When]) -> World:
    world = World(faults=Faults(plan=plan))
    platform.add_version(world.ports, world.principal, platform.add_dataset(world.ports, world.principal))
    return world


def _submit(world: World, request: JobCreate) -> Job:
    return jobs.create(world.ports, world.principal, request, limits=platform.LIMITS)


def _decompose(plan: dict[int, When]) -> World:
    """What goes wrong does so while the job's end is heard of."""
    world = _world(plan)
    job = _submit(world, JobCreate.model_validate({"spec": {"kind": "decompose", "dataset": "adult"}}))
    dispatch.dispatch(world.ports, job.workspace_id, job.id)
    compute_job_id = world.compute.find(job.id)
    assert compute_job_id is not None
    world.deliveries.clear()
    world.step_compute(compute_job_id, JobStatus.SUCCEEDED)
    world.faults.is_armed = True
    world.run_safely(world.deliveries.pop())
    settle(world)
    return world


@pytest.mark.parametrize("when", list(When))
def test_f9_crash_at_any_step_of_a_registration_leaves_each_version_once_and_whole(when: When) -> None:
    num_effects = _decompose({}).faults.num_effects
    assert num_effects > 3 * 6, "each of the three models is reserved, copied and written"
    for number in range(1, num_effects + 1):
        world = _decompose({number: when})
        (job,) = world.jobs()
        assert job.status is JobStatus.SUCCEEDED, f"{when} effect {number}"
        versions = {version.part: version for version in world.registry.all(ModelVersion)}
        assert versions.keys() == {None, *PARTS}
        assert {name: part.model_name for name, part in versions[None].parts.items()} == {
            "gate": "adult-gate",
            "expert-1": "adult-expert-1",
        }
        assert all(version.number == 1 for version in versions.values())


def _model(plan: dict[int, When]) -> World:
    world = _world(plan)
    job = platform.add_job(world.ports, world.principal)
    world.deliveries.clear()
    dispatch.dispatch(world.ports, job.workspace_id, job.id)
    compute_job_id = world.compute.find(job.id)
    assert compute_job_id is not None
    world.step_compute(compute_job_id, JobStatus.SUCCEEDED)
    settle(world)
    world.faults.is_armed = True
    return world


def _try(step: Callable[[], object]) -> bool:
    try:
        step()
    except (ConflictError, NotFoundError):
        return False
    return True


@pytest.mark.parametrize("is_delete_first", [True, False])
def test_f10_delete_that_races_a_submission_leaves_no_job_without_its_model(is_delete_first: bool) -> None:
    """One of them begins, and in the moment before it writes the other comes and goes."""
    world = _model({1: When.MEANWHILE})
    results: dict[str, bool] = {}

    def delete() -> None:
        results["delete"] = _try(lambda: models.delete_version(world.ports, world.principal, "adult", 1))

    def submit() -> None:
        results["submit"] = _try(lambda: _submit(world, COMPRESS))

    first, second = (delete, submit) if is_delete_first else (submit, delete)
    world.faults.intrude = second
    first()
    assert sorted(results.values()) == [False, True], "one of them is refused"
    assert bool(world.registry.all(ModelVersion)) == results["submit"]
    assert any(job.models for job in world.jobs()) == results["submit"]


def test_f10_submissions_side_by_side_on_one_model_are_all_taken() -> None:
    world = _model({1: When.MEANWHILE, 2: When.MEANWHILE, 3: When.MEANWHILE})
    world.intruder = lambda: _submit(world, COMPRESS)
    world.run_safely(lambda: _submit(world, COMPRESS))
    assert sum(bool(job.models) for job in world.jobs()) == 4
