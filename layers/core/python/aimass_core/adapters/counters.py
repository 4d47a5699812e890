"""Counters on DynamoDB: one item for each key, whose numbers are added to by UpdateItem."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from aimass_core.adapters.aws_errors import AWS_ERRORS, to_error
from aimass_core.domain.keys import RowKey
from aimass_core.ports import CounterRow

_WHAT = "the counters"
# NOTE: an amount's name may be anything, so that it cannot meet an attribute of the item's own.
_AMOUNT = "n_"
_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


class DynamoDbCounters:
    """Satisfies `Counters`."""

    def __init__(self, client: Any, *, table: str) -> None:
        self._client, self._table = client, table

    def add(self, row: CounterRow, *, resource: str, expires_at: datetime) -> None:
        """See Counters."""
        names = {f"#{index}": f"{_AMOUNT}{name}" for index, name in enumerate(row.amounts)}
        values = {f":{index}": {"N": str(amount)} for index, amount in enumerate(row.amounts.values())}
        added = ", ".join(f"#{index} :{index}" for index in range(len(row.amounts)))
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": row.key.partition}, "sk": {"S": row.key.sort}},
                UpdateExpression=f"SET #data = :data, #resource = :resource, expires_at = :expires_at ADD {added}",
                ExpressionAttributeNames={"#data": "data", "#resource": "resource", **names},
                ExpressionAttributeValues={
                    ":data": _serializer.serialize(dict(row.data)),
                    ":resource": {"S": resource},
                    ":expires_at": {"N": str(math.ceil(expires_at.timestamp()))},
                    **values,
                },
            )
        except AWS_ERRORS as error:
            raise to_error(error, what=_WHAT) from error

    def query(self, partition: str, *, first: str, last: str) -> Sequence[CounterRow]:
        """See Counters."""
        rows: list[CounterRow] = []
        after: dict[str, Any] = {}
        while True:
            try:
                answer = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                    ExpressionAttributeValues={":pk": {"S": partition}, ":first": {"S": first}, ":last": {"S": last}},
                    ConsistentRead=True,
                    **after,
                )
            except AWS_ERRORS as error:
                raise to_error(error, what=_WHAT) from error
            rows += [_to_row(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return rows
            after = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _to_row(item: dict[str, Any]) -> CounterRow:
    native = {name: _deserializer.deserialize(value) for name, value in item.items()}
    amounts = {name.removeprefix(_AMOUNT): int(value) for name, value in native.items() if name.startswith(_AMOUNT)}
    data = {name: int(value) if not isinstance(value, str) else value for name, value in native["data"].items()}
    return CounterRow(key=RowKey(native["pk"], native["sk"]), data=data, amounts=amounts)
