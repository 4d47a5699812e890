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
    _client: Any

    @abstractmethod
    def write(self, name: str) -> None:
        """Returns once it is acknowledged."""

    @abstractmethod
    def find(self, names: set[str]) -> Counter[str]:
        """How often each of the names is there, right after a kill."""

    @abstractmethod
    def find_all(self) -> Counter[str]:
        """How often each name of all that were ever written is there."""

    def close(self) -> None:
        """Ends its connections."""
        self._client.close()


class Datasets(Store):
    """Of the HTTP API: gateway, authorizer, function, and a transaction in the registry."""

    kind = "dataset"

    def __init__(self, stack: Stack) -> None:
        self._client = httpx2.Client(
            base_url=stack.url, headers={"authorization": f"Bearer {stack.api_key}"}, timeout=600
        )

    def write(self, name: str) -> None:
        self._client.post("/v1/datasets", json={"name": name}).raise_for_status()

    def find(self, names: set[str]) -> Counter[str]:
        found = Counter[str]()
        for name in names:
            answer = self._client.get(f"/v1/datasets/{name}")
            if answer.status_code == httpx2.codes.NOT_FOUND:
                continue
            found[answer.raise_for_status().json()["name"]] += 1
        return found

    def find_all(self) -> Counter[str]:
        found = Counter[str]()
        query: dict[str, Any] = {"limit": 100}
        while True:
            page = self._client.get("/v1/datasets", params=query).raise_for_status().json()
            found.update(each["name"] for each in page["items"])
            if not page.get("next_cursor"):
                return found
            query["cursor"] = page["next_cursor"]


class Objects(Store):
    kind = "object"

    def __init__(self, stack: Stack) -> None:
        self._client, self._bucket = _build_client(stack, "s3"), stack.outputs["LandingBucketName"]

    def write(self, name: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=f"kept/{name}", Body=name.encode() * 100)

    def find(self, names: set[str]) -> Counter[str]:
        found = Counter[str]()
        for name in names:
            with contextlib.suppress(self._client.exceptions.NoSuchKey):
                body = self._client.get_object(Bucket=self._bucket, Key=f"kept/{name}")["Body"].read()
                found[name] += body == name.encode() * 100
        return found

    def find_all(self) -> Counter[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix="kept/")
        return Counter(each["Key"].removeprefix("kept/") for page in pages for each in page.get("Contents", ()))


class Items(Store):
    """Of a table, each a counter that a write raises by one."""

    kind = "item"

    def __init__(self, stack: Stack) -> None:
        self._client = _build_client(stack, "dynamodb")
        self._client.create_table(
            TableName="kept",
            AttributeDefinitions=[{"AttributeName": "name", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "name", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def write(self, name: str) -> None:
        self._client.update_item(
            TableName="kept",
            Key={"name": {"S": name}},
            UpdateExpression="ADD writes :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    def find(self, names: set[str]) -> Counter[str]:
        found = Counter[str]()
        for name in names:
            item = self._client.get_item(TableName="kept", Key={"name": {"S": name}}, ConsistentRead=True).get("Item")
            found[name] += int(item["writes"]["N"]) if item else 0
        return found

    def find_all(self) -> Counter[str]:
        pages = self._client.get_paginator("scan").paginate(TableName="kept", ConsistentRead=True)
        return Counter({each["name"]["S"]: int(each["writes"]["N"]) for page in pages for each in page["Items"]})


class Messages(Store):
    """Of a queue that nobody reads before the end."""

    kind = "message"

    def __init__(self, stack: Stack) -> None:
        self._client = _build_client(stack, "sqs")
        hidden = {"VisibilityTimeout": "43200"}
        self._url = self._client.create_queue(QueueName="kept", Attributes=hidden)["QueueUrl"]

    def write(self, name: str) -> None:
        self._client.send_message(QueueUrl=self._url, MessageBody=name)

    def find(self, names: set[str]) -> Counter[str]:
        """They are looked for at the end alone: to receive them hides them."""
        return Counter(names)

    def find_all(self) -> Counter[str]:
        found = Counter[str]()
        while messages := self._client.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            found.update(each["Body"] for each in messages)
        return found


class Parameters(Store):
    """Whose version says how often each was written."""

    kind = "parameter"

    def __init__(self, stack: Stack) -> None:
        self._client = _build_client(stack, "ssm")

    def write(self, name: str) -> None:
        self._client.put_parameter(Name=f"/kept/{name}", Value=name, Type="String")

    def find(self, names: set[str]) -> Counter[str]:
        found = Counter[str]()
        for name in names:
            with contextlib.suppress(self._client.exceptions.ParameterNotFound):
                found[name] += self._client.get_parameter(Name=f"/kept/{name}")["Parameter"]["Version"]
        return found

    def find_all(self) -> Counter[str]:
        pages = self._client.get_paginator("get_parameters_by_path").paginate(Path="/kept/")
        found = {each["Value"]: each["Version"] for page in pages for each in page["Parameters"]}
        return Counter(found)


def _build_client(stack: Stack, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=stack.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )
