"""Mixed traffic on a local cloud whose workers are killed all the time, and which is deployed anew in the middle.

`make chaos CHAOS_SECONDS=600`: prints a table, writes JSON, and leaves with 1 where something acknowledged was lost
or doubled.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import shutil
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

import aimass
from aimass.resources.datasets import DatasetVersion
from aimass_local import lifecycle
from tests.chaos.traffic import DROPPED, JOBS, Traffic
from tests.e2e.test_rollouts import register
from tests.stack import Stack, run_stack, server_pid, write_loans

KILL_EVERY_SECONDS = 10.0
# A version whose conversion was killed is free again when the lease of its worker is over: after 15 minutes.
SETTLE_SECONDS = 1_500.0
_LOOK_AGAIN_SECONDS = 5.0


@dataclass
class Chaos:
    """Kills one of the server's children every so often, whatever it does."""

    stack: Stack
    rng: random.Random
    killed: Counter[str] = field(default_factory=Counter)

    def run(self, seconds: float) -> None:
        """With one deployment in the middle."""
        begun, has_deployed = time.monotonic(), False
        while (left := begun + seconds - time.monotonic()) > 0:
            if not has_deployed and left < seconds / 2:
                has_deployed = True
                _say("deploying anew")
                deploy_anew(self.stack)
                _say("deployed")
            threading.Event().wait(min(KILL_EVERY_SECONDS, max(left, 0)))
            self._kill_one()

    def _kill_one(self) -> None:
        workers = sorted(psutil.Process(server_pid(self.stack)).children(recursive=True), key=lambda each: each.pid)
        if not workers:
            return
        worker = self.rng.choice(workers)
        with contextlib.suppress(psutil.NoSuchProcess):
            name = _name_of(worker)
            worker.kill()
            self.killed[name] += 1


def _name_of(worker: psutil.Process) -> str:
    words = worker.cmdline()
    return "job" if "batch_jobs" in words else "worker of a function"


def deploy_anew(stack: Stack) -> None:
    """`aimass local up` with a template in which every function has changed."""
    with tempfile.TemporaryDirectory() as folder:
        changed = Path(folder) / "template"
        shutil.copytree(lifecycle.TEMPLATE_DIR, changed)
        for path in changed.rglob("*.json"):
            document = json.loads(path.read_text("utf-8"))
            resources = document.get("Resources") if isinstance(document, dict) else None
            for resource in (resources or {}).values():
                if resource["Type"] == "AWS::Lambda::Function":
                    resource["Properties"]["Description"] = "Deployed anew."
            if resources:
                path.write_text(json.dumps(document), "utf-8")
        lifecycle.up(stack.data, port=stack.port, config_path=stack.config_path, template_dir=changed)


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="aimass-chaos-") as folder:
        stacks = run_stack(Path(folder))
        stack = next(stacks)
        try:
            report = _run(stack, Path(folder), seconds=options.seconds, seed=options.seed)
        finally:
            next(stacks, None)
    _print(report)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1), "utf-8")
    return 1 if report["lost"] or report["doubled"] else 0


def _run(stack: Stack, folder: Path, *, seconds: float, seed: int) -> dict[str, Any]:
    traffic, chaos = Traffic(stack), Chaos(stack, random.Random(seed))
    write_loans(folder / "loans.csv", num_rows=200, seed=0)
    with stack.client() as client:
        client.datasets.upload(folder / "loans.csv", name=JOBS, target="repaid")
        client.datasets.create(DROPPED)
        register(stack, client)
        client.endpoints.deploy("rolled@1")
    _say(f"{seconds:g} s of traffic")
    traffic.start()
    try:
        chaos.run(seconds)
    finally:
        traffic.stop()
    _say("the last answers are there; looking for what was acknowledged")
    with stack.client() as client:
        lost, doubled = _account(client, traffic)
    return {
        "seconds": seconds,
        "seed": seed,
        "killed": dict(chaos.killed),
        "acknowledged": {
            "dropped rows": len(traffic.rows),
            "datasets": len(traffic.datasets),
            "jobs": len(traffic.jobs),
            "settings": traffic.level,
        },
        "lost": lost,
        "doubled": doubled,
        "requests": {
            name: {
                "answered": len(kind.seconds),
                "failed": len(kind.faults),
                "tries": len(kind.tries),
                "failed tries": kind.tries.count(False),
                "availability": round(len(kind.seconds) / max(1, kind.num), 5),
                "p50_ms": round(kind.percentile(0.5) * 1_000, 1),
                "p99_ms": round(kind.percentile(0.99) * 1_000, 1),
                "faults": dict(Counter(kind.faults).most_common(5)),
            }
            for name, kind in sorted(traffic.kinds.items())
        },
    }


def _account(client: aimass.Client, traffic: Traffic) -> tuple[list[str], list[str]]:
    """What was acknowledged and is not there, and what is there twice."""
    lost = [f"dataset {name}" for name, id_ in traffic.datasets.items() if client.datasets.get(name).id != id_]
    found = _wait_for_rows(client, len(traffic.rows))
    lost += [f"row {number}" for number in sorted(traffic.rows - found.keys())]
    doubled = [f"row {number}" for number, times in found.items() if times > 1]
    requests = Counter(int(job.spec.seed) for job in client.jobs.list(kind="train"))  # type: ignore[union-attr]
    doubled += [f"job of request {number}" for number, times in requests.items() if times > 1]
    for job_id in traffic.jobs:
        ended = client.jobs.get(job_id).wait(raise_on_failure=False, timeout_seconds=SETTLE_SECONDS)
        if not ended.status.is_terminal:
            lost.append(f"job {job_id}")
    if client.settings.get("collection").values["preview_rows"] < traffic.level:
        lost.append("setting")
    return lost, doubled


def _wait_for_rows(client: aimass.Client, num_rows: int) -> Counter[int]:
    """Those of the drop folder's dataset, once there are as many as were acknowledged."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        latest = client.datasets.get(DROPPED).latest_version
        version = None if latest is None else client.datasets.get_version(DROPPED, latest)
        if (version is not None and (version.num_rows or 0) >= num_rows) or time.monotonic() > deadline:
            return Counter() if version is None else _ids(version)
        threading.Event().wait(_LOOK_AGAIN_SECONDS)


def _ids(version: DatasetVersion) -> Counter[int]:
    """Of all rows of a version, which come as one Parquet file or as a zip of several."""
    found = Counter[int]()
    with tempfile.TemporaryDirectory() as folder:
        path = version.download(Path(folder) / "rows")
        bodies = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                bodies = [archive.read(name) for name in archive.namelist()]
        for body in bodies:
            found.update(pq.read_table(io.BytesIO(body)).column("id").to_pylist())
    return found


def _say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def _print(report: dict[str, Any]) -> None:
    print(
        "| requests | answered | failed | availability | tries | of which failed | p50, ms | p99, ms |\n"
        "|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    for name, kind in report["requests"].items():
        print(
            f"| {name} | {kind['answered']:,} | {kind['failed']} | {kind['availability']:.3%} | {kind['tries']:,} "
            f"| {kind['failed tries']} | {kind['p50_ms']} | {kind['p99_ms']} |"
        )
    print(f"killed: {report['killed']}; acknowledged: {report['acknowledged']}")
    print(f"lost: {report['lost'] or 0}; doubled: {report['doubled'] or 0}")
    for name, kind in report["requests"].items():
        for fault, times in kind["faults"].items():
            print(f"{name}: {times} x {fault}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
