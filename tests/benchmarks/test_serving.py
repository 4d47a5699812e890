"""The container beside other servers of models: the same file, the same request, one worker process each, in turns.

AIMASS_BENCH_SERVERS names the peers (`fastapi,litserve,mlserver,bentoml`), each in an environment of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.benchmarks.automl.environments import NotInstalledError, Peer
from tests.benchmarks.report import print_table
from tests.benchmarks.serving.load import Load, ask
from tests.benchmarks.serving.models import write
from tests.ports import free_port

_HERE = Path(__file__).parent / "serving"
_ROOT = Path(__file__).parents[2]
_COMMON = ("numpy==2.4.6", "onnxruntime==1.32.0")
_FASTAPI = ("fastapi==0.165.0", "uvicorn==0.54.0", "uvloop==0.23.0", "httptools==0.9.0")
PEERS = {
    "fastapi": Peer(name="serving-fastapi", requirements=(*_COMMON, *_FASTAPI)),
    "litserve": Peer(name="serving-litserve", requirements=("litserve", "uvloop", *_COMMON)),
    "mlserver": Peer(name="serving-mlserver", requirements=("mlserver", "onnxruntime")),
    "bentoml": Peer(name="serving-bentoml", requirements=("bentoml", *_COMMON)),
}
_PATHS = {"mlserver": "/v2/models/model/infer"}
OURS = "AI Mass"
NUM_CLIENTS = (1, 16, 64)
NUM_REQUESTS, NUM_ROUNDS = 1_500, 2
_START_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One that runs."""

    name: str
    port: int
    path: str
    process: subprocess.Popen[bytes]

    def memory_mb(self) -> float:
        """Of all its processes: what they share counts once."""
        process = psutil.Process(self.process.pid)
        return sum(each.memory_full_info().pss for each in [process, *process.children(recursive=True)]) / 1e6


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("name", ["table", "image"])
def test_container_beside_other_servers(tmp_path: Path, name: str) -> None:
    model, body = write(tmp_path / "models")[name]
    peers = os.environ.get("AIMASS_BENCH_SERVERS", ",".join(PEERS)).split(",")
    pythons = dict(_install([peer for peer in peers if peer]))
    best: dict[str, dict[int, Load]] = {}
    memory: dict[str, float] = {}
    for _ in range(NUM_ROUNDS):
        for server in (OURS, *pythons):
            with _running(server, model, pythons) as running:
                ask(running.port, running.path, body, num_clients=1, num_requests=300)
                for num in NUM_CLIENTS:
                    load = ask(running.port, running.path, body, num_clients=num, num_requests=NUM_REQUESTS)
                    known = best.setdefault(server, {}).get(num, load)
                    best[server][num] = replace(
                        load,
                        p50_ms=min(known.p50_ms, load.p50_ms),
                        p99_ms=min(known.p99_ms, load.p99_ms),
                        per_second=max(known.per_second, load.per_second),
                    )
                memory[server] = running.memory_mb()
    _print(name, best, memory)


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("peer", PEERS)
def test_peer_answers_as_the_container_does(tmp_path: Path, peer: str) -> None:
    try:
        pythons = {peer: PEERS[peer].install()}
    except NotInstalledError as error:
        pytest.skip(str(error))
    model, body = write(tmp_path / "models")["table"]
    answers = {}
    for server in (OURS, peer):
        with _running(server, model, pythons) as running:
            load = ask(running.port, running.path, body, num_clients=2, num_requests=50)
            assert load.per_second > 0
            headers = {"content-type": "application/json"}
            answered = httpx2.post(f"http://127.0.0.1:{running.port}{running.path}", content=body, headers=headers)
            assert answered.status_code == 200, answered.text
            answers[server] = {each["name"]: each["data"] for each in answered.json()["outputs"]}
    assert answers[peer].keys() == answers[OURS].keys()
    for name, values in answers[OURS].items():
        assert answers[peer][name] == (values if isinstance(values[0], str) else pytest.approx(values, abs=1e-5))


def _install(peers: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Their Pythons. One that pip cannot get is told, and left out."""
    for peer in peers:
        try:
            yield peer, PEERS[peer].install()
        except NotInstalledError as error:
            print(error)


def _print(name: str, best: Mapping[str, Mapping[int, Load]], memory: Mapping[str, float]) -> None:
    header = ["", "p50, 1 client", *(f"requests/s, {num}" for num in NUM_CLIENTS), "memory"]
    rows = [
        [
            server,
            f"{loads[1].p50_ms:.2f} ms",
            *(f"{loads[num].per_second:,.0f}" for num in NUM_CLIENTS),
            f"{memory[server]:.0f} MB",
        ]
        for server, loads in best.items()
    ]
    print_table(f"{name}: one worker, the best of {NUM_ROUNDS} rounds", header, rows)


@contextmanager
def _running(name: str, model: Path, pythons: Mapping[str, Path]) -> Iterator[Server]:
    port = free_port()
    command: Sequence[str] = [str(pythons.get(name, "")), str(_HERE / f"{name}_peer.py"), str(port)]
    path = _PATHS.get(name, "/infer")
    if name == OURS:
        folder = str(model.parent)
        command = [sys.executable, "-m", "batch_jobs", "serve", "--models", folder, "--name", "model"]
        command = [*command, "--port", str(port), "--workers", "1"]
        path = "/v2/models/model/infer"
    environment = {**os.environ, "MODEL": str(model), "PYTHONPATH": str(_HERE if name != OURS else _ROOT)}
    with (model.parent / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=model.parent)
    try:
        _wait(process, port, model.parent / f"{name}.log")
        yield Server(name=name, port=port, path=path, process=process)
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        _, left = psutil.wait_procs([psutil.Process(process.pid), *children], timeout=20)
        for each in left:
            each.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until something listens: with a model, since all load it before."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/ping", timeout=5).status_code != 503:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
