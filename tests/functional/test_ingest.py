"""What the ingest function does with several messages at once."""

from typing import Any

from aimass_core.domain import keys
from aimass_core.domain.datasets import DatasetVersion
from aimass_core.services import records
from aimass_core.services.ingest import versions
from functions.ingest.app import Deployment, make_handler
from tests.functional.gateway import Api, Context
from tests.functional.ingest import MAX_LAMBDA_BYTES, s3_event, sqs_event

AT = "2026-11-26T12:00:00.000Z"


def drop(api: Api, dataset: str, name: str, body: bytes) -> dict[str, Any]:
    """The event of a dropped file, with all that S3 tells."""
    key = f"{keys.drop_prefix(api.workspace.name, dataset)}{name}"
    info = api.ports.landing.put(key, body)
    event = s3_event(key)
    event["Records"][0]["eventTime"] = AT
    event["Records"][0]["s3"]["object"] |= {"size": info.num_bytes, "eTag": info.etag}
    return event


def run(api: Api, *messages: Any) -> list[str]:
    handler = make_handler(lambda: Deployment(ports=api.ports, max_lambda_bytes=MAX_LAMBDA_BYTES))
    answer = handler(sqs_event(*messages), Context())  # type: ignore[arg-type]
    return [str(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]


def test_files_of_a_batch_land_together_and_one_version_of_it_is_converted(api: Api) -> None:
    for name in ("a", "b"):
        assert api.post("/v1/datasets", {"name": name, "policy": {"drop_window_seconds": 0}}).status == 201
    files = [drop(api, name, f"{n}.csv", f"n\n{n}\n".encode()) for name in ("a", "b") for n in range(3)]
    assert run(api, *files) == []
    due = [message for message, _ in api.ports.ingest_queue.messages]
    assert [message["type"] for message in due] == ["close_version"] * 2
    api.ports.ingest_queue.messages.clear()
    assert run(api, *due, drop(api, "b", "late.csv", b"n\n9\n")) == []
    again = [message for message, _ in api.ports.ingest_queue.messages]
    assert due[0] in again, "the other goes back to the queue"
    assert api.get("/v1/datasets/a").json["latest_version"] is None
    assert api.get("/v1/datasets/b/versions/1").json["num_rows"] == 3


def test_b12_of_nine_messages_seven_are_taken_and_two_fail_alone(api: Api) -> None:
    """SQS delivers the two again, and keeps them in the dead-letter queue after the fifth time."""
    told = [drop(api, "a", f"{number}.csv", b"n\n%d\n" % number) for number in range(7)]
    broken: list[Any] = [{"Records": [{"s3": {}}]}, {"type": "unknown"}]

    messages = [*told[:3], broken[0], *told[3:], broken[1]]
    assert run(api, *messages) == ["message-3", "message-8"]
    assert run(api, *broken) == ["message-0", "message-1"], "they fail again, whatever was taken"

    dataset = api.get("/v1/datasets/a").json
    assert dataset["last_number"] == 1
    version = records.get(api.ports, DatasetVersion, dataset["workspace_id"], dataset["id"], 1)
    assert len(versions.load_files(api.ports, version)) == 7
