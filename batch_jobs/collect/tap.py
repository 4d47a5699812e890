"""`tap-aimass --config config.json [--discover] [--state state.json] [--catalog catalog.json]`: the built-in collectors
as a Singer tap, so that Meltano and others can read what they read.

The configuration is `{"collector": {...}, "policy": {...}}` as a source has it; `policy` may be left out. Of the policy
primary keys and cursors count; what becomes of the records is for whoever takes them. `{"secret": "NAME"}` is the
variable of that name, and AIMASS_COLLECT_ALLOWED_HOSTS names the hosts that may be reached though they are not public.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from aimass_core.domain.collector_messages import Note, Record, State, StreamSchema
from aimass_core.domain.collectors import Collector, RestCollector, SqlCollector
from aimass_core.domain.common import Request
from aimass_core.domain.datasets import DatasetPolicy
from aimass_core.domain.sources import CollectionPolicy, SourceState
from aimass_core.errors import AimassError, InvalidRequestError
from aimass_core.services.flattening import flatten
from aimass_core.services.ingest import file_rows
from aimass_core.services.ingest.issues import Quarantine
from aimass_core.services.ingest.limits import Limits
from aimass_core.services.ingest.reading import Reading as FileReading
from batch_jobs.collect import sinks
from batch_jobs.collect.contract import RowRefusedError
from batch_jobs.collect.cursors import Watermark
from batch_jobs.collect.network import Network
from batch_jobs.collect.readers import feeds, files, rest, sftp, sql
from batch_jobs.collect.reading import Item, Reading, WholeFile
from batch_jobs.collect.singer_schemas import Shape
from batch_jobs.collect.sinks import StreamPlan
from batch_jobs.collect.states import CURSOR, NewState

_SAMPLED_RECORDS = 1_000
_READERS: dict[str, Callable[..., Iterator[Item]]] = {
    "files": files.read_urls,
    "sftp": sftp.read,
    "feed": feeds.read,
}


class TapConfig(Request):
    """What `--config` holds."""

    collector: Collector
    policy: CollectionPolicy = CollectionPolicy()


_CONFIG = TypeAdapter(TapConfig)


def main(arguments: Sequence[str] | None = None) -> int:
    """Messages on standard output, all else on standard error. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tap-aimass", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--catalog", type=Path, help="Of --discover; streams that are not selected are left out.")
    parser.add_argument("--discover", action="store_true", help="Say the catalog, from a sample of each stream.")
    given = parser.parse_args(arguments)
    try:
        config = _CONFIG.validate_python(_read_json(given.config))
        tap = Tap(config, state=_read_json(given.state), catalog=_read_json(given.catalog))
        if given.discover:
            sys.stdout.write(json.dumps(tap.discover(), indent=2) + "\n")
        else:
            tap.sync(lambda message: print(json.dumps(message, ensure_ascii=False), flush=True))  # noqa: T201
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5])
        sys.stderr.write(f"{given.config}: {faults}\n")
        return 1
    except AimassError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    return 0


@dataclass(slots=True)
class _Stream:
    """One stream of a run. `shape` is what its schema says until now."""

    plan: StreamPlan
    shape: Shape
    watermark: Watermark | None
    is_told: bool = False


class Tap:
    """Reads the source of a configuration."""

    def __init__(self, config: TapConfig, *, state: Mapping[str, Any], catalog: Mapping[str, Any]) -> None:
        self._config = config
        self._state = SourceState(streams=state.get("bookmarks", {}), collector=state.get("collector", {}))
        self._catalog = {str(each["tap_stream_id"]): each for each in catalog.get("streams", [])}
        self._hints = rest.cursors(config.collector.config) if isinstance(config.collector, RestCollector) else {}
        self._declared: dict[str, StreamSchema] = {}

    def discover(self) -> dict[str, Any]:
        """The catalog. Of each stream the first records are read, since most sources tell no types."""
        found = [self._describe(name, self._sample(name)) for name in self._names()]
        return {"streams": found}

    def sync(self, emit: Callable[[dict[str, Any]], None]) -> None:
        """Says all that is new, and at the end where to go on."""
        new, streams = NewState(), dict[str, _Stream]()
        names = frozenset(name for name in self._names() if self._is_selected(name))
        for name, record in self._records(names, new):
            stream = streams.get(name) or streams.setdefault(name, self._open(name))
            if not _is_new(stream, record):
                continue
            if stream.shape.add(record) or not stream.is_told:
                emit(self._schema_message(stream))
                stream.is_told = True
            emit({"type": "RECORD", "stream": name, "record": record})
        state = self._state
        for name in names:
            stream = streams.get(name) or self._open(name)
            if not stream.is_told:
                emit(self._schema_message(stream))
            highest = None if stream.watermark is None else stream.watermark.highest
            state = new.with_stream(state, name, highest=highest, replaces_files=False)
        state = new.complete(state)
        emit({"type": "STATE", "value": {"bookmarks": state.streams, "collector": state.collector}})

    def _names(self) -> list[str]:
        collector = self._config.collector
        if isinstance(collector, RestCollector):
            return [resource.name for resource in collector.config.resources]
        if isinstance(collector, SqlCollector):
            return [*collector.tables, *collector.queries]
        if collector.type not in _READERS:
            raise InvalidRequestError(
                f"A collector of the type {collector.type} is not read here, but by a source in a deployment. Those "
                f"that are: rest, sql, {', '.join(_READERS)}."
            )
        return [str(getattr(collector, "stream"))]  # noqa: B009 - the readers of files all have it

    def _is_selected(self, name: str) -> bool:
        """By the catalog; without one, or where it selects nothing, all are."""
        selected = {key for key, each in self._catalog.items() if _selects(each)}
        return not selected or name in selected

    def _sample(self, name: str) -> Shape:
        shape = Shape()
        for _, record in islice(self._records(frozenset({name}), NewState(), is_fresh=True), _SAMPLED_RECORDS):
            shape.add(record)
        shape.declare(self._declared.get(name))
        return shape

    def _open(self, name: str) -> _Stream:
        plan, shape = self._plan(name), Shape()
        shape.declare(self._declared.get(name))
        shape.load(self._catalog.get(name, {}).get("schema", {}))
        return _Stream(plan=plan, shape=shape, watermark=self._watermark(name))

    def _plan(self, name: str) -> StreamPlan:
        declared = self._declared.get(name)
        keys = () if declared is None else declared.primary_key
        return sinks.plan(name, self._config.policy, primary_key=keys, cursor=self._hints.get(name))

    def _watermark(self, name: str, *, is_fresh: bool = False) -> Watermark | None:
        cursor = self._plan(name).cursor
        last = None if is_fresh else self._state.streams.get(name, {}).get(CURSOR)
        return None if cursor is None else Watermark(cursor, last, lambda: datetime.now(UTC))

    def _describe(self, name: str, shape: Shape) -> dict[str, Any]:
        plan = self._plan(name)
        cursor = None if plan.cursor is None else plan.cursor.path
        of_all = {
            "table-key-properties": list(plan.primary_key),
            "forced-replication-method": "FULL_TABLE" if cursor is None else "INCREMENTAL",
            "valid-replication-keys": [] if cursor is None else [cursor],
            "selected-by-default": True,
        }
        return {
            "tap_stream_id": name,
            "stream": name,
            "schema": shape.to_schema(),
            "key_properties": list(plan.primary_key),
            "replication_key": cursor,
            "metadata": [
                {"breadcrumb": [], "metadata": of_all},
                *(
                    {"breadcrumb": ["properties", column], "metadata": {"inclusion": "available"}}
                    for column in shape.to_schema()["properties"]
                ),
            ],
        }

    def _schema_message(self, stream: _Stream) -> dict[str, Any]:
        plan = stream.plan
        return {
            "type": "SCHEMA",
            "stream": plan.name,
            "schema": stream.shape.to_schema(),
            "key_properties": list(plan.primary_key),
            "bookmark_properties": [] if plan.cursor is None else [plan.cursor.path],
        }

    def _records(
        self, names: frozenset[str], new: NewState, *, is_fresh: bool = False
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Streams and their records as JSON holds them."""

        def start(name: str) -> str | int | float | bool | None:
            watermark = self._watermark(name, is_fresh=is_fresh)
            return None if watermark is None else watermark.start

        network = Network(
            allowed_hosts=frozenset(filter(None, os.environ.get("AIMASS_COLLECT_ALLOWED_HOSTS", "").split(","))),
            max_requests_per_second=self._config.policy.max_requests_per_second,
            deadline=time.monotonic() + self._config.policy.max_seconds,
        )
        with tempfile.TemporaryDirectory(prefix="tap-aimass-") as folder:
            reading = Reading(
                network=network,
                work_path=Path(folder),
                secret=_read_secret,
                start=start,
                state={} if is_fresh else self._state.collector,
                streams=names,
                note=_note,
            )
            try:
                for item in self._read(reading):
                    yield from self._take(item, new, Path(folder))
            finally:
                network.close()

    def _read(self, reading: Reading) -> Iterator[Item]:
        collector = self._config.collector
        if isinstance(collector, RestCollector):
            return rest.read(collector.config, reading)
        if isinstance(collector, SqlCollector):
            cursors = {name: plan.cursor.path for name in self._names() if (plan := self._plan(name)).cursor}
            return sql.read(collector, reading, cursors)
        return _READERS[collector.type](collector, reading)

    def _take(self, item: Item, new: NewState, work_path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        match item:
            case Record():
                yield item.stream, json.loads(json.dumps(item.data, default=str))
            case WholeFile():
                yield from ((item.stream, record) for record in _rows_of(item, work_path))
                new.take_file(item)
            case StreamSchema():
                self._declared[item.stream] = item
            case State():
                new.take(item)
            case Note():
                _note(item.text)


def _is_new(stream: _Stream, record: dict[str, Any]) -> bool:
    """By the cursor. What has none is said all the same: to leave rows out is for whoever takes them."""
    if stream.watermark is None:
        return True
    try:
        return stream.watermark.takes(flatten(record))
    except RowRefusedError:
        return True


def _rows_of(item: WholeFile, work_path: Path) -> Iterator[dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(dir=work_path))
    with Quarantine(folder / "quarantine.jsonl") as quarantine:
        reading = FileReading(
            display_name=item.file.display_name, policy=DatasetPolicy(), quarantine=quarantine, limits=Limits()
        )
        yield from file_rows.read_rows(item.file.path, folder, reading)
        if quarantine.count:
            _note(f"{item.file.display_name}: {quarantine.count} rows do not parse. {quarantine.first[0].reason}")


def _selects(stream: Mapping[str, Any]) -> bool:
    of_all: Mapping[str, Any] = next(
        (each["metadata"] for each in stream.get("metadata", []) if not each["breadcrumb"]), {}
    )
    return bool(of_all.get("selected", stream.get("selected", False)))


def _read_secret(name: str, *, fresh: bool = False) -> str:
    del fresh
    if name not in os.environ:
        raise InvalidRequestError(f"The secret {name!r} is the variable of that name: export {name}=...")
    return os.environ[name]


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _read_json(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidRequestError(f"{path} holds {type(found).__name__}, expected a JSON object.")
    return found


if __name__ == "__main__":
    sys.exit(main())
