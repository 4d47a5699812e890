"""One process of two: trains alone, then with the other, then again alone while the other does so too.

Started as `python -m tests.benchmarks.sharing <rank> <port> <rounds>`; prints the seconds of each, a JSON list a round.
"""

from __future__ import annotations

import json
import sys
import time

from aimass_core.domain.jobs import TrainSpec
from batch_jobs.algorithms.learning import FitContext
from batch_jobs.algorithms.registry import build_learner
from batch_jobs.runtime.cluster import Cluster
from tests.benchmarks.workloads import Quiet, images, plain_steps, problem_of_images

ROWS, BATCH, EPOCHS = 2_048, 128, 4


def main(rank: int, port: int, num_rounds: int) -> None:
    """Each process's part of a shared batch has as many rows as the batch of one that is alone."""
    problem, examples = problem_of_images(num_threads=1), images(ROWS)
    both = Cluster(rank=rank, hosts=("algo-1", "algo-2"), first_port=port)

    def fit(cluster: Cluster) -> float:
        size = BATCH * cluster.num_processes
        hyperparameters = {**plain_steps("cnn"), "epochs": EPOCHS, "batch_size": size}
        learner = build_learner(TrainSpec(dataset="bench", algorithm="cnn", hyperparameters=hyperparameters))
        context = FitContext(listener=Quiet(), num_steps=EPOCHS, cluster=cluster)
        started = time.perf_counter()
        learner.fit(problem, examples, None, context=context)
        return time.perf_counter() - started

    fit(Cluster())
    fit(both)
    for _ in range(num_rounds):
        # Meanwhile the other one waits for this one to share.
        alone = fit(Cluster()) if rank == 0 else 0.0
        shared = fit(both)
        beside = fit(Cluster())
        print(json.dumps([alone, shared, beside]), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
