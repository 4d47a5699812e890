"""A program: what it takes a process that has ONNX Runtime, and nothing else, to load models and to answer.

It is run as a file. Each model is loaded in children of the process, which find no memory and no cache of another.
"""

import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

INPUTS = "inputs.npz"
ORDER = "order.json"
WARM_UP = "warm-up.onnx"
_REPEATS = 3
_LONG_SECONDS = 1.0
_STATUS = Path("/proc/self/status")


def main(folder: Path) -> None:
    """Prints a list, of each model `memory_bytes` and `seconds`."""
    order = json.loads((folder / ORDER).read_text())
    with np.load(folder / INPUTS) as stored:
        arrays = [stored[f"arr_{position}"] for position in range(len(order["names"]))]
    inputs = {
        name: values.astype(object) if values.dtype.kind == "U" else values
        for name, values in zip(order["names"], arrays, strict=True)
    }
    found: list[list[tuple[int, float]]] = [[] for _ in range(order["num_models"])]
    # What ONNX Runtime does once in a process. NOTE: with one thread it starts none, which a child would lack.
    _open(folder / WARM_UP, 1).run(None, {"warm": np.zeros(1, dtype=np.float32)})
    for _ in range(_REPEATS):
        for number, results in enumerate(found):
            if results and results[0][1] > _LONG_SECONDS:
                continue
            if (result := _in_child(folder / f"{number}.onnx", inputs, order["num_threads"])) is not None:
                results.append(result)
    medians = [
        {
            "memory_bytes": int(statistics.median(memory for memory, _ in results)) if results else None,
            "seconds": statistics.median(seconds for _, seconds in results) if results else None,
        }
        for results in found
    ]
    sys.stdout.write(json.dumps(medians))


def _in_child(path: Path, inputs: dict[str, Any], num_threads: int) -> tuple[int, float] | None:
    """None where it is killed, as by the system that has no memory left."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            json.dump(_load(path, inputs, num_threads), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return tuple(json.loads(answer)) if status == 0 else None


def _load(path: Path, inputs: dict[str, Any], num_threads: int) -> tuple[int, float]:
    before, start = _memory_bytes(), time.perf_counter()
    session = _open(path, num_threads)
    session.run(None, inputs)
    seconds = time.perf_counter() - start
    return max(_memory_bytes() - before, 0), seconds


def _open(path: Path, num_threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def _memory_bytes() -> int:
    """Memory of its own that is in use: code that is read from files is shared by all, and can be read again."""
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("RssAnon:"))
        return int(line.split()[1]) * 1024
    # macOS counts bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(Path(sys.argv[1]))
