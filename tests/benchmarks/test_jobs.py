"""From submit to the first training step, beside the same container started by hand."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import aimass
from aimass_core.domain.jobs import EventType, JobEvent
from aimass_core.domain.jobs import Job as JobContract
from tests.benchmarks.report import print_table
from tests.stack import write_loans


def test_seconds_to_first_step(client: aimass.Client, tmp_path: Path) -> None:
    write_loans(tmp_path / "loans.csv", num_rows=1000, seed=0)
    dataset = client.datasets.upload(tmp_path / "loans.csv", name="bench-jobs", target="repaid")
    rows = []
    for algorithm, module in (("xgboost", "xgboost"), ("mlp", "torch")):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}, sklearn, onnxruntime"], check=True)
        imports = time.perf_counter() - started
        rows.append([f"import {module}, sklearn, onnxruntime alone", f"{imports:.2f} s"])
        marks: dict[str, float] = {}
        begun = time.perf_counter()

        def on_update(job: JobContract, events: Sequence[JobEvent], marks=marks, begun=begun) -> None:  # type: ignore[no-untyped-def]
            now = time.perf_counter() - begun
            marks.setdefault(str(job.status), now)
            if any(event.type is EventType.METRICS for event in events):
                marks.setdefault("first step", now)

        client.jobs.train(dataset, algorithm=algorithm).wait(on_update=on_update)
        rows += [[f"{algorithm}: submit to {name}", f"{seconds:.2f} s"] for name, seconds in marks.items()]
    print_table("A training job", ["", "time"], rows)
