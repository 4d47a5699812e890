"""What the journal brings back of DynamoDB and SQS (FAULTS J15), on the emulator's own handlers.

A restart is: forget everything, load the state files, replay the journal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ministack import app as ministack_app
from ministack.core import persistence, responses
from ministack.services import dynamodb, lambda_svc, s3, sqs

from aimass_local.emulator import EmulatorState
from aimass_local.emulator.states import JOURNALED_KEYS
from aimass_local.environment import ACCOUNT_ID, REGION
from aimass_local.journal import Journal
from aimass_local.state import Snapshot, StateSaver, StateUnreadableError

_PLENTY = 10**12


@dataclass
class _Cloud:
    """The emulator with one table (with a stream that a function consumes) and one queue."""

    state: EmulatorState
    folder: Path

    def begin(self) -> None:
        (self.folder / "state").mkdir()
        (self.folder / "journal").mkdir()
        self.state.recorder.journal = Journal(self.folder / "journal")
        _require(
            dynamodb._create_table(
                {
                    "TableName": "items",
                    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                    "BillingMode": "PAY_PER_REQUEST",
                    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                }
            )
        )
        source = dynamodb._tables["items"]["LatestStreamArn"]
        lambda_svc._esms["mapping"] = {"UUID": "mapping", "EventSourceArn": source, "Enabled": False}
        lambda_svc._dynamodb_stream_positions["mapping"] = 0
        sqs._act_create_queue({"QueueName": "queue"}, "")
        sqs._act_create_queue({"QueueName": "queue.fifo", "Attributes": {"FifoQueue": "true"}}, "")
        self.save()

    def save(self, *, num_steps: int | None = None) -> None:
        """Saves; after so many steps, if given, the process is killed."""
        source = _Source(self, num_steps)
        asyncio.run(StateSaver(self.folder / "state", source, free_bytes=lambda _: _PLENTY).save_all())

    def restart(self) -> None:
        self.state.recorder.journal.close()
        _forget()
        self.state.recorder.journal = Journal(self.folder / "journal")
        ministack_app._load_persisted_state()

    def put(self, key: str, value: int) -> None:
        _require(dynamodb._put_item({"TableName": "items", "Item": {"pk": {"S": key}, "value": {"N": str(value)}}}))

    def items(self) -> dict[str, str]:
        return {
            sk["pk"]["S"]: sk["value"]["N"]
            for row in dynamodb._tables["items"]["items"].values()
            for sk in row.values()
        }

    def stream(self) -> list[str]:
        """Event and key of each waiting record."""
        records = dynamodb._stream_records.get("items") or []
        return [f"{record['eventName']} {record['dynamodb']['Keys']['pk']['S']}" for record in records]

    def url(self, name: str = "queue") -> str:
        return str(sqs._act_get_queue_url({"QueueName": name}, "")["QueueUrl"])

    def arn(self, name: str = "queue") -> str:
        return str(sqs._queues[self.url(name)]["attributes"]["QueueArn"])

    def send(self, body: str, name: str = "queue", **more: str) -> None:
        sqs._act_send_message({"QueueUrl": self.url(name), "MessageBody": body, **more}, "")

    def messages(self, name: str = "queue") -> list[str]:
        return [message["body"] for message in sqs._queues[self.url(name)]["messages"]]


class _KilledError(Exception):
    pass


@dataclass
class _Source:
    """The part of the emulator's state that is journaled; saving it may be cut by a kill, while others write on."""

    cloud: _Cloud
    steps_left: int | None = None

    def _step(self) -> None:
        if self.steps_left == 0:
            raise _KilledError
        if self.steps_left is not None:
            self.steps_left -= 1

    def is_journal_short(self) -> bool:
        return self.cloud.state.is_journal_short()

    def state_keys(self) -> frozenset[str]:
        return JOURNALED_KEYS

    async def snapshot(self, keys: Collection[str]) -> Snapshot:
        self._step()
        snapshot = await self.cloud.state.snapshot(keys)
        if self.steps_left is not None:
            self.cloud.put("a", 3)
            self.cloud.put("meanwhile", 1)
            self.cloud.send("meanwhile")
        self._step()
        return snapshot

    def encode_state(self, key: str, state: object) -> bytes:
        self._step()
        return self.cloud.state.encode_state(key, state)

    def confirm(self, snapshot: Snapshot) -> None:
        self._step()
        self.cloud.state.confirm(snapshot)
        self._step()

    def trim_logs(self, *, max_streams: int, max_events: int) -> None:
        pass


def _require(answer: tuple[int, Any, Any]) -> None:
    assert answer[0] == 200, answer


def _forget() -> None:
    dynamodb.reset()
    sqs.reset()
    lambda_svc._esms.clear()
    lambda_svc._dynamodb_stream_positions.clear()


@pytest.fixture
def cloud(emulator_state: EmulatorState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Cloud]:
    monkeypatch.setattr(persistence, "PERSIST_STATE", True)
    monkeypatch.setattr(persistence, "STATE_DIR", str(tmp_path / "state"))
    responses.set_request_account_id(ACCOUNT_ID)
    responses.set_request_region(REGION)
    _forget()
    made = _Cloud(emulator_state, tmp_path)
    made.begin()
    yield made
    _forget()


def test_j15_every_kind_of_write_is_brought_back(cloud: _Cloud) -> None:
    for number in range(5):
        cloud.put(f"put {number}", number)
    _require(
        dynamodb._update_item(
            {
                "TableName": "items",
                "Key": {"pk": {"S": "put 0"}},
                "UpdateExpression": "SET #v = :v",
                "ExpressionAttributeNames": {"#v": "value"},
                "ExpressionAttributeValues": {":v": {"N": "100"}},
            }
        )
    )
    _require(dynamodb._delete_item({"TableName": "items", "Key": {"pk": {"S": "put 1"}}}))
    put = {"PutRequest": {"Item": {"pk": {"S": "batch"}, "value": {"N": "7"}}}}
    delete = {"DeleteRequest": {"Key": {"pk": {"S": "put 2"}}}}
    _require(dynamodb._batch_write_item({"RequestItems": {"items": [put, delete]}}))
    _require(
        dynamodb._transact_write_items(
            {
                "TransactItems": [
                    {"Put": {"TableName": "items", "Item": {"pk": {"S": "transaction"}, "value": {"N": "8"}}}},
                    {"Delete": {"TableName": "items", "Key": {"pk": {"S": "put 3"}}}},
                ]
            }
        )
    )
    _require(dynamodb._execute_statement({"Statement": "INSERT INTO \"items\" VALUE {'pk': 'sql', 'value': 9}"}))
    expected, stream = cloud.items(), cloud.stream()
    assert expected == {"put 0": "100", "put 4": "4", "batch": "7", "transaction": "8", "sql": "9"}
    cloud.restart()
    assert cloud.items() == expected
    assert dynamodb._tables["items"]["ItemCount"] == 5
    assert cloud.stream() == stream


def test_j15_transaction_is_one_entry(cloud: _Cloud) -> None:
    """A kill may cut an entry, so a transaction that were two could come back as a half."""
    puts = [{"Put": {"TableName": "items", "Item": {"pk": {"S": key}, "value": {"N": "1"}}}} for key in "abc"]
    _require(dynamodb._transact_write_items({"TransactItems": puts}))
    (entry,) = Journal(cloud.folder / "journal").read()
    assert [record[0] for record in json.loads(entry)] == ["item", "stream_record"] * 3


def test_refused_and_rolled_back_writes_leave_nothing(cloud: _Cloud) -> None:
    cloud.put("a", 1)
    item = {"pk": {"S": "a"}, "value": {"N": "2"}}
    refused = dynamodb._put_item(
        {"TableName": "items", "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
    )
    assert refused[0] == 400
    insert = {"Statement": "INSERT INTO \"items\" VALUE {'pk': 'b', 'value': 1}"}
    twice = {"Statement": "INSERT INTO \"items\" VALUE {'pk': 'a', 'value': 3}"}
    assert dynamodb._execute_transaction({"TransactStatements": [insert, twice]})[0] == 400
    cloud.restart()
    assert cloud.items() == {"a": "1"}


def test_j15_messages_are_brought_back_once(cloud: _Cloud) -> None:
    cloud.send("saved")
    cloud.save()
    cloud.send("sent")
    entries = [{"Id": str(number), "MessageBody": f"batch {number}"} for number in range(2)]
    sqs._act_send_message_batch({"QueueUrl": cloud.url(), "Entries": entries}, "")
    for _ in range(2):
        cloud.restart()
        assert cloud.messages() == ["saved", "sent", "batch 0", "batch 1"]


def test_j15_message_that_a_function_was_working_on_comes_again_at_once(cloud: _Cloud) -> None:
    """Other consumers live on: what they have received stays hidden from others, and delayed messages wait."""
    lambda_svc._esms["of the queue"] = {"UUID": "q", "EventSourceArn": cloud.arn(), "Enabled": False}
    for name in ("queue", "queue.fifo"):
        cloud.send(
            "received", name, **({"MessageGroupId": "g", "MessageDeduplicationId": "1"} if "fifo" in name else {})
        )
        assert len(sqs._receive_messages_for_esm(cloud.url(name), 10)) == 1
    cloud.send("delayed", DelaySeconds="600")
    cloud.save()
    mapping = lambda_svc._esms["of the queue"]
    _forget()
    lambda_svc._esms["of the queue"] = mapping
    ministack_app._load_persisted_state()
    again = sqs._receive_messages_for_esm(cloud.url(), 10)
    assert [(message["body"], message["receive_count"]) for message in again] == [("received", 2)]
    assert not sqs._receive_messages_for_esm(cloud.url("queue.fifo"), 10)


def test_j15_fifo_queue_goes_on_with_its_numbers_and_still_knows_duplicates(cloud: _Cloud) -> None:
    cloud.send("one", "queue.fifo", MessageGroupId="g", MessageDeduplicationId="1")
    cloud.restart()
    cloud.send("one", "queue.fifo", MessageGroupId="g", MessageDeduplicationId="1")
    cloud.send("two", "queue.fifo", MessageGroupId="g", MessageDeduplicationId="2")
    assert cloud.messages("queue.fifo") == ["one", "two"]
    numbers = [message["seq"] for message in sqs._queues[cloud.url("queue.fifo")]["messages"]]
    assert numbers == sorted(set(numbers))


def test_j15_queue_hears_of_an_object_before_the_object_is_acknowledged(cloud: _Cloud) -> None:
    queue = cloud.arn()
    s3._bucket_notifications["bucket"] = (
        f"<NotificationConfiguration><QueueConfiguration><Queue>{queue}</Queue>"
        "<Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
    )
    s3._buckets["bucket"] = {"objects": {}, "region": REGION, "account_id": ACCOUNT_ID}
    policy = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
    sqs._queues[cloud.url()]["attributes"]["Policy"] = json.dumps({"Statement": [policy]})
    try:
        s3._fire_s3_event_async("bucket", "key", "s3:ObjectCreated:Put", size=1, etag='"e"')
    finally:
        del s3._bucket_notifications["bucket"], s3._buckets["bucket"]
    cloud.restart()
    (body,) = cloud.messages()
    assert json.loads(body)["Records"][0]["s3"]["object"]["key"] == "key"


@pytest.mark.parametrize("num_steps", range(7))
def test_j15_kill_at_any_step_of_a_save_loses_nothing(cloud: _Cloud, num_steps: int) -> None:
    cloud.put("a", 1)
    cloud.send("first")
    cloud.save()
    cloud.put("a", 2)
    cloud.put("b", 1)
    cloud.send("second")
    with pytest.raises(_KilledError):
        cloud.save(num_steps=num_steps)
    items, messages, stream = cloud.items(), cloud.messages(), cloud.stream()
    assert len(stream) == (3 if num_steps == 0 else 5)
    for _ in range(2):
        cloud.restart()
        assert cloud.items() == items
        assert cloud.messages() == messages
        assert cloud.stream() == stream


def test_whole_save_is_followed_by_an_empty_journal(cloud: _Cloud) -> None:
    cloud.put("a", 1)
    cloud.save()
    assert not list(Journal(cloud.folder / "journal").read())
    cloud.restart()
    assert cloud.items() == {"a": "1"}


def test_j16_change_that_the_journal_cannot_take_is_not_acknowledged(cloud: _Cloud) -> None:
    (cloud.folder / "journal").rename(cloud.folder / "gone")
    with pytest.raises(OSError):
        cloud.put("a", 1)
    with pytest.raises(OSError):
        cloud.send("message")
    (cloud.folder / "gone").rename(cloud.folder / "journal")
    cloud.put("b", 1)
    cloud.restart()
    assert cloud.items() == {"b": "1"}


def test_damaged_journal_stops_the_start(cloud: _Cloud) -> None:
    cloud.put("a", 1)
    cloud.put("b", 1)
    (path,) = (cloud.folder / "journal").iterdir()
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with pytest.raises(StateUnreadableError, match=rf"line 1 of .*{path.name}.*aimass local reset"):
        cloud.restart()


def test_items_of_a_table_that_is_gone_do_not_stop_the_start(cloud: _Cloud) -> None:
    cloud.put("a", 1)
    dynamodb._delete_table({"TableName": "items"})
    _forget()
    cloud.state.recorder.journal.close()
    (cloud.folder / "state" / "dynamodb.json").unlink()
    ministack_app._load_persisted_state()
    assert "items" not in dynamodb._tables
