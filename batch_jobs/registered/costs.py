"""What models cost where they run: measured with ONNX Runtime on the exported files, nothing is estimated."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto

from aimass_core.domain.model_jobs import Cost, Device
from aimass_core.domain.signatures import Signature
from batch_jobs.algorithms.export.builder import GraphBuilder
from batch_jobs.data.frames import Array, Frame
from batch_jobs.evaluate.scoring import to_inputs
from batch_jobs.registered import cold_start, operations

_LAMBDA_MB_PER_CPU = 1769
_NUM_ROWS = 16
_WARM_UP_RUNS = 3
_RUNS_A_TURN = 8
_MIN_TURNS = 4
_MAX_RUNS = 2000
_FRESH_SECONDS = 120.0

Inputs = dict[str, Array]


def resolve_threads(device: Device, *, num_cpus: int) -> int:
    """As many as ONNX Runtime uses on the device: a Lambda function has a processor for each 1,769 MB, and one that
    has a part of one runs one thread; a container all of the `num_cpus` of the job; a mobile one: its fast cores are
    few, and wanted by others."""
    if device is Device.CONTAINER:
        return max(num_cpus, 1)
    if device is Device.MOBILE:
        return 1
    memory_mb = int(device.value.removeprefix("lambda-").removesuffix("mb"))
    return max(round(memory_mb / _LAMBDA_MB_PER_CPU), 1)


def measure(
    model: bytes, signature: Signature, rows: Frame, *, num_threads: int, seconds: float = 1.0, is_fresh: bool = True
) -> Cost:
    """One model. To compare several use `measure_all`, as what disturbs the machine then hits all alike."""
    return measure_all([model], signature, rows, num_threads=num_threads, seconds=seconds, is_fresh=is_fresh)[0]


def measure_all(
    models: Sequence[bytes],
    signature: Signature,
    rows: Frame,
    *,
    num_threads: int,
    seconds: float = 1.0,
    is_fresh: bool = True,
    known: Sequence[Cost | None] | None = None,
) -> list[Cost]:
    """Several models that take the same inputs, in turns.

    Args:
        models: The files.
        signature: Of all of them.
        rows: Whose first few are asked for, one at a time.
        num_threads: See `resolve_threads`.
        seconds: That the latency of each model may take to measure; a slow one takes a few runs at least.
        is_fresh: Whether memory and cold start are measured too, in a process that takes about a second to begin.
        known: What was measured before: of these models only the latency is measured again.
    """
    known = known or [None] * len(models)
    singles = [to_inputs(rows.take(np.asarray([row])), signature) for row in range(min(rows.num_rows, _NUM_ROWS))]
    latencies = _measure_latencies(models, singles, num_threads=num_threads, seconds=seconds)
    new = [model for model, cost in zip(models, known, strict=True) if cost is None]
    fresh = iter(
        _measure_fresh(new, singles[0], num_threads=num_threads) if is_fresh and new else [_Fresh()] * len(new)
    )
    found = []
    for model, times, cost in zip(models, latencies, known, strict=True):
        p50, p95 = (round(float(np.percentile(times, share)) * 1e3, 5) for share in (50, 95))
        if cost is not None:
            found.append(cost.model_copy(update={"latency_p50_ms": p50, "latency_p95_ms": p95}))
            continue
        start = next(fresh)
        found.append(
            Cost(
                latency_p50_ms=p50,
                latency_p95_ms=p95,
                model_bytes=len(model),
                memory_bytes=start.memory_bytes,
                cold_start_ms=None if start.seconds is None else round(start.seconds * 1e3, 3),
                num_operations=operations.count(model, singles),
            )
        )
    return found


@dataclass(slots=True)
class _Runner:
    session: Any
    times: list[float] = field(default_factory=list)
    position: int = 0

    def turn(self, inputs: Sequence[Inputs], num_runs: int) -> None:
        """Some runs in a row, each of the next row. The first is not counted: others have just used the caches."""
        for number in range(num_runs + 1):
            feed = inputs[self.position % len(inputs)]
            self.position += 1
            start = time.perf_counter()
            self.session.run(None, feed)
            if number:
                self.times.append(time.perf_counter() - start)


def _measure_latencies(
    models: Sequence[bytes], inputs: Sequence[Inputs], *, num_threads: int, seconds: float
) -> list[list[float]]:
    runners = [_Runner(session=_open(model, num_threads=num_threads)) for model in models]
    for runner in runners:
        runner.turn(inputs, _WARM_UP_RUNS)
        runner.times.clear()
    deadline = time.perf_counter() + seconds * len(models)
    for turn in range(_MAX_RUNS // _RUNS_A_TURN):
        # Back and forth: none is always the one after the slowest.
        for runner in runners[:: -1 if turn % 2 else 1]:
            runner.turn(inputs, _RUNS_A_TURN)
        if turn + 1 >= _MIN_TURNS and time.perf_counter() > deadline:
            break
    return [runner.times for runner in runners]


def _open(model: bytes, *, num_threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True, slots=True)
class _Fresh:
    """None: it could not be measured, as the process did not live long enough."""

    memory_bytes: int | None = None
    seconds: float | None = None


def _measure_fresh(models: Sequence[bytes], inputs: Inputs, *, num_threads: int) -> list[_Fresh]:
    """Memory and cold start, in a process that imports nothing but ONNX Runtime."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, model in enumerate(models):
            (folder / f"{number}.onnx").write_bytes(model)
        (folder / cold_start.WARM_UP).write_bytes(_build_warm_up())
        texts = {key: values.astype(np.str_) if values.dtype == object else values for key, values in inputs.items()}
        # NOTE: names of columns are not names of files.
        np.savez(folder / cold_start.INPUTS, *texts.values())
        order = {"names": list(texts), "num_models": len(models), "num_threads": num_threads}
        (folder / cold_start.ORDER).write_text(json.dumps(order))
        try:
            done = subprocess.run(
                [sys.executable, "-P", cold_start.__file__, name],
                capture_output=True,
                check=True,
                timeout=_FRESH_SECONDS,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return [_Fresh() for _ in models]
    return [_Fresh(**values) for values in json.loads(done.stdout)]


def _build_warm_up() -> bytes:
    graph = GraphBuilder("warm-up")
    value = graph.input("warm", TensorProto.FLOAT, ["rows"])
    graph.output(graph.node("Add", value, value), "answer", TensorProto.FLOAT, ["rows"])
    return bytes(graph.build().SerializeToString())
