"""Which job waits for which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from aimass_local.batch.jobs import Job


class Dependencies:
    """The jobs that wait, and what each of them still waits for."""

    def __init__(self) -> None:
        self._unmet: dict[str, set[str]] = {}
        self._waiting: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, job_id: str, targets: Iterable[str]) -> None:
        self._unmet[job_id] = set(targets)
        for target in self._unmet[job_id]:
            self._waiting[target].append(job_id)

    def resolve(self, target: str, *, is_success: bool) -> list[str]:
        """The jobs whose waiting is over because `target` has ended: all is well, or it has failed."""
        over = []
        for job_id in self._waiting.pop(target, []):
            unmet = self._unmet.get(job_id)
            if unmet is None:
                continue  # another of its targets has failed before
            unmet.discard(target)
            if not unmet or not is_success:
                del self._unmet[job_id]
                over.append(job_id)
        return over


def list_targets(job: Job) -> list[str]:
    """Ids of the jobs that have to succeed before `job` may run. An array itself waits through its children."""
    if job.is_array:
        return []
    targets = []
    for dependency in job.spec.depends_on:
        kind = dependency.get("type")
        if kind == "N_TO_N":
            targets.append(f"{dependency['jobId']}:{job.array_index}")
        elif kind == "SEQUENTIAL":
            targets += [f"{job.parent_id}:{job.array_index - 1}"] if job.array_index else []
        else:
            targets.append(dependency["jobId"])
    return targets
