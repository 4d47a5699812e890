"""Requests that come together are answered together, and none is answered otherwise for it."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Signature, Task
from aimass_core.errors import DeadlineExceededError, InvalidDataError
from aimass_core.inference.serving.model import Array, LoadedModel, Tensors, load_model
from batch_jobs.serve.batching import bridge
from batch_jobs.serve.batching.model import BatchedModel, BatchLimits
from tests.factories.served_models import (
    SERIES,
    TABLE,
    endless_model,
    picky_model,
    series_model,
    signature_of,
    table_model,
)

SECONDS = 30.0
NO_WAIT = BatchLimits()


@dataclass
class Counted:
    """A model, and how many rows each of its runs had."""

    model: LoadedModel
    runs: list[int] = field(default_factory=list)

    @property
    def signature(self) -> Signature:
        return self.model.signature

    def run(self, inputs: Tensors, *, outputs: Sequence[str], seconds: float) -> dict[str, Array]:
        self.runs.append(len(next(iter(inputs.values()))))
        return self.model.run(inputs, outputs=outputs, seconds=seconds)


def count(model: bytes, signature: Signature) -> Counted:
    return Counted(load_model(model, signature, digest=""))


def row(age: float, city: str = "Oslo") -> dict[str, Array]:
    return {"age": np.array([[age]], np.float32), "city": np.array([[city]], object)}


def ask_all(
    model: Counted,
    requests: Sequence[Tensors],
    *,
    limits: BatchLimits = NO_WAIT,
    outputs: Sequence[str] = ("label", "probabilities"),
    seconds: float = SECONDS,
) -> list[Any]:
    """What each is answered, all having been sent at once."""

    async def ask() -> list[Any]:
        with ThreadPoolExecutor(2) as pool:
            batched = BatchedModel(model, limits=lambda: limits, pool=pool)
            calls = [partial(batched.run, inputs, outputs=outputs, seconds=seconds) for inputs in requests]
            return await asyncio.gather(*map(bridge.run, calls), return_exceptions=True)

    return asyncio.run(ask())


def test_requests_that_come_together_are_one_run_and_each_has_its_own_answer() -> None:
    model = count(table_model(), TABLE)
    ages = list(range(20, 60))
    answers = ask_all(model, [row(age) for age in ages])
    assert model.runs == [40]
    for age, answer in zip(ages, answers, strict=True):
        alone = model.model.run(row(age), outputs=["label", "probabilities"], seconds=SECONDS)
        assert answer["label"].tolist() == alone["label"].tolist()
        np.testing.assert_allclose(answer["probabilities"], alone["probabilities"], atol=1e-6)


def test_no_run_has_more_rows_than_are_allowed_but_for_one_request_that_has() -> None:
    model = count(table_model(), TABLE)
    large = {name: np.repeat(array, 9, axis=0) for name, array in row(40).items()}
    answers = ask_all(model, [*[row(30)] * 7, large, row(30)], limits=BatchLimits(max_rows=4))
    assert sorted(model.runs) == [1, 3, 4, 9]
    assert [len(answer["label"]) for answer in answers] == [1] * 7 + [9, 1]


def test_first_waits_for_others_as_long_as_it_is_told_and_no_longer_where_it_is_full() -> None:
    model = count(table_model(), TABLE)

    async def ask() -> None:
        with ThreadPoolExecutor(2) as pool:
            limits = BatchLimits(max_rows=3, max_wait_ms=60_000)
            batched = BatchedModel(model, limits=lambda: limits, pool=pool)

            async def one() -> Any:
                return await bridge.run(lambda: batched.run(row(30), outputs=["label"], seconds=SECONDS))

            first = asyncio.create_task(one())
            for _ in range(20):
                await asyncio.sleep(0)
            assert not first.done()
            assert model.runs == []
            await asyncio.wait_for(asyncio.gather(first, one(), one()), 30)

    asyncio.run(ask())
    assert model.runs == [3]


def test_g6_row_that_the_model_refuses_spoils_no_other_request() -> None:
    model = count(picky_model(), TABLE)
    answers = ask_all(model, [row(30, "Oslo"), row(30, "Atlantis"), row(30, "Rome")])
    assert [type(answer) for answer in answers] == [dict, InvalidDataError, dict]
    assert model.runs == [3, 1, 1, 1]


def test_different_outputs_are_one_run_and_each_gets_its_own() -> None:
    model = count(table_model(), TABLE)

    async def ask() -> list[Any]:
        with ThreadPoolExecutor(2) as pool:
            batched = BatchedModel(model, limits=BatchLimits, pool=pool)
            wanted = (["label"], ["probabilities"], ["probabilities", "label"])
            calls = [partial(batched.run, row(30), outputs=each, seconds=SECONDS) for each in wanted]
            return await asyncio.gather(*map(bridge.run, calls))

    answers = asyncio.run(ask())
    assert [list(answer) for answer in answers] == [["label"], ["probabilities"], ["probabilities", "label"]]
    assert model.runs == [3]


def test_series_of_other_lengths_are_not_merged() -> None:
    model = count(series_model(), SERIES)
    requests = [{name: np.full((1, n), 1.0, np.float32) for name in ("left", "right")} for n in (3, 3, 5)]
    answers = ask_all(model, requests, outputs=["value"])
    assert [float(answer["value"][0]) for answer in answers] == [33.0, 33.0, 55.0]
    assert model.runs == [2, 1]


def test_rows_of_a_graph_of_a_script_are_not_merged() -> None:
    custom = TABLE.model_copy(update={"task": Task.CUSTOM})
    model = count(table_model(), custom)
    ask_all(model, [row(30)] * 3)
    assert model.runs == [1, 1, 1]


def test_run_that_takes_too_long_ends_and_others_are_answered_meanwhile() -> None:
    signature = signature_of(ColumnType.NUMBER)
    endless = count(endless_model(), signature)
    table = count(table_model(), TABLE)

    async def ask() -> None:
        with ThreadPoolExecutor(2) as pool:
            slow = BatchedModel(endless, limits=BatchLimits, pool=pool)
            fast = BatchedModel(table, limits=BatchLimits, pool=pool)
            inputs = {signature.inputs[0].name: np.array([[1.0]], np.float32)}
            waiting = asyncio.create_task(bridge.run(lambda: slow.run(inputs, outputs=["value"], seconds=1.0)))
            for _ in range(20):
                await bridge.run(lambda: fast.run(row(30), outputs=["label"], seconds=SECONDS))
            assert not waiting.done()
            with pytest.raises(DeadlineExceededError):
                await waiting

    asyncio.run(ask())


def test_bridge_gives_values_raises_errors_and_uses_no_thread() -> None:
    async def ask() -> None:
        async def fail() -> None:
            raise InvalidDataError("no")

        def work() -> tuple[int, int]:
            first = bridge.wait(asyncio.sleep(0, 7))
            with pytest.raises(InvalidDataError, match="no"):
                bridge.wait(fail())
            return first, threading.get_ident()

        assert await bridge.run(work) == (7, threading.get_ident())
        with pytest.raises(ZeroDivisionError):
            await bridge.run(lambda: 1 // 0)

    asyncio.run(ask())


def test_bridge_ends_what_is_cancelled() -> None:
    async def ask() -> None:
        seen: list[BaseException] = []

        def work() -> None:
            try:
                bridge.wait(asyncio.get_running_loop().create_future())
            except BaseException as error:
                seen.append(error)
                raise

        task = asyncio.create_task(bridge.run(work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert isinstance(seen[0], asyncio.CancelledError)
        assert await bridge.run(lambda: bridge.wait(asyncio.sleep(0, 1))) == 1

    asyncio.run(ask())
