"""What the emulator's Athena and DynamoDB do with our patches in them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from ministack.services import athena, dynamodb

from aimass_local.emulator import queries

pytestmark = pytest.mark.usefixtures("emulator_state")

CONDITION = "pk = :pk AND begins_with(sk, :prefix)"
VALUES = {":pk": {"S": "WS#1"}, ":prefix": {"S": "JOB#"}}


@pytest.mark.parametrize(
    ("partition", "sort", "is_found"),
    [("WS#1", "JOB#1", True), ("WS#1", "JOB#", True), ("WS#1", "JO", False), ("WS#2", "JOB#1", False)],
)
def test_the_registrys_condition_is_decided_as_the_emulator_decides_it(
    partition: str, sort: str, is_found: bool
) -> None:
    item = {"pk": {"S": partition}, "sk": {"S": sort}}
    names = {"#p": "pk"}
    for condition in (CONDITION, "#p = :pk AND begins_with(sk, :prefix)"):
        found = dynamodb._evaluate_condition(condition, item, VALUES, names, slot="KeyConditionExpression")
        assert bool(found) is is_found


def _call(operation: str, **request: Any) -> dict[str, Any]:
    answer = getattr(dynamodb, operation)({"TableName": "items-to-query", **request})
    assert answer[0] == 200, answer
    found: dict[str, Any] = json.loads(answer[2])
    return found


def test_pages_of_a_query_by_prefix_have_its_items_only_and_in_order() -> None:
    keys = [{"AttributeName": name, "KeyType": kind} for name, kind in (("pk", "HASH"), ("sk", "RANGE"))]
    types = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    _call("_create_table", KeySchema=keys, AttributeDefinitions=types, BillingMode="PAY_PER_REQUEST")
    for sort in ("JOB#2", "KEY#1", "JOB#3", "JOB#1", "AUDIT#9"):
        _call("_put_item", Item={"pk": {"S": "WS#1"}, "sk": {"S": sort}})
    request: dict[str, Any] = {"KeyConditionExpression": CONDITION, "ExpressionAttributeValues": VALUES, "Limit": 2}
    first = _call("_query", **request)
    second = _call("_query", **request, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [item["sk"]["S"] for page in (first, second) for item in page["Items"]] == ["JOB#1", "JOB#2", "JOB#3"]
    assert [name for _, _, name in dynamodb._tables._data] == ["items-to-query"], "nothing else is left behind"
    _call("_delete_table")


def _execution(**status: Any) -> dict[str, Any]:
    return {
        "QueryExecutionId": "q-1",
        "Status": {"State": "RUNNING", "SubmissionDateTime": int(time.time()) - 60, **status},
    }


def test_a_query_that_a_stopped_server_left_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(athena._executions, "q-1", _execution())
    found = json.loads(athena._get_query_execution({"QueryExecutionId": "q-1"})[2])["QueryExecution"]
    assert found["Status"]["State"] == "FAILED"
    assert "Start it again" in found["Status"]["StateChangeReason"]


def test_rows_are_read_on_from_where_a_page_ended(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('"n","text"\n"1","a ""b"", c\nd"\n"2",\n"3",""\n')
    header, start = queries._read_rows(path, 0, 1)
    assert header == [[{"VarCharValue": "n"}, {"VarCharValue": "text"}]]
    first, start = queries._read_rows(path, start or 0, 2)
    assert first == [[{"VarCharValue": "1"}, {"VarCharValue": 'a "b", c\nd'}], [{"VarCharValue": "2"}, {}]]
    assert queries._read_rows(path, start or 0, 2) == ([[{"VarCharValue": "3"}, {"VarCharValue": ""}]], None)
