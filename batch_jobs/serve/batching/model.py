"""A model that many requests ask at once: what waits for it is merged, as much as is allowed."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import UnavailableError
from aimass_core.inference.serving.model import AnyModel, Array, Tensors
from batch_jobs.serve.batching import bridge
from batch_jobs.serve.batching.batches import Outputs, Waiting, compute

# A run that is shorter than this delays others less than handing it to a thread would.
_INLINE_SECONDS = 0.001
_WEIGHT_OF_NEWEST = 0.2
_MAX_GROWTH = 2.0
_MAX_PARALLEL = 2
_MAX_WAITING_ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """With `max_wait_ms` 0 nothing waits for others: merged is what came while the model was busy."""

    max_rows: int = 64
    max_wait_ms: float = 0.0


class BatchedModel:
    """Answers as its model does, within `bridge.run`.

    Args:
        limits: asked at each request: they may change.
        pool: where runs go that take long.
    """

    def __init__(self, model: AnyModel, *, limits: Callable[[], BatchLimits], pool: Executor) -> None:
        self._model, self._limits, self._pool = model, limits, pool
        self._is_merged = _has_rows(model.signature)
        self._is_even = all(size > 0 for spec in model.signature.inputs for size in spec.shape[1:])
        self._waiting: deque[Waiting] = deque()
        self._num_rows = self._running = 0
        self._start: asyncio.Handle | None = None
        self._pace: dict[int, float] = {}

    @property
    def signature(self) -> Signature:
        """The model's."""
        return self._model.signature

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        """See LoadedModel.run."""
        loop = asyncio.get_running_loop()
        if self._num_rows > _MAX_WAITING_ROWS:
            raise UnavailableError("Too many requests wait for this model. Try again.", retry_after_seconds=1)
        num_rows = len(next(iter(inputs.values())))
        waiting = Waiting(
            inputs=inputs, outputs=outputs, seconds=seconds, answer=loop.create_future(), num_rows=num_rows
        )
        self._waiting.append(waiting)
        self._num_rows += num_rows
        self._plan(loop)
        answer: dict[str, Array] = bridge.wait(waiting.answer)
        return answer

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        limits = self._limits()
        is_full = self._num_rows >= limits.max_rows or not limits.max_wait_ms or not self._is_merged
        if self._running >= _MAX_PARALLEL or not self._waiting:
            return
        if self._start is None:
            # NOTE: also where nothing is to be waited for, this comes after the other requests that have just arrived.
            wait = 0 if is_full else limits.max_wait_ms / 1000
            self._start = loop.call_later(wait, self._begin, loop) if wait else loop.call_soon(self._begin, loop)
        elif is_full and isinstance(self._start, asyncio.TimerHandle):
            self._start.cancel()
            self._start = loop.call_soon(self._begin, loop)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._start = None
        while self._waiting and self._running < _MAX_PARALLEL:
            batch = self._take()
            if not batch:
                continue
            size = sum(each.num_rows if self._is_even else each.num_values for each in batch).bit_length()
            if self._pace.get(size, 1.0) < _INLINE_SECONDS:
                self._end(batch, self._compute(batch, size))
                continue
            self._running += 1
            run = loop.run_in_executor(self._pool, self._compute, batch, size)
            run.add_done_callback(partial(self._end_elsewhere, loop, batch))

    def _take(self) -> list[Waiting]:
        """The longest wait first, and what can be merged with it; who gave up is left out."""
        max_rows = self._limits().max_rows
        batch: list[Waiting] = []
        num_rows = 0
        while self._waiting:
            first = self._waiting[0]
            if first.answer.done():
                self._num_rows -= self._waiting.popleft().num_rows
                continue
            fits = self._is_merged and num_rows + first.num_rows <= max_rows
            if batch and not (fits and (self._is_even or first.is_like(batch[0]))):
                break
            batch.append(self._waiting.popleft())
            num_rows += first.num_rows
        self._num_rows -= num_rows
        return batch

    def _compute(self, batch: Sequence[Waiting], size: int) -> list[Outputs | Exception]:
        started = time.perf_counter()
        try:
            answers = compute(self._model, batch)
        except Exception as error:  # noqa: BLE001 - each request is told, at the boundary of its own
            return [error] * len(batch)
        seconds = time.perf_counter() - started
        former = self._pace.get(size, seconds)
        # NOTE: a run that was interrupted, as others used the processor, is no long one.
        seconds = min(seconds, _MAX_GROWTH * former)
        self._pace[size] = former + _WEIGHT_OF_NEWEST * (seconds - former)
        return answers

    def _end_elsewhere(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: Sequence[Waiting],
        done: "asyncio.Future[list[Outputs | Exception]]",
    ) -> None:
        self._running -= 1
        self._end(batch, done.result())
        self._plan(loop)

    def _end(self, batch: Sequence[Waiting], answers: Sequence[Outputs | Exception]) -> None:
        for each, answer in zip(batch, answers, strict=True):
            if each.answer.done():
                continue
            if isinstance(answer, Exception):
                each.answer.set_exception(answer)
            else:
                each.answer.set_result(answer)


def _has_rows(signature: Signature) -> bool:
    """Whether each row is answered for itself. Of a script's graph nobody knows."""
    specs = [*signature.inputs, *signature.outputs]
    return signature.task is not Task.CUSTOM and all(spec.shape and spec.shape[0] < 0 for spec in specs)
