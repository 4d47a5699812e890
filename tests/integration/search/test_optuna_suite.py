"""Optuna's own test suite for storages."""

import pytest
from optuna.storages import BaseStorage
from optuna.testing.pytest_storages import StorageTestCase

from tests.integration.search.conftest import NewStorage


class TestDynamoDbStorage(StorageTestCase):
    @pytest.fixture
    def storage(self, new_storage: NewStorage) -> BaseStorage:
        return new_storage()


class TestDynamoDbStorageWithoutDelays(StorageTestCase):
    """Every write sent at once, reads that may be old, trials with leases."""

    @pytest.fixture
    def storage(self, new_storage: NewStorage) -> BaseStorage:
        return new_storage(write_delay_seconds=0.0, read_ttl_seconds=60.0, heartbeat_interval_seconds=60)
