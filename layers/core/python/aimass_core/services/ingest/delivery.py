"""Takes rows that a job made into a dataset: as a version that is typed, checked and profiled as an upload's is.

Nothing is copied to the landing bucket. Only whoever delivers can finish the version, because rows that go with it (a
cursor, a mark of a replay) are written in the transaction that makes it READY: if somebody else made it READY without
them, the next run would bring its rows again. A version that is not finished is REJECTED by the reconciler, when the
job has ended or the lease is over.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from aimass_core.domain import keys
from aimass_core.domain.common import Principal
from aimass_core.domain.datasets import Dataset, DatasetVersion, WriteMode
from aimass_core.errors import UnavailableError
from aimass_core.ports import Ports, Write
from aimass_core.services import records
from aimass_core.services.ingest import closing, versions
from aimass_core.services.ingest.closing import Delivered
from aimass_core.services.ingest.conversion import LocalFile, OnProgress
from aimass_core.services.ingest.evolution import FROZEN, Evolution, Merge
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.versions import Claim

_POLL_SECONDS = 1.0


def find(ports: Ports, dataset: Dataset, key: str) -> DatasetVersion | None:
    """The version that was delivered with this key, finished or not."""
    row = ports.registry.get(_row_key(dataset, key))
    if row is None:
        return None
    return records.get(ports, DatasetVersion, dataset.workspace_id, dataset.id, int(row.data["number"]))


def deliver(
    ports: Ports,
    principal: Principal,
    dataset: Dataset,
    files: Sequence[LocalFile],
    *,
    mode: WriteMode,
    key: str,
    quarantined: Path | None = None,
    num_seen: int = 0,
    also: Sequence[Write] = (),
    evolution: Evolution = FROZEN,
    merge: Merge | None = None,
    job_id: str | None = None,
    lease_seconds: float = 6 * 3600,
    patience_seconds: float = 600,
    sleep: Callable[[float], None] = time.sleep,
    limits: Limits | None = None,
    on_progress: OnProgress = lambda _phase, _step, _num_steps: None,
) -> DatasetVersion:
    """The version that the files became, READY or REJECTED. The files are used up, but for those that the caller keeps.

    Args:
        files: Parquet or JSON Lines; none where every row was refused.
        key: names the delivery within the dataset. Whoever comes again with it gets the version that there is; where
            it was not finished, it is made of these files, and with these `also`.
        quarantined: JSON Lines of QuarantinedRow, refused before they came here; the dataset's policy counts them.
        num_seen: of how many rows they were refused, where more were looked at than come here.
        also: written with the READY version, in one transaction. Not written with a REJECTED one.
        evolution: how the rows may differ from those of the version before.
        merge: how they come together with those, where `mode` is APPEND.
        job_id: the job that delivers; a later attempt of it takes over at once.
        lease_seconds: how long the caller lives at most.
        patience_seconds: how long to wait for older versions of the dataset that are not finished yet.

    Raises:
        ConflictError: a condition of `also` does not hold. The version stays open, for a repetition with other `also`.
        UnavailableError: older versions were not finished in time, or another worker delivers with this key.
    """
    claimed = _claim(
        ports,
        principal,
        dataset,
        mode,
        key=key,
        job_id=job_id,
        lease_seconds=lease_seconds,
        num_tries=int(patience_seconds / _POLL_SECONDS) + 1,
        sleep=sleep,
    )
    if isinstance(claimed, DatasetVersion):
        return claimed
    return closing.convert(
        ports,
        claimed,
        limits=limits or Limits(),
        on_progress=on_progress,
        delivered=Delivered(
            files=files, quarantined=quarantined, num_seen=num_seen, also=also, evolution=evolution, merge=merge
        ),
    )


def _claim(
    ports: Ports,
    principal: Principal,
    dataset: Dataset,
    mode: WriteMode,
    *,
    key: str,
    job_id: str | None,
    lease_seconds: float,
    num_tries: int,
    sleep: Callable[[float], None],
) -> Claim | DatasetVersion:
    """The right to convert, or the version where it has ended."""
    row_key = _row_key(dataset, key)
    for index in range(num_tries):
        if index:
            sleep(_POLL_SECONDS)
        version = find(ports, dataset, key)
        if version is None:
            claimed = versions.open_claimed(
                ports, principal, dataset.id, mode, key=row_key, job_id=job_id, lease_seconds=lease_seconds
            )
        elif version.status.is_terminal:
            return version
        else:
            takes_over = job_id is not None and version.job_id == job_id
            claimed = versions.claim(
                ports,
                dataset.workspace_id,
                dataset.id,
                version.number,
                lease_seconds=lease_seconds,
                takes_over=takes_over,
            )
        if claimed is not None:
            return claimed
    raise UnavailableError(
        f"The dataset {dataset.name!r} has a version that is not finished yet, or this delivery is being made by "
        "another worker. Try again when that has ended."
    )


def _row_key(dataset: Dataset, key: str) -> keys.RowKey:
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return keys.row(dataset.workspace_id, "delivery", dataset.id, name)
