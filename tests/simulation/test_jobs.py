"""The spine under faults: every crash point of every handler, and seeds of lost, repeated and reordered deliveries."""

import random

import pytest

from aimass_core.domain.endpoints import Endpoint, EndpointCreate, EndpointStatus
from aimass_core.domain.jobs import Job, JobStatus
from aimass_core.domain.models import ModelVersion
from aimass_core.services import endpoints, jobs
from tests.factories import platform
from tests.simulation.faults import Faults, When
from tests.simulation.world import World, settle

NUM_SEEDS = 150
NUM_STEPS = 40


def _submit_pair(world: World) -> tuple[Job, Job]:
    dataset = platform.add_dataset(world.ports, world.principal)
    platform.add_version(world.ports, world.principal, dataset)
    first = platform.add_job(world.ports, world.principal)
    return first, platform.add_job(world.ports, world.principal, depends_on=[first.id])


def _happy_path(world: World) -> None:
    """Two jobs, one after the other. A process that crashes is not started again by anybody."""
    _submit_pair(world)
    _play(world)


def _play(world: World) -> None:
    world.faults.is_armed = True
    for _ in range(30):
        while world.deliveries:
            world.run_safely(world.deliveries.pop(0))
        for compute_job_id, state in list(world.compute.states.items()):
            order = [JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING, JobStatus.SUCCEEDED]
            if not state.status.is_terminal:
                world.step_compute(compute_job_id, order[order.index(state.status) + 1])
        if not world.deliveries and not world.reconcile():
            world.reconcile()
        if all(job.status.is_terminal for job in world.jobs()):
            break


def _deploy(world: World) -> None:
    world.faults.is_armed = False
    endpoints.create(world.ports, world.principal, EndpointCreate(model="adult@1"))
    world.faults.is_armed = True
    while world.deliveries:
        world.run_safely(world.deliveries.pop(0))


def _run(plan: dict[int, When]) -> World:
    world = World(faults=Faults(plan=plan))
    _happy_path(world)
    settle(world)
    _deploy(world)
    settle(world)
    return world


@pytest.mark.parametrize("when", list(When))
def test_j6_no_crash_or_repetition_at_any_effect_loses_or_doubles_anything(when: When) -> None:
    num_effects = _run({}).faults.num_effects
    assert num_effects > 30
    for number in range(1, num_effects + 1):
        world = _run({number: when})
        assert world.faults.num_effects >= number, "the effect was reached"
        assert [job.status for job in world.jobs()] == [JobStatus.SUCCEEDED] * 2, f"{when} effect {number}"
        assert sorted(version.number for version in world.registry.all(ModelVersion)) == [1, 2]
        assert [endpoint.status for endpoint in world.registry.all(Endpoint)] == [EndpointStatus.READY]


@pytest.mark.parametrize("crash_after", range(1, 5))
def test_d9_stop_at_any_effect_ends_the_job_and_its_container(crash_after: int) -> None:
    """The user stops the job in the middle of each effect, and a little later the process dies as well."""
    for number in range(1, 30):
        world = World(faults=Faults(plan={number: When.MEANWHILE, number + crash_after: When.BEFORE}))
        dataset = platform.add_dataset(world.ports, world.principal)
        platform.add_version(world.ports, world.principal, dataset)
        job = platform.add_job(world.ports, world.principal)
        world.intruder = lambda world=world, job=job: jobs.stop(world.ports, world.principal, job.id)
        _play(world)
        settle(world)
        (status,) = [job.status for job in world.jobs()]
        assert status in (JobStatus.STOPPED, JobStatus.SUCCEEDED), f"stop at effect {number}: {status}"
        assert (status is JobStatus.SUCCEEDED) == bool(world.registry.all(ModelVersion))


@pytest.mark.parametrize("seed", range(NUM_SEEDS))
def test_d5_every_job_ends_once_whatever_is_lost_repeated_or_reordered(seed: int) -> None:
    rng = random.Random(seed)
    world = World(faults=Faults(plan={rng.randrange(1, 60): rng.choice(list(When)) for _ in range(3)}))
    _submit_pair(world)
    world.faults.is_armed = True
    for _ in range(NUM_STEPS):
        _step(world, rng)
    settle(world, rng)
    assert len(world.jobs()) == 2
    assert all(job.status.is_terminal for job in world.jobs())


def _step(world: World, rng: random.Random) -> None:
    choice = rng.random()
    running = [state for state in world.compute.states.values() if not state.status.is_terminal]
    if choice < 0.45 and world.deliveries:
        delivery = world.deliveries.pop(rng.randrange(len(world.deliveries)))
        fate = rng.random()
        if fate < 0.2:
            return  # lost
        is_done = world.run_safely(delivery)
        if fate > 0.8 or not is_done:
            world.deliveries.append(delivery)
    elif choice < 0.85 and running:
        state = rng.choice(running)
        if state.status is JobStatus.RUNNING and rng.random() < 0.25:
            world.step_compute(state.compute_job_id, JobStatus.QUEUED, attempt=state.attempt + 1)
        else:
            order = [JobStatus.QUEUED, JobStatus.STARTING, JobStatus.RUNNING]
            after = order[order.index(state.status) + 1 :] or [JobStatus.SUCCEEDED, JobStatus.FAILED]
            world.step_compute(state.compute_job_id, rng.choice(after), attempt=state.attempt)
    elif choice < 0.95:
        world.reconcile()
    else:
        job = rng.choice(world.jobs())
        world.run_safely(lambda: jobs.stop(world.ports, world.principal, job.id))
