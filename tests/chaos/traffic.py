"""Clients of the local cloud that ask without a pause, and a ledger of what was answered and what was acknowledged."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2
from botocore.exceptions import BotoCoreError, ClientError

import aimass
from aimass.errors import AimassError
from tests.stack import Stack

DROPPED, ENDPOINT, JOBS = "dropped", "rolled", "loans"
_ROWS = [{"age": age, "city": "Paris"} for age in range(18, 30)]


@dataclass
class Kind:
    """One kind of request: how long each took, and why some failed."""

    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    tries: list[bool] = field(default_factory=list)
    """Of each HTTP request whether it was answered: the SDK repeats those that were not."""

    @property
    def num(self) -> int:
        return len(self.seconds) + len(self.faults)

    def percentile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


class Counted(httpx2.HTTPTransport):
    """Notes what the client sends, and whether anybody answered it, and with something else than a server's fault."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self._kind = kind

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        is_answered = False
        try:
            response = super().handle_request(request)
            is_answered = response.status_code < 500
        finally:
            self._kind.tries.append(is_answered)
        return response


@dataclass
class Traffic:
    """Threads that ask until `stop`; each has a client of its own, with the SDK's retries."""

    stack: Stack
    kinds: dict[str, Kind] = field(default_factory=dict)
    rows: set[int] = field(default_factory=set)
    """Ids of rows that S3 has acknowledged in the drop folder."""
    datasets: dict[str, str] = field(default_factory=dict)
    """Id of each acknowledged dataset, by its name."""
    jobs: dict[str, int] = field(default_factory=dict)
    """Which request each acknowledged job belongs to."""
    level: int = 0
    """The last acknowledged value of a setting."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """All of them."""
        loops: list[tuple[Callable[[aimass.Client, int], object], float]] = [
            *[(self._predict, 0.05)] * 2,
            (self._drop, 1.0),
            (self._create, 1.0),
            (self._set, 2.0),
            (self._read, 0.2),
            (self._train, 20.0),
            (self._deploy, 30.0),
        ]
        for work, pause in loops:
            self._threads.append(threading.Thread(target=self._loop, args=(work, pause), daemon=True))
            self._threads[-1].start()

    def stop(self) -> None:
        """Waits for the answers that are awaited."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _loop(self, work: Callable[[aimass.Client, int], object], pause: float) -> None:
        kind = self.kinds.setdefault(work.__name__.lstrip("_"), Kind())
        number = 0
        with self.stack.client(transport=Counted(kind)) as client:
            while not self._stop.is_set():
                started = time.monotonic()
                try:
                    work(client, number)
                except (AimassError, BotoCoreError, ClientError) as error:
                    kind.faults.append(f"{type(error).__name__}: {error}"[:300])
                else:
                    kind.seconds.append(time.monotonic() - started)
                number += 1
                self._stop.wait(pause)

    def _predict(self, client: aimass.Client, number: int) -> None:
        del number
        answer = client.endpoints.predict(ENDPOINT, _ROWS)
        assert len(answer.predictions) == len(_ROWS)

    def _read(self, client: aimass.Client, number: int) -> None:
        del number
        client.http.request("GET", "/v1/jobs", params={"limit": 20})

    def _drop(self, client: aimass.Client, number: int) -> None:
        del client
        body = f"id\n{number}\n".encode()
        key = f"drop/default/{DROPPED}/{number}.csv"
        self.stack.aws("s3").put_object(Bucket=self.stack.outputs["LandingBucketName"], Key=key, Body=body)
        self.rows.add(number)

    def _create(self, client: aimass.Client, number: int) -> None:
        name = f"made-{number}-{uuid.uuid4().hex[:8]}"
        self.datasets[name] = client.datasets.create(name).id

    def _set(self, client: aimass.Client, number: int) -> None:
        client.settings.set("collection", preview_rows=number + 1)
        self.level = number + 1

    def _train(self, client: aimass.Client, number: int) -> None:
        job = client.jobs.train(JOBS, algorithm="xgboost", hyperparameters={"num_rounds": 5}, seed=number)
        self.jobs[job.id] = number

    def _deploy(self, client: aimass.Client, number: int) -> None:
        client.endpoints.deploy(f"{ENDPOINT}@{number % 2 + 1}", name=ENDPOINT)
