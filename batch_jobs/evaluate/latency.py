"""How long a model takes to answer, where nothing else is known of where it will run."""

import time

import numpy as np

from batch_jobs.data.frames import Frame
from batch_jobs.data.stored import StoredFrame
from batch_jobs.evaluate.scoring import Scorer, to_inputs

_WARM_UP_RUNS, _MAX_RUNS, _MAX_MEASURED_SECONDS = 5, 200, 0.3


def measure_latency_ms(scorer: Scorer, frame: Frame | StoredFrame) -> float:
    """Of one row on one thread of ONNX Runtime, the median."""
    first = frame.take(np.array([0]))
    inputs = to_inputs(next(iter(first.batches())), scorer.signature)
    found: list[float] = []
    ends = time.perf_counter() + _MAX_MEASURED_SECONDS
    while len(found) < _WARM_UP_RUNS + _MAX_RUNS and (len(found) <= _WARM_UP_RUNS or time.perf_counter() < ends):
        began = time.perf_counter()
        scorer.run(inputs)
        found.append(time.perf_counter() - began)
    return round(float(np.median(found[_WARM_UP_RUNS:])) * 1000, 4)
