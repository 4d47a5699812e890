"""A table of studies in the emulator, and storages on it; loopback sockets only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from aimass_core.bootstrap import AwsClients
from batch_jobs.search.storage import DynamoDbStorage
from tests.sockets import allow_hosts

NewStorage = Callable[..., DynamoDbStorage]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, ["127.0.0.1"])


@pytest.fixture(scope="module")
def table(clients: AwsClients) -> str:
    """A table as the stateful stack makes it."""
    name = f"studies-{uuid4().hex}"
    clients.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    return name


@pytest.fixture
def workspace_id() -> str:
    """Of one test alone."""
    return f"ws-{uuid4().hex}"


@pytest.fixture
def new_storage(clients: AwsClients, table: str, workspace_id: str) -> NewStorage:
    """Makes storages of one workspace; each knows nothing of the others', as in processes of their own."""

    def make(**options: Any) -> DynamoDbStorage:
        return DynamoDbStorage(clients.dynamodb, table, **{"workspace_id": workspace_id, **options})

    return make
