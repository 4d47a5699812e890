"""The smaller adapters against the emulator."""

import io
import json
import traceback
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from aimass_core.adapters.lambda_predictor import LambdaPredictor
from aimass_core.adapters.logs import CloudWatchLogs
from aimass_core.adapters.secrets_manager import SecretsManagerSecrets
from aimass_core.adapters.sqs import SqsQueue
from aimass_core.bootstrap import AwsClients
from aimass_core.errors import InternalError, UnavailableError
from aimass_core.lambda_support.idempotency import dynamodb_store, run_once
from aimass_core.ports import Secrets
from tests.contracts.secrets import SecretsContract

GROUP = "/aws/batch/job"
FUNCTION = """
def handler(event, context):
    if event.get("break"):
        raise RuntimeError("no such file: /var/task/model.onnx\\nsecond line")
    return {"outputs": event["inputs"]}
"""


@pytest.fixture(scope="module")
def log_group(clients: AwsClients) -> str:
    clients.logs.create_log_group(logGroupName=GROUP)
    return GROUP


def test_a_log_is_read_on_from_where_the_reader_stopped(clients: AwsClients, log_group: str) -> None:
    stream = f"batch-jobs/default/{uuid4().hex}"
    logs = CloudWatchLogs(clients.logs, group=log_group)
    assert logs.read(stream, cursor=None, limit=10) == ([], None)
    clients.logs.create_log_stream(logGroupName=log_group, logStreamName=stream)
    start = datetime.now(UTC).replace(microsecond=0)
    _log(clients, log_group, stream, start, range(5))
    first, cursor = logs.read(stream, cursor=None, limit=3)
    assert [line.message for line in first] == ["line 0", "line 1", "line 2"]
    assert first[1].at == start + timedelta(milliseconds=1)
    rest, cursor = logs.read(stream, cursor=cursor, limit=3)
    assert [line.message for line in rest] == ["line 3", "line 4"]
    none, cursor = logs.read(stream, cursor=cursor, limit=3)
    assert none == []
    _log(clients, log_group, stream, start, range(5, 6))
    new, _ = logs.read(stream, cursor=cursor, limit=3)
    assert [line.message for line in new] == ["line 5"]


def test_a_message_arrives_as_it_was_sent(clients: AwsClients) -> None:
    url = clients.sqs.create_queue(QueueName=f"q-{uuid4().hex}")["QueueUrl"]
    message = {"type": "close_version", "number": 3, "name": "\u2603"}
    SqsQueue(clients.sqs, url=url).send(message)
    (received,) = clients.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(received["Body"]) == message


def test_a_delayed_message_is_not_there_yet(clients: AwsClients) -> None:
    url = clients.sqs.create_queue(QueueName=f"q-{uuid4().hex}")["QueueUrl"]
    SqsQueue(clients.sqs, url=url).send({"type": "x"}, delay_seconds=10_000)
    counted = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert int(counted["ApproximateNumberOfMessagesDelayed"]) == 1


def test_a_queue_that_is_not_there_is_a_fault_of_ours(clients: AwsClients) -> None:
    url = clients.sqs.create_queue(QueueName=f"q-{uuid4().hex}")["QueueUrl"]
    clients.sqs.delete_queue(QueueUrl=url)
    with pytest.raises(InternalError) as raised:
        SqsQueue(clients.sqs, url=url).send({})
    assert url not in str(raised.value)


class TestSecretsManagerSecrets(SecretsContract):
    @pytest.fixture
    def secrets(self, clients: AwsClients) -> Secrets:
        return SecretsManagerSecrets(clients.secretsmanager)

    @pytest.fixture
    def another(self, clients: AwsClients) -> Secrets:
        return SecretsManagerSecrets(clients.secretsmanager)

    def test_secret_is_kept_for_some_minutes(self, secrets: Secrets, another: Secrets, name: str) -> None:
        secrets.put(name, "former")
        assert another.get(name) == "former"
        secrets.put(name, "new")
        assert another.get(name) == "former"
        assert another.get(name, fresh=True) == "new"


def test_b11_secret_that_cannot_be_written_is_not_told(clients: AwsClients) -> None:
    secrets, canary = SecretsManagerSecrets(clients.secretsmanager), uuid4().hex
    with pytest.raises(UnavailableError) as caught:
        secrets.put("", canary)
    assert canary not in "".join(traceback.format_exception(caught.value))


@pytest.fixture(scope="module")
def function(clients: AwsClients) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("app.py", FUNCTION)
    name = f"predictions-{uuid4().hex}"
    clients.functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/x",
        Code={"ZipFile": archive.getvalue()},
    )
    return name


def test_a_prediction_comes_back(clients: AwsClients, function: str) -> None:
    predictor = LambdaPredictor(clients.functions, function=function)
    assert predictor.predict({"inputs": {"age": [[39.0]]}}) == {"outputs": {"age": [[39.0]]}}


def test_a_function_that_breaks_is_told_by_its_first_line(clients: AwsClients, function: str) -> None:
    with pytest.raises(InternalError, match="no such file") as raised:
        LambdaPredictor(clients.functions, function=function).predict({"break": True})
    assert "second line" not in str(raised.value)


class _Context:
    def get_remaining_time_in_millis(self) -> int:
        return 10_000


def test_a_repeated_request_is_answered_from_dynamodb(clients: AwsClients) -> None:
    table = f"idempotency-{uuid4().hex}"
    clients.dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    done: list[int] = []

    def work() -> dict[str, Any]:
        done.append(1)
        return {"status": 201, "headers": {}, "body": {"n": len(done)}}

    def ask() -> dict[str, Any]:
        store = dynamodb_store(table, clients.dynamodb)
        return run_once(store, work, key={"k": "1"}, body={}, context=_Context())  # type: ignore[arg-type]

    assert ask()["body"] == {"n": 1}
    assert ask() == {"status": 201, "headers": {}, "body": {"n": 1}, "is_replay": True}
    assert len(done) == 1


def _log(clients: AwsClients, group: str, stream: str, start: datetime, numbers: range) -> None:
    clients.logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[
            {"timestamp": int(start.timestamp() * 1000) + number, "message": f"line {number}"} for number in numbers
        ],
    )
