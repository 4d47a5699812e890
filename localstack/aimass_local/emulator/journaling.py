"""What is acknowledged is in the journal: DynamoDB's items, its stream records, and SQS' messages.

The effects are recorded, not the requests, in the few functions through which every one of them goes. The entry of a
request is one whole: a transaction, and an item with its stream record, are there after a kill or are not.

Recorded is what arrives, and not what is taken: a stream record or message that was consumed since the last save is
delivered once more after a kill, as AWS may at any time.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from ministack.core import persistence
from ministack.services import dynamodb, eventbridge, s3, sqs

from aimass_local.emulator.contract import require
from aimass_local.journal import Journal

_ITEM, _STREAM_RECORD, _MESSAGE = "item", "stream_record", "message"
_WRITING_HANDLERS = (
    "_put_item",
    "_update_item",
    "_delete_item",
    "_batch_write_item",
    "_transact_write_items",
    "_execute_statement",
    "_batch_execute_statement",
    "_execute_transaction",
)

Record = tuple[Any, ...]
Stream = tuple[str, str, str]

_logger = logging.getLogger(__name__)


class Recorder:
    """Gathers the effects of a request, and writes them as one entry when it is over."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        # NOTE: handlers run on the event loop, but tasks of state machines, events and the TTL sweep in threads.
        self._lock = threading.RLock()
        self._depth = 0
        self._records: list[Record] = []

    @contextlib.contextmanager
    def entry(self) -> Iterator[None]:
        """What is added inside, also in an inner `entry`, is written together.

        Raises:
            OSError: it could not be written: the request must not be acknowledged.
        """
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._records:
                    records, self._records = self._records, []
                    self.journal.append(json.dumps(records, default=persistence._json_default).encode())

    def add(self, *record: Any) -> None:
        self._records.append(record)

    def forget(self, kind: str, subject: str) -> None:
        """Takes back what the present entry holds of a subject."""
        self._records = [record for record in self._records if record[:2] != (kind, subject)]

    def replay(self) -> dict[Stream, list[dict[str, Any]]]:
        """Puts recorded items and messages into the state that was loaded; returns the records of each stream.

        Raises:
            JournalDamagedError: an entry cannot be read.
        """
        records: defaultdict[Stream, list[dict[str, Any]]] = defaultdict(list)
        messages: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for content in self.journal.read():
            for kind, arn, *rest in json.loads(content, object_hook=persistence._json_object_hook):
                if kind == _ITEM:
                    _restore_item(arn, *rest)
                elif kind == _MESSAGE:
                    messages[arn] += rest
                else:
                    records[_scoped_table(arn)] += rest
        for queue_arn, sent in messages.items():
            _restore_messages(queue_arn, sent)
        return records


def patch_journaling(journal: Journal) -> Recorder:
    """Applies the patches of this module."""
    recorder = Recorder(journal)
    _patch_items(recorder)
    _patch_stream_records(recorder)
    _patch_messages(recorder)
    return recorder


# --- DynamoDB ----------------------------------------------------------------------------------------------------

_set_item: Callable[..., Any] = dynamodb._set_item
_remove_item: Callable[..., Any] = dynamodb._remove_item


def _patch_items(recorder: Recorder) -> None:
    for name in (*_WRITING_HANDLERS, "_set_item", "_remove_item", "_items_replaced"):
        require(callable(getattr(dynamodb, name, None)), f"dynamodb.{name} is gone")
    for name in _WRITING_HANDLERS:
        setattr(dynamodb, name, _in_entry(recorder, getattr(dynamodb, name)))
    items_replaced = dynamodb._items_replaced

    def set_item(table: dict[str, Any], pk: str, sk: str, item: dict[str, Any]) -> Any:
        with recorder.entry():
            former = _set_item(table, pk, sk, item)
            recorder.add(_ITEM, table["TableArn"], pk, sk, item)
            return former

    def remove_item(table: dict[str, Any], pk: str, sk: str) -> Any:
        with recorder.entry():
            former = _remove_item(table, pk, sk)
            recorder.add(_ITEM, table["TableArn"], pk, sk, None)
            return former

    def replace_items(table: dict[str, Any]) -> None:
        """A PartiQL transaction is rolled back. (A restored table is new, and nothing is recorded of it yet.)"""
        items_replaced(table)
        recorder.forget(_ITEM, table["TableArn"])

    dynamodb._set_item, dynamodb._remove_item, dynamodb._items_replaced = set_item, remove_item, replace_items


def _restore_item(table_arn: str, pk: str, sk: str, item: dict[str, Any] | None) -> None:
    table = dynamodb._tables._data.get(_scoped_table(table_arn))
    if table is None:
        _logger.warning("the journal has an item of %s, which is gone", table_arn)
    elif item is None:
        _remove_item(table, pk, sk)
    else:
        _set_item(table, pk, sk, item)


def _patch_stream_records(recorder: Recorder) -> None:
    require(callable(getattr(dynamodb, "_emit_stream_event", None)), "dynamodb._emit_stream_event is gone")
    emit = dynamodb._emit_stream_event

    def emit_stream_event(table_name: str, *change: Any, **options: Any) -> None:
        with recorder.entry():
            last = _last_stream_record(table_name)
            emit(table_name, *change, **options)
            record = _last_stream_record(table_name)
            if record is not None and record is not last:
                recorder.add(_STREAM_RECORD, dynamodb._tables[table_name]["TableArn"], record)

    dynamodb._emit_stream_event = emit_stream_event


def _last_stream_record(table_name: str) -> dict[str, Any] | None:
    records: list[dict[str, Any]] = dynamodb._stream_records.get(table_name) or []
    return records[-1] if records else None


def _scoped_table(arn: str) -> Stream:
    """Account, region and name of `arn:aws:dynamodb:<region>:<account>:table/<name>`."""
    _, _, _, region, account, resource = arn.split(":", 5)
    return account, region, resource.removeprefix("table/")


# --- SQS ---------------------------------------------------------------------------------------------------------


def _patch_messages(recorder: Recorder) -> None:
    """Messages come from SendMessage, from S3's notifications and from EventBridge's rules."""
    for module, name in ((sqs, "_act_send_message"), (s3, "_deliver_event_to_sqs"), (eventbridge, "_dispatch_to_sqs")):
        require(callable(getattr(module, name, None)), f"{module.__name__}.{name} is gone")
    require(sqs._HANDLERS.get("SendMessage") is sqs._act_send_message, "SQS does not answer SendMessage as expected")
    sqs._act_send_message = sqs._HANDLERS["SendMessage"] = _recording(
        recorder, sqs._act_send_message, lambda data, url: sqs._get_q(data.get("QueueUrl", url))
    )
    s3._deliver_event_to_sqs = _recording(recorder, s3._deliver_event_to_sqs, lambda arn, *_: sqs._queue_by_arn(arn))
    eventbridge._dispatch_to_sqs = _recording(
        recorder, eventbridge._dispatch_to_sqs, lambda spec, *_: sqs._queue_by_arn(str(spec))
    )
    _patch_notifications()


def _recording(
    recorder: Recorder, send: Callable[..., Any], find_queue: Callable[..., dict[str, Any] | None]
) -> Callable[..., Any]:
    require(isinstance(sqs._queues_lock, type(threading.Lock())), "SQS' lock is another one")

    def send_and_record(*arguments: Any, **options: Any) -> Any:
        # NOTE: consumers in threads take messages away under this lock.
        with recorder.entry(), sqs._queues_lock:
            queue = find_queue(*arguments)
            num_before = len(queue["messages"]) if queue else 0
            answer = send(*arguments, **options)
            if queue:
                for message in queue["messages"][num_before:]:
                    recorder.add(_MESSAGE, queue["attributes"]["QueueArn"], message)
            return answer

    return send_and_record


def _patch_notifications() -> None:
    """A queue hears of an object before the object is acknowledged; the emulator tells it later, in a thread."""
    for name in ("_fire_s3_event_async", "_fire_s3_event", "_next_event_sequencer", "_parse_notification_config_raw"):
        require(callable(getattr(s3, name, None)), f"s3.{name} is gone")
    fire_later = s3._fire_s3_event_async
    # Each object asks twice.
    s3._parse_notification_config_raw = lru_cache(s3._parse_notification_config_raw)

    def fire(bucket: str, key: str, event: str, *arguments: Any, **options: Any) -> None:
        targets = {target["type"] for target in s3._parse_notification_config(bucket)}
        if targets == {"sqs"} and "EventBridgeConfiguration" not in s3._bucket_notifications[bucket]:
            sequencer = s3._next_event_sequencer(event)
            s3._fire_s3_event(bucket, key, event, *arguments, **options, sequencer=sequencer)
        else:
            fire_later(bucket, key, event, *arguments, **options)

    s3._fire_s3_event_async = fire


def _restore_messages(queue_arn: str, sent: list[dict[str, Any]]) -> None:
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        _logger.warning("the journal has messages for %s, which is gone", queue_arn)
        return
    with sqs._queues_lock:
        known = {message["id"] for message in queue["messages"]}
        queue["messages"] += [message for message in sent if message["id"] not in known]
        for message in sent if queue.get("is_fifo") else ():
            queue["fifo_seq"] = max(queue.get("fifo_seq", 0), int(message["seq"]))
            if message.get("dedup_cache_key"):
                queue["dedup_cache"][message["dedup_cache_key"]] = {
                    "expire": message["sent_at"] + sqs._DEDUP_WINDOW_S,
                    "id": message["id"],
                    "md5": message["md5_body"],
                    "md5a": message["md5_attrs"],
                    "seq": message["seq"],
                }


def _in_entry(recorder: Recorder, handle: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def handle_as_one(data: Any) -> Any:
        with recorder.entry():
            return handle(data)

    return handle_as_one
