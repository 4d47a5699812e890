"""The processes of a fit, connected by XGBoost's own collective; its tracker runs in the main one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import xgboost
from xgboost import collective
from xgboost.tracker import RabitTracker

from batch_jobs.algorithms.meeting import meet
from batch_jobs.algorithms.sharing import WAIT_SECONDS, Alone, Team, lost
from batch_jobs.runtime.cluster import Cluster

Value = TypeVar("Value")

_trackers: list[RabitTracker] = []


class XGBoostTeam:
    """Satisfies `Team`."""

    def __init__(self) -> None:
        self.rank, self.num_processes = collective.get_rank(), collective.get_world_size()

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """See Team."""
        raised = collective.allreduce(np.array(flags, dtype=np.float32), collective.Op.MAX)
        return [bool(flag) for flag in raised]

    def from_main(self, value: Value) -> Value:
        """See Team."""
        # NOTE: it takes no None.
        sent: list[Value] = collective.broadcast([value], 0)
        return sent[0]


@contextmanager
def joined(cluster: Cluster) -> Iterator[Team]:
    """Within it the processes of the cluster are a team, and whatever XGBoost does is done by all of them.

    Raises:
        UnavailableError: One of them was lost.
    """
    if cluster.is_alone:
        yield Alone()
        return
    try:
        tracker = _start_tracker(cluster) if cluster.is_main else None
        port = _agree_on_port(cluster, tracker)
        collective.init(
            dmlc_communicator="rabit",
            dmlc_tracker_uri=cluster.main_address,
            dmlc_tracker_port=port,
            dmlc_task_id=f"{cluster.rank:04d}",
            dmlc_timeout=WAIT_SECONDS,
        )
        yield XGBoostTeam()
        # NOTE: not in a `finally`. Where a process was lost, this would go on trying to tell the tracker, and
        # the tracker, freed while others are connected, would bring this process down with it.
        collective.finalize()
        if tracker is not None:
            tracker.wait_for()
            _trackers.remove(tracker)
    except xgboost.core.XGBoostError as error:
        if "collective" in str(error):
            raise lost(error) from error
        raise


def _start_tracker(cluster: Cluster) -> RabitTracker:
    tracker = RabitTracker(
        n_workers=cluster.num_processes,
        host_ip="0.0.0.0",  # noqa: S104 - as the meeting
        sortby="task",
        timeout=WAIT_SECONDS,
    )
    tracker.start()
    _trackers.append(tracker)
    return tracker


def _agree_on_port(cluster: Cluster, tracker: RabitTracker | None) -> int:
    """XGBoost's tracker cannot be reached before it is there."""
    port = 0 if tracker is None else int(tracker.worker_args()["dmlc_tracker_port"])
    try:
        (_, agreed), *_ = meet(cluster, port, wait_seconds=WAIT_SECONDS)
    except OSError as error:
        raise lost(error) from error
    return agreed
