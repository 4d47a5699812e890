"""What survives the end of the server process (FAULTS J15)."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.conftest import Cloud, Start, wait_until


def _put(cloud: Cloud, key: str, value: str = "x") -> None:
    item = {"pk": {"S": key}, "value": {"S": value}}
    cloud.client("dynamodb").put_item(TableName=cloud.outputs["ItemsTable"], Item=item)


def _keys(cloud: Cloud, table: str) -> set[str]:
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.outputs[table])
    return {item["pk"]["S"] for page in pages for item in page["Items"]}


def _journal(cloud: Cloud) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(cloud.data.journal.iterdir()))


def test_j15_a_change_is_on_disk_when_it_is_acknowledged(cloud: Cloud) -> None:
    _put(cloud, "at once")
    in_state = (cloud.data.state / "dynamodb.json").read_bytes()
    assert b"at once" in _journal(cloud) + in_state
    cloud.client("ssm").put_parameter(Name="/at-once", Value="saved", Type="String")
    assert "/at-once" in (cloud.data.state / "ssm.json").read_text()


def test_j15_journal_is_emptied_by_a_save(cloud: Cloud) -> None:
    for number in range(20):
        _put(cloud, f"item {number}")
    wait_until(lambda: not _journal(cloud))
    assert "item 19" in (cloud.data.state / "dynamodb.json").read_text()


def test_j15_kill_loses_nothing_that_was_acknowledged(start_cloud: Start, tmp_path: Path) -> None:
    first = start_cloud(tmp_path)
    queue = first.client("sqs").create_queue(QueueName="kept")["QueueUrl"]
    first.client("ssm").put_parameter(Name="/kept", Value="kept value", Type="String")
    first.client("s3").put_object(Bucket=first.outputs["LandingBucketName"], Key="kept", Body=b"kept object")
    for number in range(50):
        _put(first, f"kept {number}")
    first.client("s3").put_object(Bucket=first.outputs["LandingBucketName"], Key="at once", Body=b"x")
    first.client("sqs").send_message(QueueUrl=queue, MessageBody="kept message")
    first.kill()

    second = start_cloud(tmp_path)
    assert {f"kept {number}" for number in range(50)} <= _keys(second, "ItemsTable")
    assert second.client("ssm").get_parameter(Name="/kept")["Parameter"]["Value"] == "kept value"
    assert (
        second.client("sqs").get_queue_attributes(
            QueueUrl=second.client("sqs").get_queue_url(QueueName="kept")["QueueUrl"],
            AttributeNames=["ApproximateNumberOfMessages"],
        )["Attributes"]["ApproximateNumberOfMessages"]
        == "1"
    )
    kept = {
        o["Key"] for o in second.client("s3").list_objects_v2(Bucket=second.outputs["LandingBucketName"])["Contents"]
    }
    assert kept == {"kept", "at once"}
    assert second.invoke(do="greet") == "from the layer"


def test_j16_an_object_that_cannot_be_written_is_not_acknowledged(cloud: Cloud) -> None:
    bucket = cloud.outputs["LandingBucketName"]
    (cloud.data.objects / "000000000000" / bucket / "taken.tmp").mkdir(parents=True)  # where the emulator writes first
    with pytest.raises(ClientError):
        cloud.client("s3").put_object(Bucket=bucket, Key="taken", Body=b"x")
    cloud.client("s3").put_object(Bucket=bucket, Key="free", Body=b"x")


def test_a6_acknowledged_parts_of_an_upload_survive_a_kill(start_cloud: Start, tmp_path: Path) -> None:
    first = start_cloud(tmp_path)
    target = {"Bucket": first.outputs["LandingBucketName"], "Key": "large"}
    upload = {**target, "UploadId": first.client("s3").create_multipart_upload(**target)["UploadId"]}
    parts = [bytes([number]) * (5 * 1024**2) for number in range(3)]
    etags = [first.client("s3").upload_part(**upload, PartNumber=n + 1, Body=parts[n])["ETag"] for n in range(2)]
    first.kill()

    second = start_cloud(tmp_path)
    listed = second.client("s3").list_parts(**upload)["Parts"]
    assert [(part["PartNumber"], part["ETag"]) for part in listed] == [(1, etags[0]), (2, etags[1])]
    etags.append(second.client("s3").upload_part(**upload, PartNumber=3, Body=parts[2])["ETag"])
    numbered = [{"PartNumber": n + 1, "ETag": etag} for n, etag in enumerate(etags)]
    second.client("s3").complete_multipart_upload(**upload, MultipartUpload={"Parts": numbered})
    assert second.client("s3").get_object(**target)["Body"].read() == b"".join(parts)
    assert not list(second.data.multipart.glob("*/*"))


def test_stream_records_reach_their_function_after_a_restart(start_cloud: Start, tmp_path: Path) -> None:
    first = start_cloud(tmp_path)
    for number in range(5):
        _put(first, f"before {number}")
    wait_until(lambda: len(_keys(first, "SeenTable")) == 5)
    first.stop()

    second = start_cloud(tmp_path)
    _put(second, "after")
    # The emulator itself would wait for as many new records as it had seen before the restart.
    wait_until(lambda: "seen#after" in _keys(second, "SeenTable"))


def test_a1_stream_records_not_yet_consumed_survive_a_kill(start_cloud: Start, tmp_path: Path) -> None:
    first = start_cloud(tmp_path)
    mapping = first.client("lambda").list_event_source_mappings(FunctionName="probe")["EventSourceMappings"][0]
    first.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    _put(first, "waiting")
    first.kill()

    second = start_cloud(tmp_path)
    second.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    wait_until(lambda: "seen#waiting" in _keys(second, "SeenTable"))


def test_j15_kills_in_the_middle_of_writes_leave_whole_files(start_cloud: Start, tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path)
    acknowledged: list[str] = []
    for seed in range(3):
        end = time.monotonic() + random.Random(seed).uniform(0.3, 1.5)
        while time.monotonic() < end:
            acknowledged.append(f"item {len(acknowledged)}")
            _put(cloud, acknowledged[-1], "y" * 2000)
        cloud.kill()
        for path in cloud.data.state.glob("*.json"):
            json.loads(path.read_text())
        cloud = start_cloud(tmp_path)
        assert set(acknowledged) <= _keys(cloud, "ItemsTable")


def test_kill_leaves_no_lambda_worker_behind(start_cloud: Start, tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path)
    worker = psutil.Process(cloud.invoke(do="sleep", seconds=0))
    cloud.kill()
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_unreadable_state_stops_the_start_and_is_kept(start_cloud: Start, tmp_path: Path) -> None:
    from aimass_local import lifecycle

    first = start_cloud(tmp_path)
    first.stop()
    broken = first.data.state / "dynamodb.json"
    broken.write_text("{broken")
    with pytest.raises(lifecycle.LifecycleError, match=r"dynamodb\.json"):
        start_cloud(tmp_path)
    assert broken.read_text() == "{broken"
