"""The queues of AWS Batch: what kind of machine a job needs, and whether somebody waits for it."""

from enum import StrEnum


class JobQueue(StrEnum):
    """What comes after the first queue's name in that of another. Queues in the background share the machines of those
    without that word, and go after them. Those of nodes have no spot machines, on which Batch puts no such job."""

    FIRST = ""
    BACKGROUND = "-background"
    GPU = "-gpu"
    GPU_BACKGROUND = "-gpu-background"
    NODES = "-nodes"
    GPU_NODES = "-gpu-nodes"


def queue_of(*, gpus: int, num_nodes: int, is_one_of_many: bool) -> JobQueue:
    """`is_one_of_many`: a worker of a study or of a batch prediction, of which there may be hundreds."""
    if num_nodes > 1:
        return JobQueue.GPU_NODES if gpus else JobQueue.NODES
    if is_one_of_many:
        return JobQueue.GPU_BACKGROUND if gpus else JobQueue.BACKGROUND
    return JobQueue.GPU if gpus else JobQueue.FIRST


def queue_names(first: str) -> list[str]:
    """Of all queues, by the name of the first."""
    return [f"{first}{queue}" for queue in JobQueue]
