"""Optuna studies on DynamoDB, one item per trial. docs/STUDIES.md says how to use it without the rest of AI Mass."""

from batch_jobs.search.storage.dynamodb import DynamoDbStorage
from batch_jobs.search.storage.leases import FAILURE, is_retry
from batch_jobs.search.storage.trials import StudyFullError

__all__ = ["FAILURE", "DynamoDbStorage", "StudyFullError", "is_retry"]
