"""The entry of the kind `collect`: puts a run together from what the container has."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from aimass_core import bootstrap
from aimass_core.domain import keys
from aimass_core.domain.collectors import PythonCollector, SingerCollector
from aimass_core.domain.jobs import CollectSpec, Job
from aimass_core.domain.sources import SourceRecord, StreamMode
from aimass_core.errors import InternalError, InvalidRequestError
from aimass_core.ports import BlobStore, Ports, SecretNotFoundError
from aimass_core.services import records
from aimass_core.settings import CollectSettings
from batch_jobs.collect.collecting import Collection
from batch_jobs.collect.network import Network, Timing
from batch_jobs.collect.readers import opening
from batch_jobs.collect.readers.opening import Opening
from batch_jobs.collect.reading import Reading, ReadSecret
from batch_jobs.runtime.environment import Environment
from batch_jobs.runtime.reporting import Reporter

# What the last answer may take beyond the time of reading; making versions takes time too.
_LAST_ANSWER_SECONDS = 60.0


def run(environment: Environment, reporter: Reporter) -> dict[str, float]:
    """Raises InvalidRequestError or InvalidDataError in words for the owner of the source."""
    if not isinstance(environment.spec, CollectSpec):
        raise InternalError(f"A job of the kind {environment.spec.kind} was started as collect.")
    settings = CollectSettings()
    ports = bootstrap.build_ports(settings)
    with tempfile.TemporaryDirectory(prefix="aimass-collect-", dir=environment.base_path) as folder:
        # NOTE: a program that runs as nobody has to pass through.
        Path(folder).chmod(0o711)
        return collect(
            ports, settings, environment.spec, reporter, work_path=Path(folder), open_bucket=ports.open_bucket
        )


def collect(
    ports: Ports,
    settings: CollectSettings,
    spec: CollectSpec,
    reporter: Reporter,
    *,
    work_path: Path,
    open_bucket: Callable[[str], BlobStore],
    timing: Timing | None = None,
) -> dict[str, float]:
    """One run of the source that the spec names."""
    record = records.get(ports, SourceRecord, settings.workspace_id, spec.source)
    max_seconds = float(record.policy.max_seconds)
    deadline = time.monotonic() + max_seconds
    network = Network(
        allowed_hosts=_split(settings.collect_allowed_hosts),
        max_requests_per_second=record.policy.max_requests_per_second,
        deadline=deadline + _LAST_ANSWER_SECONDS,
        timing=timing or Timing(),
    )
    collection = Collection(
        ports=ports,
        record=record,
        job=records.get(ports, Job, settings.workspace_id, settings.job_id),
        spec=spec,
        reporter=reporter,
        work_path=work_path,
        secret=_secrets_of(ports, record),
        hints=opening.cursors(record.collector),
        is_program=isinstance(record.collector, PythonCollector | SingerCollector),
        deadline=deadline,
    )
    items = opening.read(
        record.collector,
        _to_reading(collection, network, reporter),
        Opening(
            ports=ports,
            workspace_id=record.workspace_id,
            open_bucket=open_bucket,
            buckets=_split(settings.collect_buckets),
            cursor_of=lambda stream: collection.plan(stream).cursor,
            max_seconds=max_seconds,
        ),
    )
    try:
        metrics = collection.run(items)
    finally:
        network.close()
    return metrics | {"num_requests": float(network.num_requests), "num_retries": float(network.num_retries)}


def _to_reading(collection: Collection, network: Network, reporter: Reporter) -> Reading:
    stream = getattr(collection.record.collector, "stream", "")
    is_whole = collection.spec.full_refresh or collection.plan(stream).mode is StreamMode.REPLACE

    def start(name: str) -> str | int | float | bool | None:
        watermark = collection.watermark(name)
        return None if watermark is None else watermark.start

    return Reading(
        network=network,
        work_path=collection.work_path,
        secret=collection.secret,
        start=start,
        state=collection.state.collector,
        streams=None if collection.spec.streams is None else frozenset(collection.spec.streams),
        is_partial=not is_whole,
        note=reporter.message,
    )


def _secrets_of(ports: Ports, record: SourceRecord) -> ReadSecret:
    """Reads the secrets of a source. They are in no log, event or error."""

    def read(name: str, *, fresh: bool = False) -> str:
        try:
            return ports.secrets.get(keys.source_secret(record.workspace_id, record.id, name), fresh=fresh)
        except SecretNotFoundError as error:
            raise InvalidRequestError(
                f"The source {record.name!r} has no secret {name!r}. Set it: aimass sources secrets set {record.name} "
                f"{name}"
            ) from error

    return read


def _split(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())
