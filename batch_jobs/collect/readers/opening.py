"""Which reader reads a source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aimass_core.domain import keys
from aimass_core.domain.collectors import (
    Collector,
    FeedCollector,
    FilesCollector,
    PythonCollector,
    RestCollector,
    S3Collector,
    SftpCollector,
    SingerCollector,
    SqlCollector,
    WebhookCollector,
)
from aimass_core.domain.sources import Cursor
from aimass_core.errors import InvalidRequestError
from aimass_core.ports import BlobNotFoundError, BlobStore, Ports
from batch_jobs.collect.errors import AddressRefusedError
from batch_jobs.collect.readers import feeds, files, programs, rest, sftp, sql
from batch_jobs.collect.reading import Item, Reading
from batch_jobs.runtime.storage.digests import sha256_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What readers need beside their reading.

    Attributes:
        open_bucket: opens one of `buckets`, which are all that collectors may read.
        cursor_of: the cursor of a stream, by the policy.
        max_seconds: how long the run may read.
    """

    ports: Ports
    workspace_id: str
    open_bucket: Callable[[str], BlobStore]
    buckets: frozenset[str]
    cursor_of: Callable[[str], Cursor | None]
    max_seconds: float


def cursors(collector: Collector) -> dict[str, Cursor]:
    """The cursors that a collector's own configuration names."""
    return rest.cursors(collector.config) if isinstance(collector, RestCollector) else {}


def read(collector: Collector, reading: Reading, opening: Opening) -> Iterator[Item]:
    """Everything that a source has to say."""
    match collector:
        case PythonCollector() | SingerCollector():
            yield from _read_program(collector, reading, opening)
        case RestCollector():
            yield from rest.read(collector.config, reading)
        case FilesCollector():
            yield from files.read_urls(collector, reading)
        case S3Collector():
            yield from files.read_bucket(collector, _open_bucket(collector, opening), reading)
        case SftpCollector():
            yield from sftp.read(collector, reading)
        case SqlCollector():
            names = [*collector.tables, *collector.queries]
            found = {name: cursor.path for name in names if (cursor := opening.cursor_of(name)) is not None}
            yield from sql.read(collector, reading, found)
        case FeedCollector():
            yield from feeds.read(collector, reading)
        case WebhookCollector():
            raise InvalidRequestError("Nothing reads a webhook's source: others send its records.")


def _read_program(collector: PythonCollector | SingerCollector, reading: Reading, opening: Opening) -> Iterator[Item]:
    packed = reading.work_path / "package.tar.gz"
    key = keys.job_source(opening.workspace_id, collector.package)
    try:
        opening.ports.lake.download(key, packed)
    except BlobNotFoundError as error:
        raise InvalidRequestError(
            "The collector's package is gone from the lake. Publish it again: aimass collectors publish"
        ) from error
    if sha256_of(packed) != collector.package:
        raise InvalidRequestError("The collector's package is damaged: its SHA-256 is another. Publish it again.")
    yield from programs.read(collector, packed, reading, max_seconds=opening.max_seconds)


def _open_bucket(collector: S3Collector, opening: Opening) -> BlobStore:
    if collector.bucket not in opening.buckets:
        raise AddressRefusedError(
            f"Collectors may not read the bucket {collector.bucket!r}. The deployment names those that they may: "
            "AIMASS_COLLECT_BUCKETS."
        )
    return opening.open_bucket(collector.bucket)
