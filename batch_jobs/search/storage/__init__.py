"""Optuna studies on DynamoDB, one item per trial. docs/STUDIES.md says how to use it without the rest of AI Mass."""

from batch_jobs.search.storage.dynamodb import DynamoDbStorage

__all__ = ["DynamoDbStorage"]
