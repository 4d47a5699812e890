"""What members and fusions cost where they are to answer: with as many threads as the device has."""

import time

import numpy as np

from aimass_core.domain.model_jobs import Cost
from batch_jobs.data.frames import Frame
from batch_jobs.evaluate.scoring import Scorer, to_inputs
from batch_jobs.registered import costs
from batch_jobs.registered.models import RegisteredModel

_WARM_UP_RUNS, _MAX_RUNS, _MAX_SECONDS = 5, 200, 0.3


def measure_file(model: bytes, scorer: Scorer, rows: Frame, *, num_threads: int) -> Cost:
    """Of one graph, as all jobs measure it."""
    return costs.measure(model, scorer.signature, rows, num_threads=num_threads, seconds=_MAX_SECONDS)


def measure_member(model: RegisteredModel, rows: Frame, *, num_threads: int) -> Cost:
    """Of a model that is there already: how fast it is, and its file."""
    scorer = model.scorer if num_threads == 1 else Scorer(model.model, model.signature, num_threads=num_threads)
    return measure_latency(scorer, rows, model_bytes=len(model.model))


def measure_latency(scorer: Scorer, rows: Frame, *, model_bytes: int) -> Cost:
    """Of one row after the other, however many graphs answer it."""
    inputs = to_inputs(rows.take(np.array([0])), scorer.signature)
    found: list[float] = []
    ends = time.perf_counter() + _MAX_SECONDS
    while len(found) < _WARM_UP_RUNS + _MAX_RUNS and (len(found) <= _WARM_UP_RUNS or time.perf_counter() < ends):
        began = time.perf_counter()
        scorer.run(inputs)
        found.append((time.perf_counter() - began) * 1000)
    times = found[_WARM_UP_RUNS:]
    return Cost(
        latency_p50_ms=round(float(np.median(times)), 4),
        latency_p95_ms=round(float(np.percentile(times, 95)), 4),
        model_bytes=model_bytes,
    )
