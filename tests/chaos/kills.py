"""kill -9 of a local cloud at random moments, with writers at work: is all that it has acknowledged there, and once?

`make kills KILLS=200`: prints a table, writes JSON, and leaves with 1 where something acknowledged was lost or doubled.
Of seven kills three meet a server that is still starting, and one a server whose HTTP API is written to as well: there
the functions' workers begin anew, which takes most of the time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from botocore.exceptions import BotoCoreError, ClientError

from aimass_local import lifecycle, lock
from tests.chaos.stores import Datasets, Items, Messages, Objects, Parameters, Store
from tests.stack import Stack, run_stack, server_pid, wait_until

_WRITING_SECONDS = (0.05, 6.0)
_STARTING_SECONDS = (0.0, 2.0)
_EVERY_NTH_WITH_API = 4
# Of a machine so busy that a server is not ready in the time that `aimass local up` gives it.
_MAX_SLOW_STARTS = 5


@dataclass(kw_only=True)
class Ledger:
    """What was acknowledged by whom, and what became of it."""

    kills: int = 0
    kills_in_start: int = 0
    slow_starts: int = 0
    """Which were given up and begun anew."""
    names: dict[str, set[str]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    """Answers that were neither an acknowledgement nor a broken connection."""

    @property
    def acknowledged(self) -> dict[str, int]:
        return {kind: len(names) for kind, names in self.names.items()}

    def compare(self, acknowledged: set[str], found: Counter[str]) -> None:
        """Takes down what is not there, and what is there more than once whether it was acknowledged or not."""
        self.lost |= acknowledged - (+found).keys()
        self.doubled |= {name for name, times in found.items() if times > 1}


class Kills:
    """Writers on a local cloud, and the one who kills it."""

    def __init__(self, stack: Stack, *, seed: int) -> None:
        self.ledger = Ledger()
        self._stack = stack
        self._moments = random.Random(seed)
        self._stores: list[Store] = [each(stack) for each in (Objects, Items, Messages, Parameters)]
        self._with_api = [Datasets(stack), *self._stores]
        self._unread: dict[str, set[str]] = {store.kind: set() for store in self._with_api}
        self._server: subprocess.Popen[bytes] | None = None

    def run(
        self, num_kills: int, *, max_seconds: float = float("inf"), report: Callable[[Ledger], None] = lambda _: None
    ) -> Ledger:
        """Leaves the cloud killed."""
        try:
            return self._run(num_kills, max_seconds=max_seconds, report=report)
        finally:
            for store in self._with_api:
                store.close()
            if self._server is not None:
                self._server.kill()
                self._server.wait()

    def _run(self, num_kills: int, *, max_seconds: float, report: Callable[[Ledger], None]) -> Ledger:
        pid, number, until = server_pid(self._stack), 0, time.monotonic() + max_seconds
        while self.ledger.kills < num_kills and time.monotonic() < until:
            has_api = number % _EVERY_NTH_WITH_API == 0
            stores = self._with_api if has_api else self._stores
            for store in stores:
                self._read_back(store)
            self._kill_while_writing(pid, number, stores)
            if not has_api and self.ledger.kills < num_kills:
                self._kill_in_start()
            pid = self._start()
            report(self.ledger)
            number += 1
        for store in self._with_api:
            self.ledger.compare(self.ledger.names.get(store.kind, set()), store.find_all())
        return self.ledger

    def _start(self) -> int:
        for _ in range(_MAX_SLOW_STARTS):
            try:
                return self._start_once()
            except lifecycle.LifecycleError:
                wait_until(lambda: lock.find_holder(self._stack.data.lock_path) is None)
                self.ledger.slow_starts += 1
        return self._start_once()

    def _start_once(self) -> int:
        self._server = lifecycle.start(self._stack.data, port=self._stack.port)
        return self._server.pid

    def _read_back(self, store: Store) -> None:
        """What was acknowledged in the last life in which the store was written to."""
        names = self._unread[store.kind]
        self.ledger.compare(names, store.find(names))
        self._unread[store.kind] = set()

    def _kill_while_writing(self, pid: int, number: int, stores: Sequence[Store]) -> None:
        written: dict[str, set[str]] = {store.kind: set() for store in stores}
        with self._writing(number, stores, written):
            # Workers begin anew with each server: kills are to meet writes.
            wait_until(lambda: all(written.values()), seconds=600)
            threading.Event().wait(self._moments.uniform(*_WRITING_SECONDS))
            self._kill(pid)
            if self._server is not None:
                self._server.wait()
        for kind, names in written.items():
            self._unread[kind] |= names
            self.ledger.names.setdefault(kind, set()).update(names)

    @contextlib.contextmanager
    def _writing(self, number: int, stores: Sequence[Store], written: dict[str, set[str]]) -> Iterator[None]:
        stop = threading.Event()
        with ThreadPoolExecutor(len(stores)) as pool:
            running = [pool.submit(self._write, store, number, written[store.kind], stop) for store in stores]
            try:
                yield
            finally:
                stop.set()
        for each in running:
            each.result()

    def _write(self, store: Store, number: int, acknowledged: set[str], stop: threading.Event) -> None:
        count = 0
        while not stop.is_set():
            name = f"{store.kind}-{number}-{count}"
            count += 1
            try:
                store.write(name)
            except (ClientError, httpx2.HTTPStatusError) as error:
                self.ledger.refused.append(f"{name}: {error}")
            except (BotoCoreError, httpx2.TransportError):
                return
            else:
                acknowledged.add(name)

    def _kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: lock.find_holder(self._stack.data.lock_path) is None)
        self.ledger.kills += 1

    def _kill_in_start(self) -> None:
        """Wherever the start is at that moment."""
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(lifecycle.start, self._stack.data, port=self._stack.port)
            holder = wait_until(lambda: lock.find_holder(self._stack.data.lock_path))
            assert holder is not None
            threading.Event().wait(self._moments.uniform(*_STARTING_SECONDS))
            self._kill(holder.pid)
            self.ledger.kills_in_start += 1
            with contextlib.suppress(lifecycle.LifecycleError):
                starting.result().wait()


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="Begin no other life after so many.")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aimass-kills-") as folder:
        stacks = run_stack(Path(folder))
        stack = next(stacks)
        try:
            ledger = Kills(stack, seed=options.seed).run(options.kills, max_seconds=options.seconds, report=_say)
        finally:
            next(stacks, None)
    report = {
        "seed": options.seed,
        "kills": ledger.kills,
        "kills in a start": ledger.kills_in_start,
        "slow starts": ledger.slow_starts,
        "acknowledged": ledger.acknowledged,
        "lost": sorted(ledger.lost),
        "doubled": sorted(ledger.doubled),
        "refused": ledger.refused,
        "seconds": round(time.monotonic() - begun),
        "machine": _machine(),
    }
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1), "utf-8")
    _print(report)
    return 1 if ledger.lost or ledger.doubled or ledger.refused else 0


def _machine() -> str:
    load = ", ".join(f"{each:.0f}" for each in os.getloadavg())
    processors = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} processors ({platform.machine()})"
    return f"{processors}, load {load}, Python {platform.python_version()}"


def _say(ledger: Ledger) -> None:
    counts = f"{ledger.kills} kills, {ledger.acknowledged}, {len(ledger.lost)} lost, {len(ledger.doubled)} doubled"
    print(f"{time.strftime('%H:%M:%S')} {counts}", file=sys.stderr, flush=True)


def _print(report: dict[str, Any]) -> None:
    print("| acknowledged | |\n|---|--:|")
    for kind, num in report["acknowledged"].items():
        print(f"| {kind}s | {num:,} |")
    print(f"| all | {sum(report['acknowledged'].values()):,} |")
    kills = f"{report['kills']} kills, {report['kills in a start']} of them in a start"
    print(f"{kills}, in {report['seconds']} s (seed {report['seed']})")
    print(report["machine"])
    print(f"lost: {report['lost'] or 0}; doubled: {report['doubled'] or 0}; refused: {report['refused'] or 0}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
