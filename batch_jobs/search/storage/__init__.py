"""Optuna studies on DynamoDB, one item per trial. docs/STUDIES.md says how to use it without the rest of AI Mass."""

from batch_jobs.search.storage.dynamodb import DynamoDbStorage
from batch_jobs.search.storage.leases import FAILURE

__all__ = ["FAILURE", "DynamoDbStorage"]
