"""The ports in memory pass the contracts."""

import pytest

from aimass_core.adapters.memory import MemoryBlobStore, MemoryCompute, MemoryRegistry
from aimass_core.ports import BlobStore, Compute, Registry, SignedUrl
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.compute import ComputeContract
from tests.contracts.registry import RegistryContract


class TestMemoryRegistry(RegistryContract):
    @pytest.fixture
    def registry(self) -> Registry:
        return MemoryRegistry()


class TestMemoryCompute(ComputeContract):
    @pytest.fixture
    def compute(self) -> Compute:
        return MemoryCompute()


class TestMemoryBlobStore(BlobStoreContract):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return MemoryBlobStore("bucket")

    def send(self, blobs: BlobStore, signed: SignedUrl, body: bytes) -> int:
        assert isinstance(blobs, MemoryBlobStore)
        return blobs.redeem(signed, body)
