"""One seed of the whole platform, from its first step until nothing is left to do: `python -m tests.simulation.story 7`."""

import logging
import sys
from dataclasses import dataclass

from tests.simulation import accounts
from tests.simulation.platform import Platform
from tests.simulation.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a story was made of."""

    acks: int
    steps: int
    effects: int
    faults: int


def tell(seed: int, *, num_steps: int = 80) -> Told:
    """Raises AssertionError, naming the command that repeats it, where something was lost, doubled or never ends."""
    try:
        return _tell(seed, num_steps)
    except Exception as error:
        raise AssertionError(f"{error}\nrepeat it: python -m tests.simulation.story {seed}") from error


def _tell(seed: int, num_steps: int) -> Told:
    world = Platform.of_seed(seed)
    users = Users(world)
    users.begin()
    for _ in range(num_steps):
        _step(world, users)
    world.faults.is_armed = False
    world.collecting.stop_schedule()
    world.settle()
    accounts.check(world, users)
    if seed % 4 == 0:
        accounts.replay(world)
    if seed % 4 == 1:
        accounts.delete_workspace(world)
    return Told(
        acks=users.ledger.num_acks, steps=num_steps, effects=world.faults.num_effects, faults=world.faults.num_faults
    )


def _step(world: Platform, users: Users) -> None:
    choice = world.rng.random()
    if choice < 0.4:
        world.deliver()
    elif choice < 0.55:
        world.work_containers()
    elif choice < 0.62:
        world.clock.advance(world.rng.uniform(0, 120))
        world.minute()
    elif choice < 0.64:
        world.clock.advance(world.rng.uniform(600, 86_400))
    else:
        users.act()
    accounts.check_cursor(world)
    world.clock.advance(world.rng.expovariate(0.5))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.stdout.write(f"{tell(int(sys.argv[1]))}\n")
