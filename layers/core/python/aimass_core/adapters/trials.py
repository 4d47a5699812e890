"""Reads the trials that workers wrote (batch_jobs/search/storage), without Optuna: a Lambda has none.

Keys are told in docs/STUDIES.md; values are JSON texts in maps.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aimass_core.adapters.aws_errors import AWS_ERRORS, to_error
from aimass_core.adapters.dynamodb_retries import MAX_ATTEMPTS, pause_seconds
from aimass_core.domain import keys
from aimass_core.domain.studies import Trial, TrialAttribute, TrialState
from aimass_core.errors import UnavailableError

Item = Mapping[str, Any]

_WHAT = "the table of studies"
_MAX_WRITTEN = 25  # of one batch request
_FAILURE = "failure"  # the system attribute; batch_jobs/search/storage/leases.py


class DynamoDbTrials:
    """Satisfies `Trials`."""

    def __init__(self, client: Any, *, table: str) -> None:
        self._client, self._table = client, table

    def list_trials(
        self, workspace_id: str, study_id: str, *, limit: int, start: int = 0
    ) -> tuple[Sequence[Trial], int | None]:
        """See Trials. Reads on past DynamoDB's pages of 1 MB until `limit` trials are there."""
        number = self._find(workspace_id, study_id)
        if number is None:
            return [], None
        # One more than asked for tells whether there is a next page.
        items = self._query(keys.study_partition(workspace_id, number), start=keys.trial_row(start), limit=limit + 1)
        trials = [to_trial(item) for item in items if item["sk"]["S"] != keys.STUDY_ROW]
        return trials[:limit], trials[limit].number if len(trials) > limit else None

    def delete_study(self, workspace_id: str, study_id: str) -> None:
        """See Trials. Its row and its name go last, so that what was interrupted is found again."""
        number = self._find(workspace_id, study_id)
        if number is None:
            return
        partition = keys.study_partition(workspace_id, number)
        items = self._query(partition, start=keys.trial_row(0), limit=None, ProjectionExpression="pk, sk")
        sorts = [item["sk"]["S"] for item in items]
        trials = [keys.RowKey(partition, sort) for sort in sorts if sort != keys.STUDY_ROW]
        self._delete(trials)
        self._delete([keys.RowKey(partition, keys.STUDY_ROW)])
        self._delete([keys.study_name_row(workspace_id, study_id)])

    def delete_workspace(self, workspace_id: str) -> int:
        """See Trials. What leads to the studies goes last."""
        partition = keys.studies_partition(workspace_id)
        named = self._query_names(partition)
        for study_id in named:
            self.delete_study(workspace_id, study_id)
        self._delete([keys.RowKey(partition, keys.STUDY_COUNTER_ROW)])
        return len(named)

    def _query_names(self, partition: str) -> list[str]:
        names: list[str] = []
        after: dict[str, Any] = {}
        while True:
            answer = self._call(
                "query",
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :names)",
                ExpressionAttributeValues={":pk": {"S": partition}, ":names": {"S": keys.STUDY_NAMES_PREFIX}},
                ConsistentRead=True,
                **after,
            )
            names += [item["sk"]["S"].removeprefix(keys.STUDY_NAMES_PREFIX) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return names
            after = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _find(self, workspace_id: str, study_id: str) -> int | None:
        """Optuna's number of the study; None where no worker has made it yet."""
        key = _to_key(keys.study_name_row(workspace_id, study_id))
        item = self._call("get_item", TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else int(item["study_id"]["N"])

    def _query(self, partition: str, *, start: str, limit: int | None, **options: str) -> list[Item]:
        found: list[Item] = []
        after: dict[str, Any] = {}
        while True:
            answer = self._call(
                "query",
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :start AND :end",
                ExpressionAttributeValues={
                    ":pk": {"S": partition},
                    ":start": {"S": start},
                    ":end": {"S": keys.STUDY_ROW},
                },
                ConsistentRead=True,
                **({} if limit is None else {"Limit": limit - len(found)}),
                **options,
                **after,
            )
            found += answer["Items"]
            if "LastEvaluatedKey" not in answer or len(found) == limit:
                return found
            after = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _delete(self, row_keys: Sequence[keys.RowKey]) -> None:
        for first in range(0, len(row_keys), _MAX_WRITTEN):
            chunk = row_keys[first : first + _MAX_WRITTEN]
            self._delete_chunk([{"DeleteRequest": {"Key": _to_key(key)}} for key in chunk])

    def _delete_chunk(self, asked: Sequence[Any]) -> None:
        """DynamoDB may do a part of a batch only, and says which."""
        for attempts in range(MAX_ATTEMPTS):
            answer = self._call("batch_write_item", RequestItems={self._table: asked})
            asked = answer.get("UnprocessedItems", {}).get(self._table, [])
            if not asked:
                return
            time.sleep(pause_seconds(attempts))
        raise UnavailableError("The table of studies is busy. Try again.")

    def _call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = getattr(self._client, operation)(**arguments)
        except AWS_ERRORS as error:
            raise to_error(error, what=_WHAT) from error
        return answer


def to_trial(item: Item) -> Trial:
    """The trial of an item."""
    noted = {name: json.loads(value["S"]) for name, value in item["user_attrs"]["M"].items()}
    failure = item["system_attrs"]["M"].get(_FAILURE)
    values = json.loads(item["values"]["S"]) if "values" in item else None
    return Trial(
        number=int(item["sk"]["S"]),
        state=TrialState(item["state"]["S"]),
        # JSON for callers has neither NaN nor infinity, which Optuna may store.
        values=values if values is not None and all(map(math.isfinite, values)) else None,
        hyperparameters=_to_hyperparameters(item["params"]["M"]),
        intermediate_values=_finite(
            {int(step): float(value["S"]) for step, value in item["intermediate_values"]["M"].items()}
        ),
        started_at=_to_time(item.get("started_at")),
        completed_at=_to_time(item.get("completed_at")),
        failure=None if failure is None else json.loads(failure["S"]),
        algorithm=noted.get(TrialAttribute.ALGORITHM),
        metrics=_finite(noted.get(TrialAttribute.METRICS, {})),
        model_bytes=noted.get(TrialAttribute.MODEL_BYTES),
        latency_ms=noted.get(TrialAttribute.LATENCY_MS),
        seconds=noted.get(TrialAttribute.SECONDS),
        worker=noted.get(TrialAttribute.WORKER),
        repeats=noted.get(TrialAttribute.REPEATS),
    )


def _to_hyperparameters(params: Item) -> dict[str, Any]:
    """Each is stored as `<position> <internal value> <distribution>`; positions are in the order of the asking."""
    split = [(name, *value["S"].split(" ", 2)) for name, value in params.items()]
    split.sort(key=lambda param: int(param[1]))
    return {name: _to_value(float(internal), json.loads(stored)) for name, _, internal, stored in split}


def _to_value(internal: float, distribution: Mapping[str, Any]) -> Any:
    match distribution["name"]:
        case "CategoricalDistribution":
            return _from_scalar(distribution["attributes"]["choices"][int(internal)])
        case "IntDistribution":
            return int(internal)
        case _:
            return internal


def _from_scalar(choice: Any) -> Any:
    """The reverse of `domain.distributions.to_scalar`: a list, an object or null is stored as its JSON."""
    if not isinstance(choice, str) or not (choice == "null" or choice.startswith(("[", "{"))):
        return choice
    try:
        return json.loads(choice)
    except ValueError:
        return choice


def _finite(values: Mapping[Any, float]) -> dict[Any, float]:
    return {name: value for name, value in sorted(values.items()) if math.isfinite(value)}


def _to_time(stored: Item | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored["S"])


def _to_key(key: keys.RowKey) -> dict[str, Any]:
    return {"pk": {"S": key.partition}, "sk": {"S": key.sort}}
