"""The ports in memory pass the contracts."""

import pytest

from aimass_core.adapters.memory import MemoryBlobStore, MemoryRegistry
from aimass_core.ports import BlobStore, Registry, SignedUrl
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.registry import RegistryContract


class TestMemoryRegistry(RegistryContract):
    @pytest.fixture
    def registry(self) -> Registry:
        return MemoryRegistry()


class TestMemoryBlobStore(BlobStoreContract):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return MemoryBlobStore("bucket")

    def send(self, blobs: BlobStore, signed: SignedUrl, body: bytes) -> int:
        assert isinstance(blobs, MemoryBlobStore)
        return blobs.redeem(signed, body)
