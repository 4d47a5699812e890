"""Lets the engine, whose code waits for its model, run on an event loop: others are answered while it waits."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


async def run(call: Callable[[], T]) -> T:
    """Runs `call`, which may `wait`, without a thread."""
    inner = greenlet(call)
    given = inner.switch()
    while not inner.dead:
        try:
            value = await given
        except BaseException as error:  # noqa: BLE001 - it is raised again where it was waited for
            given = inner.throw(error)
        else:
            given = inner.switch(value)
    answer: T = given
    return answer


def wait(awaitable: Awaitable[T]) -> Any:
    """What the awaitable gives. Only within `run`."""
    return getcurrent().parent.switch(awaitable)
