"""The registry on DynamoDB passes the contract, also where answers are lost."""

from typing import Any
from uuid import uuid4

import pytest

from aimass_core.adapters.counters import DynamoDbCounters
from aimass_core.adapters.dynamodb import DynamoDbRegistry
from aimass_core.bootstrap import AwsClients
from aimass_core.domain.keys import RowKey
from aimass_core.ports import Counters, Put, Registry
from tests.contracts.counters import CountersContract
from tests.contracts.registry import RegistryContract, row


@pytest.fixture(scope="module")
def table(clients: AwsClients) -> str:
    """A table as the stateful stack makes it."""
    name = f"registry-{uuid4().hex}"
    strings = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gsi1pk", "gsi1sk")]
    clients.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=strings,
        KeySchema=_keys("pk", "sk"),
        GlobalSecondaryIndexes=[
            {"IndexName": "gsi1", "KeySchema": _keys("gsi1pk", "gsi1sk"), "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    return name


def _keys(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


class TestDynamoDbRegistry(RegistryContract):
    @pytest.fixture
    def registry(self, clients: AwsClients, table: str) -> Registry:
        return DynamoDbRegistry(clients.dynamodb, table=table)


class TestDynamoDbCounters(CountersContract):
    @pytest.fixture
    def counters(self, clients: AwsClients, table: str) -> Counters:
        return DynamoDbCounters(clients.counters, table=table)


class _AnswerLost:
    """A client whose writes arrive, but whose first answer does not: botocore's repeat then meets its own write."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name not in ("put_item", "delete_item", "transact_write_items"):
            return call

        def twice(**arguments: Any) -> Any:
            call(**arguments)
            # A new token: the first transaction is long forgotten.
            return call(
                **{**arguments, "ClientRequestToken": uuid4().hex} if name.startswith("transact") else arguments
            )

        return twice


def test_j1_lost_answer_is_no_conflict(clients: AwsClients, table: str) -> None:
    registry = DynamoDbRegistry(_AnswerLost(clients.dynamodb), table=table)
    partition = uuid4().hex
    registry.write(Put(row=row(partition, "A", x=1.5)))
    registry.write(Put(row=row(partition, "A", 2, x=2.5), expected=1), Put(row=row(partition, "B")))
    found = registry.get(RowKey(partition, "A"))
    assert found is not None
    assert found.data == {"x": 2.5}
