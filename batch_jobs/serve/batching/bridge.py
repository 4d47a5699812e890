"""Lets the engine, whose code waits for its model, run on an event loop: others are answered while it waits."""

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Ended:
    """A call is over."""

    value: Any = None
    error: BaseException | None = None


class _Idle(threading.local):
    """Greenlets that wait for a call. NOTE: a new one would have the memory of Python's stack mapped anew, which takes
    longer than what it is for."""

    def __init__(self) -> None:
        self.greenlets: list[greenlet] = []


_IDLE = _Idle()


async def run(call: Callable[[], T]) -> T:
    """Runs `call`, which may `wait`, without a thread."""
    inner = _IDLE.greenlets.pop() if _IDLE.greenlets else greenlet(_work)
    given = inner.switch(call)
    while type(given) is not _Ended:
        try:
            value = await given
        except BaseException as error:  # noqa: BLE001 - it is raised again where it was waited for
            given = inner.throw(error)
        else:
            given = inner.switch(value)
    _IDLE.greenlets.append(inner)
    if given.error is not None:
        raise given.error
    answer: T = given.value
    return answer


def wait(awaitable: Awaitable[T]) -> Any:
    """What the awaitable gives. Only within `run`."""
    return _outside().switch(awaitable)


def _work(call: Callable[[], Any]) -> None:
    while True:
        try:
            ended = _Ended(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where `run` was called
            ended = _Ended(error=error)
        call = _outside().switch(ended)


def _outside() -> greenlet:
    parent = getcurrent().parent
    if parent is None:
        raise RuntimeError("only what bridge.run calls can wait")
    return parent
