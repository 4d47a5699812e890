"""The emulator's state: copying it, encoding it, and loading it with what the journal has beyond it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ministack import app as ministack_app
from ministack.core import persistence, responses
from ministack.services import cloudwatch_logs, dynamodb, lambda_svc, sqs

from aimass_local.emulator.contract import require
from aimass_local.emulator.journaling import Recorder, Stream
from aimass_local.journal import JournalDamagedError
from aimass_local.state import Snapshot, StateUnreadableError

STREAM_RECORDS_KEY = "stream_records"
# What the journal holds the changes of; always saved together.
JOURNALED_KEYS = frozenset({"dynamodb", STREAM_RECORDS_KEY, "sqs"})

_COPY_ATTEMPTS = 20
_MIN_JOURNAL_BYTES, _MAX_JOURNAL_SECONDS = 1024**2, 10.0
_DYNAMODB_STORES = (
    "tags",
    "ttl_settings",
    "pitr_settings",
    "kinesis_destinations",
    "contributor_insights",
    "backups",
    "resource_policies",
    "exports",
    "imports",
)

_WAY_OUT = "move it away to go on without it, or run `aimass local reset` to begin anew"

_logger = logging.getLogger(__name__)


def patch_persistence(recorder: Recorder) -> None:
    """Saving is left to `aimass_local.state`; loading refuses files it cannot read, and replays the journal."""
    for name in ("save_all", "load_state", "_load_persisted_state", "_build_persistence_save_dict"):
        require(callable(getattr(ministack_app, name, None)), f"ministack.app.{name} is gone")
    load_all = ministack_app._load_persisted_state

    def load_persisted_state() -> None:
        load_all()
        waiting = _load_state(STREAM_RECORDS_KEY)
        try:
            _restore_stream_records(waiting["records"]._data if waiting else {}, recorder.replay())
        except JournalDamagedError as error:
            raise StateUnreadableError(f"{error}: {_WAY_OUT}") from error
        _move_queues_here()
        _return_messages_in_flight()

    require(set(dynamodb.get_state()) == {"tables", *_DYNAMODB_STORES}, "DynamoDB's state has other parts")

    def save_nothing(_services: Mapping[str, Callable[[], Any]]) -> None:
        """The state saver has the last word, after the server has stopped."""

    ministack_app.load_state = _load_state
    ministack_app._load_persisted_state = load_persisted_state
    ministack_app.save_all = save_nothing


class EmulatorState:
    """What the state saver saves."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._saved_bytes, self._saved_at = 0, time.monotonic()

    def is_journal_short(self) -> bool:
        """Whether reading the journal again, after a kill, is less work than a save, and not much is taken twice."""
        is_recent = time.monotonic() - self._saved_at < _MAX_JOURNAL_SECONDS
        return is_recent and self.recorder.journal.num_bytes < max(_MIN_JOURNAL_BYTES, self._saved_bytes)

    def state_keys(self) -> frozenset[str]:
        """Names of all state files of the services that have been used."""
        return frozenset(ministack_app._build_persistence_save_dict()) | {STREAM_RECORDS_KEY}

    async def snapshot(self, keys: Collection[str]) -> Snapshot:
        """Takes a consistent copy of each service's state.

        Has to run on the server's event loop: most services change only there. The few that also change in threads
        (logs, Lambda) are copied again if they changed meanwhile.
        """
        states, journal_number = self._copy_journaled() if JOURNALED_KEYS & set(keys) else ({}, None)
        getters: dict[str, Callable[[], Any]] = dict(ministack_app._build_persistence_save_dict())
        for key in sorted((set(keys) & set(getters)) - JOURNALED_KEYS):
            state = await _copy_state(getters[key])
            if state is not None:
                states[key] = state
            await asyncio.sleep(0)
        return Snapshot(states=states, journal_number=journal_number)

    def _copy_journaled(self) -> tuple[dict[str, Any], int]:
        """Copy and new segment belong together: nobody may write in between."""
        with self.recorder.entry(), sqs._queues_lock:
            states: dict[str, Any] = {
                "dynamodb": _encode_dynamodb(),
                STREAM_RECORDS_KEY: _pending_stream_records(),
                "sqs": sqs.get_state(),
            }
            self._saved_bytes, self._saved_at = len(states["dynamodb"]), time.monotonic()
            return states, self.recorder.journal.rotate()

    def confirm(self, snapshot: Snapshot) -> None:
        """Hears that a snapshot is in place: the journal of before is not needed any more."""
        if snapshot.journal_number is not None:
            self.recorder.journal.drop_before(snapshot.journal_number)

    def encode_state(self, key: str, state: object) -> bytes:
        return encode_state(key, state)

    def trim_logs(self, *, max_streams: int, max_events: int) -> None:
        trim_logs(max_streams=max_streams, max_events=max_events)


def encode_state(key: str, state: object) -> bytes:
    """The content of the state file `<key>.json`, as the emulator reads it; bytes are encoded already."""
    if isinstance(state, bytes):
        return state
    document = {"__ministack_format__": persistence._state_format_version(key), "payload": state}
    return json.dumps(document, default=persistence._json_default).encode()


def trim_logs(*, max_streams: int, max_events: int) -> None:
    """Drops the oldest log streams of each group: every invocation makes one, and nothing else ends them."""
    for group in list(cloudwatch_logs._log_groups._data.values()):
        streams = group["streams"]
        newest_first = sorted(streams.items(), key=lambda item: item[1]["creationTime"], reverse=True)
        num_events = 0
        for position, (name, stream) in enumerate(newest_first):
            num_events += len(stream["events"])
            if position >= max_streams or (position > 0 and num_events > max_events):
                streams.pop(name, None)
    records = cloudwatch_logs._log_records._data
    for pointer in list(records)[: max(0, len(records) - max_events)]:
        records.pop(pointer, None)


def _load_state(key: str) -> Any:
    state = persistence.load_state(key)
    path = Path(persistence.STATE_DIR) / f"{key}.json"
    if state is None and path.exists():
        raise StateUnreadableError(f"cannot read {path}: {_WAY_OUT}")
    return state


def _encode_dynamodb() -> bytes:
    """DynamoDB's state as `get_state` gives it, encoded at once: that takes a quarter of the time of its deep copy.

    Neither leaves the event loop meanwhile, so the shorter one is the one that clients notice less.
    """
    tables = responses.AccountRegionScopedDict()
    for scoped_name, table in dynamodb._tables._data.items():
        tables._data[scoped_name] = {key: value for key, value in table.items() if key != dynamodb._INDEX_MEMBERS}
    stores = {key: getattr(dynamodb, f"_{key}") for key in _DYNAMODB_STORES}
    return encode_state("dynamodb", {"tables": tables, **stores})


def _pending_stream_records() -> dict[str, Any]:
    """DynamoDB stream records that at least one event source mapping has not consumed yet.

    The emulator keeps them in memory only, and persists the mappings' positions: after a restart the positions would
    point past the end of the emptied stream, and the next records would be skipped.
    """
    positions: dict[tuple[str, str, str], list[int]] = {}
    with lambda_svc._dynamodb_stream_positions_lock:
        for (account, region, mapping_id), position in lambda_svc._dynamodb_stream_positions._data.items():
            mapping = lambda_svc._esms._data.get((account, region, mapping_id))
            table = _stream_table(mapping)
            if table:
                positions.setdefault((account, region, table), []).append(position)
    pending = responses.AccountRegionScopedDict()
    for scoped_table, consumed in positions.items():
        records = dynamodb._stream_records._data.get(scoped_table, [])
        trimmed = dynamodb._stream_trimmed._data.get(scoped_table, 0)
        waiting = records[max(0, min(consumed) - trimmed) :]
        if waiting:
            pending._data[scoped_table] = list(waiting)
    return {"records": pending}


def _restore_stream_records(
    waiting: Mapping[Stream, list[dict[str, Any]]], recorded: Mapping[Stream, list[dict[str, Any]]]
) -> None:
    """Each stream at once, and in order: the mappings' poller may be running already."""
    with lambda_svc._dynamodb_stream_positions_lock:
        for scoped_mapping in list(lambda_svc._dynamodb_stream_positions._data):
            lambda_svc._dynamodb_stream_positions._data[scoped_mapping] = 0
    for stream in {*waiting, *recorded}:
        by_id = {record["eventID"]: record for record in (*waiting.get(stream, ()), *recorded.get(stream, ()))}
        in_order = sorted(by_id.values(), key=lambda record: str(record["dynamodb"]["SequenceNumber"]))
        dynamodb._stream_records._data[stream] = in_order


def _move_queues_here() -> None:
    """A queue is known by its URL, which names the port of the server that made it; this one may have another."""
    with sqs._queues_lock:
        for (account_id, region, url), queue in list(sqs._queues._data.items()):
            here = sqs._queue_url_for_account(account_id, queue["name"])
            if url != here:
                del sqs._queues._data[account_id, region, url]
                sqs._queues._data[account_id, region, here] = {**queue, "url": here}
                sqs._queue_name_to_url._data[account_id, region, queue["name"]] = here


def _return_messages_in_flight() -> None:
    """What a function was working on comes to it at once: its workers have ended with their server.

    Nobody would see the message before its visibility timeout is over, which is six times the function's.
    """
    sources = {mapping.get("EventSourceArn") for mapping in lambda_svc._esms._data.values()}
    now = time.time()
    with sqs._queues_lock:
        for queue in sqs._queues._data.values():
            for message in queue["messages"] if queue["attributes"].get("QueueArn") in sources else ():
                if message["receive_count"]:
                    message["visible_at"] = min(message["visible_at"], now)


def _stream_table(mapping: Mapping[str, Any] | None) -> str | None:
    """The table of `arn:aws:dynamodb:<region>:<account>:table/<table>/stream/<label>`."""
    arn = (mapping or {}).get("EventSourceArn", "")
    return arn.split("/")[1] if ":dynamodb:" in arn and "/stream/" in arn else None


async def _copy_state(getter: Callable[[], Any]) -> Any:
    for _ in range(_COPY_ATTEMPTS):
        try:
            return getter()
        except RuntimeError as error:
            # "dictionary changed size during iteration": a thread was writing.
            _logger.debug("state changed while it was copied: %s", error)
            await asyncio.sleep(0.01)
    return getter()
