"""Where a job waits on Batch."""

import pytest

from aimass_core.domain.job_queues import JobQueue, queue_names, queue_of


@pytest.mark.parametrize(
    ("gpus", "num_nodes", "is_one_of_many", "queue"),
    [
        (0, 1, False, JobQueue.FIRST),
        (0, 1, True, JobQueue.BACKGROUND),
        (1, 1, False, JobQueue.GPU),
        (1, 1, True, JobQueue.GPU_BACKGROUND),
        (0, 2, False, JobQueue.NODES),
        (8, 2, False, JobQueue.GPU_NODES),
    ],
)
def test_a_job_waits_where_its_machines_are_and_many_let_others_go_first(
    gpus: int, num_nodes: int, is_one_of_many: bool, queue: JobQueue
) -> None:
    assert queue_of(gpus=gpus, num_nodes=num_nodes, is_one_of_many=is_one_of_many) is queue


def test_queues_have_names_of_their_own() -> None:
    assert sorted(queue_names("aimass")) == [
        "aimass",
        "aimass-background",
        "aimass-gpu",
        "aimass-gpu-background",
        "aimass-gpu-nodes",
        "aimass-nodes",
    ]
