"""Logs, figures and dead letters against the emulator."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from aimass_core.adapters.dead_letters import SqsDeadLetters, WayBack
from aimass_core.adapters.log_search import InsightsLogSearch
from aimass_core.adapters.watch import AwsWatch, Watched
from aimass_core.bootstrap import AwsClients

OWN = '"workspace_id":"ws_1"'
# Sends what it is given to a queue, by whose URL it is told where.
FUNCTION = """
import json, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=context.function_name and "{url}", MessageBody=json.dumps(event))
"""


def _eventually(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 120
    while not (result := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return result


class Groups:
    """Log groups of two functions and of containers."""

    def __init__(self, clients: AwsClients) -> None:
        self._logs, unique = clients.logs, uuid4().hex
        self.names = {name: f"/{unique}/{name}" for name in ("api", "dispatch", "job", "never")}
        for name in ("api", "dispatch", "job"):
            self._logs.create_log_group(logGroupName=self.names[name])
        self.search = InsightsLogSearch(
            self._logs,
            function_groups={name: self.names[name] for name in ("api", "dispatch")},
            # Nothing has ever run in one of them.
            job_groups=[self.names["job"], self.names["never"]],
        )

    def put(self, group: str, at: datetime, *lines: str, stream: str = "stream") -> None:
        name = self.names[group]
        if not self._logs.describe_log_streams(logGroupName=name, logStreamNamePrefix=stream)["logStreams"]:
            self._logs.create_log_stream(logGroupName=name, logStreamName=stream)
        events = [{"timestamp": round(at.timestamp() * 1_000), "message": line} for line in lines]
        self._logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=events)


@pytest.fixture
def groups(clients: AwsClients) -> Groups:
    return Groups(clients)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=123_000)


def test_lines_of_functions_are_found_newest_first(groups: Groups, now: datetime) -> None:
    groups.put("api", now - timedelta(seconds=3), f'{{{OWN},"message":"a"}}', '{"workspace_id":"ws_2"}')
    groups.put("dispatch", now - timedelta(seconds=2), f'{{{OWN},"message":"b"}}', "START RequestId: 1")
    groups.put("api", now - timedelta(seconds=1), f'{{{OWN},"message":"c"}}')
    search, since = groups.search.search, now - timedelta(minutes=1)
    found = search(functions=["api", "dispatch"], containing=[[OWN]], since=since, until=now, limit=10)
    assert [(line.source, json.loads(line.text)["message"]) for line in found] == [
        ("api", "c"),
        ("dispatch", "b"),
        ("api", "a"),
    ]
    assert found[0].at == now - timedelta(seconds=1)
    assert len(search(functions=["api"], containing=[[OWN]], since=since, until=now, limit=1)) == 1
    both = search(functions=["api"], containing=[[OWN, "ws_2"]], since=since, until=now, limit=10)
    assert len(both) == 3
    none = search(functions=["api"], containing=[[OWN], ["ws_2"]], since=since, until=now, limit=10)
    assert none == []


def test_the_span_of_time_is_exact(groups: Groups, now: datetime) -> None:
    for milliseconds in (0, 1, 2):
        groups.put("api", now + timedelta(milliseconds=milliseconds), f"line {milliseconds}")
    found = groups.search.search(
        functions=["api"], since=now + timedelta(milliseconds=1), until=now + timedelta(milliseconds=1), limit=10
    )
    assert [line.text for line in found] == ["line 1"]


@pytest.mark.parametrize("text", ["/v1/a|b", "it's (100 %)", 'say "x"', "a\\b", "caf\u00e9", "[x]*.^$", "LIKE"])
def test_a_text_is_found_literally_and_in_any_case(groups: Groups, now: datetime, text: str) -> None:
    groups.put("api", now, json.dumps({"path": f"before {text.lower()} after"}), json.dumps({"path": "other"}))
    groups.put("job", now, f"printed {text.lower()}", "other", stream="jobs/1")
    found = groups.search.search(
        functions=["api"], streams=["jobs/1"], text=text, since=now, until=now + timedelta(seconds=1), limit=10
    )
    assert [line.source for line in found] == ["api", "job"]


def test_containers_are_those_of_the_streams_that_are_named(groups: Groups, now: datetime) -> None:
    for stream in ("jobs/1", "jobs/1-later", "jobs/2", "x/jobs/1"):
        groups.put("job", now, f"of {stream}", stream=stream)
    found = groups.search.search(functions=[], streams=["jobs/1"], since=now, until=now, limit=10)
    assert sorted(line.stream for line in found) == ["jobs/1", "jobs/1-later"]


class Letters:
    """A dead-letter queue whose messages came from a queue, and one whose messages came from a function."""

    def __init__(self, clients: AwsClients, name: str) -> None:
        self.sqs, functions = clients.sqs, clients.functions
        self.urls = {
            each: self.sqs.create_queue(QueueName=f"{name}-{each}")["QueueUrl"] for each in ("ingest", "dlq", "heard")
        }
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr("app.py", FUNCTION.replace("{url}", self.urls["heard"]))
        functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role="arn:aws:iam::000000000000:role/any",
            Handler="app.handler",
            Code={"ZipFile": archive.getvalue()},
        )
        ways = {
            "ingest": WayBack(dead_letters=f"{name}-dlq", queue_url=self.urls["ingest"]),
            "function": WayBack(dead_letters=f"{name}-dlq", function=name),
        }
        self.store = SqsDeadLetters(sqs=self.sqs, functions=functions, ways=ways, reconciler=name)

    def put(self, body: str, **attributes: str) -> None:
        typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        self.sqs.send_message(QueueUrl=self.urls["dlq"], MessageBody=body, MessageAttributes=typed)

    def received(self, queue: str) -> Any:
        def receive() -> Any:
            return self.sqs.receive_message(QueueUrl=self.urls[queue], WaitTimeSeconds=1).get("Messages")

        found = _eventually(receive)
        return json.loads(found[0]["Body"])


@pytest.fixture
def letters(clients: AwsClients) -> Iterator[Letters]:
    name = f"letters-{uuid4().hex[:8]}"
    yield Letters(clients, name)
    clients.functions.delete_function(FunctionName=name)


def test_letters_are_taken_given_back_and_deleted(letters: Letters) -> None:
    for number in range(12):
        letters.put(f'{{"n":{number}}}', ERROR_MESSAGE="away")
    store = letters.store
    taken = store.take("ingest", limit=100)
    assert len({letter.id for letter in taken}) == 12
    assert {letter.attributes["ERROR_MESSAGE"] for letter in taken} == {"away"}
    assert abs((taken[0].sent_at - datetime.now(UTC)).total_seconds()) < 60
    figures = store.measure("ingest")
    assert (figures.num_waiting, figures.num_in_flight) == (0, 12)
    assert store.take("ingest", limit=100) == []
    store.give_back("ingest", taken)
    again = store.take("ingest", limit=100)
    assert {letter.id for letter in again} == {letter.id for letter in taken}
    for letter in again:
        store.delete("ingest", letter)
    assert store.measure("ingest").num_in_flight == 0


def test_letters_go_back_where_they_came_from(letters: Letters) -> None:
    letters.put('{"type":"close_version"}')
    (letter,) = letters.store.take("ingest", limit=10)
    letters.store.send_again("ingest", letter)
    assert letters.received("ingest") == {"type": "close_version"}
    letters.store.send_again("function", letter)
    assert letters.received("heard") == {"type": "close_version"}


def test_j3_the_event_of_a_function_that_failed_is_unpacked(letters: Letters) -> None:
    failure = {
        "requestContext": {"condition": "RetriesExhausted"},
        "requestPayload": {"source": "aws.batch"},
        "responsePayload": {"errorMessage": "KeyError: 'status'"},
    }
    letters.put(json.dumps(failure))
    (letter,) = letters.store.take("function", limit=10)
    assert json.loads(letter.body) == {"source": "aws.batch"}
    assert letter.attributes["ERROR_MESSAGE"] == "KeyError: 'status'"
    letters.store.send_again("function", letter)
    assert letters.received("heard") == {"source": "aws.batch"}


def test_j4_for_rows_that_a_stream_lost_the_reconciler_looks(letters: Letters) -> None:
    letters.put(json.dumps({"requestContext": {}, "DDBStreamBatchInfo": {"shardId": "s"}}))
    (letter,) = letters.store.take("ingest", limit=10)
    letters.store.send_again("ingest", letter)
    assert letters.received("heard") == {}


def test_figures_alarms_and_queues_are_read(clients: AwsClients, letters: Letters) -> None:
    name = f"aimass-{uuid4().hex[:8]}"
    clients.cloudwatch.put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {"MetricName": metric, "Value": value, "Dimensions": [{"Name": "FunctionName", "Value": name}]}
            for metric, value in (("Invocations", 3), ("Errors", 1), ("Duration", 40.0), ("Duration", 80.0))
        ],
    )
    clients.cloudwatch.put_metric_alarm(
        AlarmName=f"{name}-errors",
        AlarmDescription="It fails.",
        Namespace="AWS/Lambda",
        MetricName="Errors",
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        EvaluationPeriods=1,
        Period=60,
        Statistic="Sum",
    )
    clients.cloudwatch.set_alarm_state(AlarmName=f"{name}-errors", StateValue="ALARM", StateReason="test")
    watched = Watched(
        functions={"api": name, "quiet": "quiet"},
        queue_url=letters.urls["ingest"],
        job_queue="none",
        alarm_prefix=name,
    )
    watch = AwsWatch(watched, cloudwatch=clients.cloudwatch, sqs=clients.sqs, batch=clients.batch)
    measured = watch.measure_functions()
    api = measured["api"]
    assert (api.num_invocations, api.num_errors, api.num_throttles) == (3, 1, None)
    assert api.p95_ms is not None
    assert 40 <= api.p95_ms <= 80
    assert measured["quiet"].num_invocations is None
    letters.sqs.send_message(QueueUrl=letters.urls["ingest"], MessageBody="{}")
    assert watch.measure_queue().num_waiting == 1
    (alarm,) = watch.list_alarms()
    assert (alarm.name, alarm.description) == (f"{name}-errors", "It fails.")
    assert watch.read_job_queue() is None
