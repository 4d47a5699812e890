"""Creates that may be repeated: an Idempotency-Key gives the first answer again, without doing the work again."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
    IdempotencyPersistenceLayerError,
    IdempotencyValidationError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import STATUS_CONSTANTS, DataRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from aimass_core.errors import IdempotencyKeyReusedError, InProgressError, UnavailableError

EXPIRES_AFTER_SECONDS = 24 * 3600
Answer = dict[str, Any]
Store = BasePersistenceLayer


def dynamodb_store(table: str, client: Any) -> Store:
    """Records in DynamoDB."""
    return DynamoDBPersistenceLayer(table_name=table, boto3_client=client)


def run_once(
    store: Store,
    work: Callable[[], Answer],
    *,
    key: dict[str, str],
    body: Any,
    context: LambdaContext,
) -> Answer:
    """Does the work, or returns the answer that the same request got before, with `is_replay` set.

    Args:
        key: what makes the request the same one: workspace, method, path and Idempotency-Key.
        body: what must be the same for the same key.
        context: tells how long an unfinished run may still be going.

    Raises:
        IdempotencyKeyReusedError: the key came with another body.
        InProgressError: the first run has not ended.
        UnavailableError: the records cannot be reached.
    """
    config = IdempotencyConfig(
        event_key_jmespath="key",
        payload_validation_jmespath="body",
        raise_on_no_idempotency_key=True,
        expires_after_seconds=EXPIRES_AFTER_SECONDS,
        hash_function="sha256",
        lambda_context=context,
        response_hook=lambda answer, _record: {**answer, "is_replay": True},
    )

    def once(data: dict[str, Any]) -> Answer:  # noqa: ARG001 - Powertools reads it
        return work()

    guarded: Callable[..., Answer] = idempotent_function(
        once, data_keyword_argument="data", persistence_store=store, config=config, key_prefix="api"
    )
    try:
        return guarded(data={"key": key, "body": {"json": body}})
    except IdempotencyValidationError as error:
        raise IdempotencyKeyReusedError(
            "This Idempotency-Key came with another body before. Send a new key with a new request."
        ) from error
    except IdempotencyAlreadyInProgressError as error:
        raise InProgressError("The first request with this Idempotency-Key is still running. Try again.") from error
    except IdempotencyPersistenceLayerError as error:
        raise UnavailableError("The records of earlier requests cannot be reached. Try again.") from error


class MemoryStore(BasePersistenceLayer):
    """Records in memory, for tests. The conditions are those of the DynamoDB store."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._records: dict[str, DataRecord] = {}
        self._lock = threading.Lock()

    def _get_record(self, idempotency_key: str) -> DataRecord:
        if idempotency_key not in self._records:
            raise IdempotencyItemNotFoundError
        return self._records[idempotency_key]

    def _put_record(self, data_record: DataRecord) -> None:
        with self._lock:
            stored = self._records.get(data_record.idempotency_key)
            if stored is not None and not _is_over(stored):
                self._validate_payload(data_payload=data_record, stored_data_record=stored)
                raise IdempotencyItemAlreadyExistsError(old_data_record=stored)
            self._records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record: DataRecord) -> None:
        self._records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record: DataRecord) -> None:
        self._records.pop(data_record.idempotency_key, None)

    def dump(self) -> str:
        """Everything that is stored, to look for what must not be there."""
        return json.dumps([record.response_data for record in self._records.values()])


def _is_over(record: DataRecord) -> bool:
    now = datetime.now(UTC).timestamp()
    if (record.expiry_timestamp or 0) < now:
        return True
    expiry = record.in_progress_expiry_timestamp
    return record.status == STATUS_CONSTANTS["INPROGRESS"] and expiry is not None and expiry < now * 1000
