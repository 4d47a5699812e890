"""What the local cloud keeps of writers: each kind of write, and how one looks for all of them later.

Nothing is asked twice, so that what is there twice was doubled by the cloud.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any

import boto3
import httpx2
from botocore.config import Config

from tests.stack import Stack


class Store(ABC):
    """Takes names, and finds them again."""

    kind: str

    @abstractmethod
    def write(self, name: str) -> None:
        """Returns once it is acknowledged."""

    @abstractmethod
    def find(self, names: set[str]) -> Counter[str]:
        """How often each of the names is there, right after a kill."""

    @abstractmethod
    def find_all(self) -> Counter[str]:
        """How often each name of all that were ever written is there."""

    @abstractmethod
    def close(self) -> None:
        """Ends its connections."""


class Datasets(Store):
    """Of the HTTP API: gateway, authorizer, function, and a transaction in the registry."""

    kind = "dataset"

    def __init__(self, stack: Stack) -> None:
        self._http = httpx2.Client(
            base_url=stack.url, headers={"authorization": f"Bearer {stack.api_key}"}, timeout=600
        )

    def write(self, name: str) -> None:
        self._http.post("/v1/datasets", json={"name": name}).raise_for_status()

    def find(self, names: set[str]) -> Counter[str]:
        found = Counter[str]()
        for name in names:
            answer = self._http.get(f"/v1/datasets/{name}")
            if answer.status_code == httpx2.codes.NOT_FOUND:
                continue
            found[answer.raise_for_status().json()["name"]] += 1
        return found

    def find_all(self) -> Counter[str]:
        found = Counter[str]()
        query: dict[str, Any] = {"limit": 100}
        while True:
            page = self._http.get("/v1/datasets", params=query).raise_for_status().json()
            found.update(each["name"] for each in page["items"])
            if not page.get("next_cursor"):
                return found
            query["cursor"] = page["next_cursor"]

    def close(self) -> None:
        self._http.close()


class Objects(Store):
    kind = "object"

    def __init__(self, stack: Stack) -> None:
        self._s3, self._bucket = _client(stack, "s3"), stack.outputs["LandingBucketName"]

    def write(self, name: str) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=f"kept/{name}", Body=name.encode() * 100)

    def find(self, names: set[str]) -> Counter[str]:
        found = Counter[str]()
        for name in names:
            with contextlib.suppress(self._s3.exceptions.NoSuchKey):
                body = self._s3.get_object(Bucket=self._bucket, Key=f"kept/{name}")["Body"].read()
                found[name] += body == name.encode() * 100
        return found

    def find_all(self) -> Counter[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix="kept/")
        return Counter(each["Key"].removeprefix("kept/") for page in pages for each in page.get("Contents", ()))

    def close(self) -> None:
        self._s3.close()


class Items(Store):
    """Of a table, each a counter that a write raises by one."""

    kind = "item"

    def __init__(self, stack: Stack) -> None:
        self._dynamodb = _client(stack, "dynamodb")
        self._dynamodb.create_table(
            TableName="kept",
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def write(self, name: str) -> None:
        self._dynamodb.update_item(
            TableName="kept",
            Key={"name": {"S": name}},
            UpdateExpression="ADD writes :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    def find(self, names: set[str]) -> Counter[str]:
        found = Counter[str]()
        for name in names:
            item = self._dynamodb.get_item(TableName="kept", Key={"name": {"S": name}}, ConsistentRead=True).get("Item")
            found[name] += int(item["writes"]["N"]) if item else 0
        return found

    def find_all(self) -> Counter[str]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName="kept", ConsistentRead=True)
        return Counter({each["name"]["S"]: int(each["writes"]["N"]) for page in pages for each in page["Items"]})

    def close(self) -> None:
        self._dynamodb.close()


class Messages(Store):
    """Of a queue that nobody reads before the end."""

    kind = "message"

    def __init__(self, stack: Stack) -> None:
        self._sqs = _client(stack, "sqs")
        hidden = {"VisibilityTimeout": "43200"}
        self._url = self._sqs.create_queue(QueueName="kept", Attributes=hidden)["QueueUrl"]

    def write(self, name: str) -> None:
        self._sqs.send_message(QueueUrl=self._url, MessageBody=name)

    def find(self, names: set[str]) -> Counter[str]:
        """They are looked for at the end alone: to receive them hides them."""
        return Counter(names)

    def find_all(self) -> Counter[str]:
        found = Counter[str]()
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            found.update(each["Body"] for each in messages)
        return found

    def close(self) -> None:
        self._sqs.close()


class Parameters(Store):
    """Whose version says how often each was written."""

    kind = "parameter"

    def __init__(self, stack: Stack) -> None:
        self._ssm = _client(stack, "ssm")

    def write(self, name: str) -> None:
        self._ssm.put_parameter(Name=f"/kept/{name}", Value=name, Type="String")

    def find(self, names: set[str]) -> Counter[str]:
        found = Counter[str]()
        for name in names:
            with contextlib.suppress(self._ssm.exceptions.ParameterNotFound):
                found[name] += self._ssm.get_parameter(Name=f"/kept/{name}")["Parameter"]["Version"]
        return found

    def find_all(self) -> Counter[str]:
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path="/kept/")
        found = {each["Value"]: each["Version"] for page in pages for each in page["Parameters"]}
        return Counter(found)

    def close(self) -> None:
        self._ssm.close()


def _client(stack: Stack, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=stack.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )
