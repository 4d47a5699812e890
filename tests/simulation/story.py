"""A story of the whole platform, from its first step until nothing is left to do.

`python -m tests.simulation.story 7 [STEPS]` tells that of seed 7 again. `crash_points` are those of one without faults.
"""

import logging
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.simulation import accounts
from tests.simulation.faults import Faults, When
from tests.simulation.platform import Platform
from tests.simulation.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a story was made of."""

    acks: int
    files: int
    """Of them, files that S3 has taken."""
    given_up: int
    """Files whose version says that their conversion died too often."""
    steps: int
    effects: int
    faults: int


def tell(seed: int, num_steps: int = 80) -> Told:
    """Raises AssertionError, naming the command that repeats it, where something was lost, doubled or never ends."""
    try:
        world = Platform.of_seed(seed)
        users = _play(world, num_steps)
        if seed % 4 == 0:
            accounts.replay(world)
        if seed % 4 == 1:
            accounts.delete_workspace(world)
    except Exception as error:
        raise AssertionError(f"{error}\nrepeat it: python -m tests.simulation.story {seed} {num_steps}") from error
    return Told(
        acks=users.ledger.num_acks,
        files=users.ledger.num_files,
        given_up=users.ledger.num_given_up,
        steps=num_steps,
        effects=world.faults.num_effects,
        faults=world.faults.num_faults,
    )


def crash_points(seed: int, num_steps: int, kinds: Sequence[When]) -> Counter[str]:
    """Lets every effect of a story in which nothing else goes wrong go wrong; how many of them each process has.

    Raises AssertionError where something is lost or doubled afterwards, or an effect was not reached.
    """

    def play(plan: Mapping[int, When]) -> Platform:
        world = Platform(rng=random.Random(seed), faults=Faults(plan=plan), loses=False)
        _play(world, num_steps)
        return world

    without = play({}).faults
    for kind in kinds:
        for number in range(1, without.num_effects + 1):
            try:
                world = play({number: kind})
                assert world.faults.num_faults == 1, "it was not reached"
            except Exception as error:
                raise AssertionError(f"{kind} effect {number} of seed {seed}, {num_steps} steps: {error}") from error
    return without.places


def _play(world: Platform, num_steps: int) -> Users:
    users = Users(world)
    users.begin()
    for _ in range(num_steps):
        _step(world, users)
    world.faults.is_armed = False
    world.collecting.stop_schedule()
    world.settle()
    accounts.check(world, users)
    return users


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
    sys.stdout.write(f"{tell(*map(int, sys.argv[1:3]))}\n")
