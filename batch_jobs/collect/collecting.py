"""One run of a source: read, judge, and deliver each stream as a version, together with where to go on from there."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from aimass_core.domain import keys
from aimass_core.domain.collector_messages import Note, Record, State, StreamSchema
from aimass_core.domain.datasets import (
    Dataset,
    DatasetPolicy,
    DatasetVersion,
    DatasetVersionStatus,
    QuarantinedRow,
    WriteMode,
)
from aimass_core.domain.jobs import CollectSpec, Job
from aimass_core.domain.schemas import ColumnType, Schema
from aimass_core.domain.sources import (
    ContractMode,
    Cursor,
    SourceRecord,
    SourceState,
    StreamMode,
    dataset_name,
)
from aimass_core.errors import ConflictError, InvalidDataError, InvalidRequestError, NotFoundError
from aimass_core.ports import Ports, Write
from aimass_core.services import pii, platform, records, source_datasets, source_leases, source_states
from aimass_core.services.ingest import delivery, file_rows
from aimass_core.services.ingest.evolution import Evolution, Merge
from aimass_core.services.ingest.issues import FileRejectedError, Quarantine
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.reading import Reading as FileReading
from batch_jobs.collect import sinks
from batch_jobs.collect.contract import Contract
from batch_jobs.collect.cursors import Watermark
from batch_jobs.collect.errors import ContractBrokenError, TooMuchError
from batch_jobs.collect.quotas import Quota, Usage
from batch_jobs.collect.reading import Item, ReadSecret, WholeFile
from batch_jobs.collect.sinks import Sink, StreamPlan
from batch_jobs.collect.states import CURSOR, NewState, without_streams
from batch_jobs.runtime.reporting import Reporter

_CHECKED_ROWS = 500
_READY = DatasetVersionStatus.READY
_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Collection:
    """A run.

    Attributes:
        hints: the cursors that the collector itself names, by stream.
        is_program: the source is read by a program, whose streams may come all at once, and which is ended in time.
        deadline: the monotonic time at which reading ends.
    """

    ports: Ports
    record: SourceRecord
    job: Job
    spec: CollectSpec
    reporter: Reporter
    work_path: Path
    secret: ReadSecret
    hints: Mapping[str, Cursor]
    is_program: bool = False
    deadline: float
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    state: SourceState = field(init=False)
    usage: Usage = field(init=False)
    _revision: int = field(init=False)
    _sinks: dict[str, Sink] = field(default_factory=dict, init=False)
    _left_out: set[str] = field(default_factory=set, init=False)
    _declared: dict[str, StreamSchema] = field(default_factory=dict, init=False)
    _new: NewState = field(default_factory=NewState, init=False)
    _num_files: int = field(default=0, init=False)
    _cut: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.state, self._revision = source_states.load(self.ports, self.record)
        if self.spec.full_refresh:
            self.state = without_streams(self.state, self.spec.streams)
        self.usage = Usage.load(self.ports, self.record)

    def plan(self, stream: str) -> StreamPlan:
        """What holds for a stream."""
        declared = self._declared.get(stream)
        return sinks.plan(
            stream,
            self.record.policy,
            primary_key=() if declared is None else declared.primary_key,
            cursor=self.hints.get(stream),
        )

    def watermark(self, stream: str) -> Watermark | None:
        """Where a stream's cursor stands."""
        cursor = self.plan(stream).cursor
        if cursor is None:
            return None
        return Watermark(cursor, self.state.streams.get(stream, {}).get(CURSOR), self.ports.clock)

    def run(self, items: Iterator[Item]) -> dict[str, float]:
        """Reads all, and delivers stream after stream.

        Raises:
            InvalidDataError: a stream was refused; those before and after it are delivered all the same.
        """
        try:
            return self._run(items)
        finally:
            for sink in self._sinks.values():
                sink.close()

    def _run(self, items: Iterator[Item]) -> dict[str, float]:
        quota = Quota(self.record.policy, self.usage, self.deadline, self.monotonic)
        reached = self._read(items, quota)
        for sink in self._sinks.values():
            self._settle(sink, reached)
        refused: list[str] = []
        num_rows = 0
        for index, (name, sink) in enumerate(self._sinks.items(), start=1):
            for text in sink.notes():
                self.reporter.message(text)
            self.reporter.progress("delivering", step=index, num_steps=len(self._sinks), message=name)
            version = self._deliver(sink, is_last=index == len(self._sinks) and not refused)
            num_rows += self._num_delivered(sink, version)
            if version is not None and version.status is not _READY:
                refused.append(f"{name} ({version.dataset_name}@{version.number}): {version.status_reason}")
        if not refused:
            self._write_state(self._new.complete(self.state))
        if refused:
            raise InvalidDataError(
                f"{len(refused)} of {len(self._sinks)} streams were refused, and their state has not moved. "
                f"{' '.join(refused)}"
            )
        return {
            "num_rows": float(num_rows),
            "num_quarantined": float(sum(sink.num_refused for sink in self._sinks.values())),
            "num_bytes": float(sum(sink.num_bytes for sink in self._sinks.values())),
            "num_streams": float(len(self._sinks)),
        }

    def _read(self, items: Iterator[Item], quota: Quota) -> str | None:
        """Until the end, or until a limit, which is returned."""
        num_rows = num_bytes = num_seen = 0
        with closing(items):  # type: ignore[type-var]  # it is a generator
            for item in items:
                if isinstance(item, Record | WholeFile):
                    sink = self._sink(item.stream)
                    if sink is None:
                        continue
                    reached = quota.find_reached(num_rows, num_bytes)
                    if reached is not None:
                        if isinstance(item, Record):
                            sink.peek(item.data)
                        self._cut = set(self._sinks) if self.is_program else {item.stream}
                        return reached
                    before = sink.num_rows, sink.num_bytes
                    if isinstance(item, Record):
                        sink.add(item.data)
                    else:
                        self._take_file(sink, item)
                    num_rows += sink.num_rows - before[0]
                    num_bytes += sink.num_bytes - before[1]
                    num_seen += 1
                    if num_seen % _CHECKED_ROWS == 0:
                        self.reporter.progress("reading", message=f"{num_seen:,} records")
                    continue
                self._take(item)
        reached = quota.find_reached(0, 0) if self.is_program else None
        self._cut = set(self._sinks) if reached else set()
        return reached

    def _take(self, item: Item) -> None:
        match item:
            case StreamSchema():
                self._declared[item.stream] = item
            case State():
                self._new.take(item)
                for name, sink in self._sinks.items():
                    if item.stream in (None, name):
                        sink.mark()
            case Note():
                self.reporter.message(item.text)

    def _take_file(self, sink: Sink, item: WholeFile) -> None:
        self._num_files += 1
        self.reporter.progress("reading", message=f"{self._num_files:,} files")
        self._new.take_file(item)
        if not sink.plan.has_rules:
            sink.add_file(item.file)
            return
        work_path = self.work_path / f"rows-{self._num_files}"
        work_path.mkdir()
        path = work_path / "quarantine.jsonl"
        with Quarantine(path) as quarantine:
            reading = FileReading(
                display_name=item.file.display_name,
                policy=self._dataset_policy(item.stream),
                quarantine=quarantine,
                limits=Limits(),
            )
            try:
                for record in file_rows.read_rows(item.file.path, work_path, reading):
                    sink.add(record)
            except FileRejectedError as error:
                quarantine.add(file=item.file.display_name, line=error.line, column=error.column, reason=error.reason)
        item.file.path.unlink()
        for line in path.read_text(encoding="utf-8").splitlines():
            # NOTE: a row that could not be read cannot be searched for what names a person.
            row = QuarantinedRow.model_validate_json(line)
            sink.refuse(row if sink.pii.is_idle else row.model_copy(update={"text": None}))
        sink.mark()

    def _sink(self, stream: str) -> Sink | None:
        """None where the stream is not asked for, is not let in, or was delivered by a former attempt."""
        found = self._sinks.get(stream)
        if found is not None or stream in self._left_out:
            return found
        if (self.spec.streams is not None and stream not in self.spec.streams) or not self._lets_in(stream):
            self._left_out.add(stream)
            return None
        dataset = self._find_dataset(stream)
        former = None if dataset is None else delivery.find(self.ports, dataset, self._key(stream))
        if former is not None and former.status.is_terminal:
            self.reporter.message(f"{stream}: {former.dataset_name}@{former.number} was made by a former attempt.")
            self._left_out.add(stream)
            return None
        return self._open(stream, dataset)

    def _open(self, stream: str, dataset: Dataset | None) -> Sink:
        plan, policy = self.plan(stream), self.record.policy
        declared = dict(self._declared[stream].types) if stream in self._declared else {}
        declared |= dict.fromkeys(policy.pii.columns.keys() & declared.keys(), ColumnType.STRING)
        base = self._load_columns(dataset)
        types = {**declared, **(base or {})}
        sink = Sink(
            plan=plan,
            contract=Contract(
                stream=stream,
                columns=None if base is None else frozenset(base),
                types=types,
                modes=policy.contract,
                on_violation=policy.on_violation,
            ),
            pii=pii.PiiFilter(policy.pii, lambda: self.secret(pii.KEY_NAME)),
            watermark=self.watermark(stream),
            work_path=self.work_path / f"stream-{len(self._sinks)}",
            declared=types if plan.mode is StreamMode.REPLACE or self.spec.full_refresh else declared,
        )
        self._sinks[stream] = sink
        return sink

    def _lets_in(self, stream: str) -> bool:
        """The contract on streams. The first run knows none, and lets all in."""
        mode = self.record.policy.contract.streams
        known = {each.stream for each in source_datasets.list_all(self.ports, self.record)}
        if mode is ContractMode.EVOLVE or not known or stream in known | set(self.record.policy.streams):
            return True
        if mode is ContractMode.FREEZE:
            raise ContractBrokenError(
                f"The stream {stream!r} is new, and policy.contract.streams is freeze. Known are {sorted(known)[:20]}. "
                "Name it in policy.streams to let it in."
            )
        self.reporter.message(f"{stream}: the stream is new and was left out, as policy.contract.streams says.")
        return False

    def _settle(self, sink: Sink, reached: str | None) -> None:
        """What was cut is cut where the next run can go on; what is frozen must be whole."""
        name = sink.plan.name
        if reached is not None and name in self._cut:
            is_whole = sink.plan.mode is StreamMode.REPLACE or self.spec.full_refresh
            if is_whole or not sink.rewind():
                raise TooMuchError(
                    f"{reached}, and there is more. The stream {name!r} cannot be read in parts: it is "
                    f"{'wanted as a whole' if is_whole else 'not in the order of a cursor, and leaves no state'}. "
                    "Raise the quota, or give it a cursor in whose order the source answers."
                )
            self.reporter.message(f"{name}: {reached}, and there is more; the next run goes on there.")
        if self.record.policy.contract.columns is ContractMode.FREEZE and (missing := sink.missing_columns()):
            raise ContractBrokenError(
                f"The stream {name!r} breaks its contract: no record had the columns {missing[:20]}. "
                "Change policy.contract.columns to let that be, or correct the source."
            )

    def _deliver(self, sink: Sink, *, is_last: bool) -> DatasetVersion | None:
        """None where there was nothing new."""
        plan = sink.plan
        files, quarantined = sink.finish()
        is_whole = plan.mode is StreamMode.REPLACE or self.spec.full_refresh
        state = self._new.with_stream(
            self.state,
            plan.name,
            highest=None if sink.watermark is None else sink.watermark.highest,
            replaces_files=is_whole,
        )
        if is_last:
            state = self._new.complete(state)
        if not files and quarantined is None:
            self._write_state(state)
            return None
        dataset = source_datasets.ensure(self.ports, self.record, plan.name)
        version = delivery.deliver(
            self.ports,
            platform.principal("collect", self.record.workspace_id),
            dataset,
            files,
            mode=WriteMode.REPLACE if is_whole else WriteMode.APPEND,
            key=self._key(plan.name),
            quarantined=quarantined,
            also=[*self._state_writes(state), self.usage.write(sink.num_rows)],
            evolution=Evolution(
                columns=True,
                types=self.record.policy.contract.types is ContractMode.EVOLVE,
                declared=sink.declared,
            ),
            merge=self._merge(plan),
            job_id=self.job.id,
            lease_seconds=float(self.job.max_seconds),
            sleep=self.sleep,
            on_progress=lambda phase, step, num: self.reporter.progress(phase, step=step, num_steps=num),
        )
        if version.status is _READY:
            self.usage.count(sink.num_rows)
            self.state, self._revision = state, self._revision + 1
            _log.info("%s: %s@%d has %s rows", plan.name, dataset.name, version.number, version.num_rows)
        return version

    def _num_delivered(self, sink: Sink, version: DatasetVersion | None) -> int:
        """Records that were taken. Of files that go on as they are, the version alone knows the rows."""
        if version is None or not sink.files:
            return sink.num_rows
        base = version.base_number if version.mode is WriteMode.APPEND else None
        former = (
            None
            if base is None
            else records.get(self.ports, DatasetVersion, version.workspace_id, version.dataset_id, base)
        )
        return (version.num_rows or 0) - ((former.num_rows or 0) if former is not None else 0)

    def _merge(self, plan: StreamPlan) -> Merge | None:
        """NOTE: rows that come again (a lag, a closed end) would be doubled by an append; a key tells them."""
        key, cursor = plan.primary_key, plan.cursor
        comes_again = bool(key) and cursor is not None and (cursor.is_closed or cursor.lag_seconds > 0)
        if plan.mode in (StreamMode.MERGE, StreamMode.HISTORY) and not key:
            raise InvalidRequestError(
                f"The stream {plan.name!r} has the mode {plan.mode} and no primary key: name its columns in the policy."
            )
        if plan.mode is StreamMode.HISTORY:
            return Merge(key=key, at=self.ports.clock())
        return Merge(key=key) if plan.mode is StreamMode.MERGE or (comes_again and key) else None

    def _write_state(self, state: SourceState) -> None:
        """Where nothing was new, what was learned on the way is kept all the same."""
        if state == source_states.load(self.ports, self.record)[0]:
            return
        self.ports.registry.write(*self._state_writes(state))
        self.state, self._revision = state, self._revision + 1

    def _state_writes(self, state: SourceState) -> list[Write]:
        try:
            fence = source_leases.fence(self.ports, self.job)
        except source_leases.LeaseTakenError as error:
            raise ConflictError(
                f"Another run of the source {self.record.name!r} has begun; what this one read is not kept."
            ) from error
        return [source_states.write(self.record, state, expected=self._revision), fence]

    def _key(self, stream: str) -> str:
        return f"{self.job.id}/{stream}"

    def _find_dataset(self, stream: str) -> Dataset | None:
        try:
            return records.find(self.ports, Dataset, self.record.workspace_id, dataset_name(self.record, stream))
        except NotFoundError:
            return None

    def _dataset_policy(self, stream: str) -> DatasetPolicy:
        dataset = self._find_dataset(stream)
        return DatasetPolicy() if dataset is None else dataset.policy

    def _load_columns(self, dataset: Dataset | None) -> dict[str, ColumnType] | None:
        """The columns of the last version that is READY."""
        if dataset is None or dataset.latest_version is None:
            return None
        key = keys.dataset_version_object(dataset.workspace_id, dataset.id, dataset.latest_version, "schema.json")
        schema = Schema.model_validate_json(self.ports.lake.get(key))
        return {column.name: column.type for column in schema.columns}
