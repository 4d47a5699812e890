"""The ports in memory pass the contracts."""

import pytest

from aimass_core.adapters.memory import (
    MemoryBlobStore,
    MemoryCatalog,
    MemoryCompute,
    MemoryCounters,
    MemoryRegistry,
    MemorySecrets,
    MemoryTrials,
)
from aimass_core.adapters.memory_hosting import MemoryHosting
from aimass_core.adapters.memory_identity import MemoryIdentity
from aimass_core.adapters.memory_spark import MemorySpark
from aimass_core.domain.common import new_id
from aimass_core.domain.engines import HostStatus
from aimass_core.domain.hosts import to_host_name
from aimass_core.domain.studies import Trial
from aimass_core.ports import (
    BlobStore,
    Catalog,
    Compute,
    Counters,
    Host,
    HostAnswer,
    Hosting,
    Identity,
    Registry,
    Secrets,
    SignedUrl,
    Spark,
    Trials,
)
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.catalog import CatalogContract
from tests.contracts.compute import ComputeContract
from tests.contracts.counters import CountersContract
from tests.contracts.hosting import HostingContract
from tests.contracts.identity import IdentityContract
from tests.contracts.registry import RegistryContract
from tests.contracts.secrets import SecretsContract
from tests.contracts.spark import SparkContract
from tests.contracts.trials import Leave, TrialsContract


class TestMemoryRegistry(RegistryContract):
    @pytest.fixture
    def registry(self) -> Registry:
        return MemoryRegistry()


class TestMemoryCounters(CountersContract):
    @pytest.fixture
    def counters(self) -> Counters:
        return MemoryCounters()


class TestMemoryCompute(ComputeContract):
    @pytest.fixture
    def compute(self) -> Compute:
        return MemoryCompute()


class TestMemorySpark(SparkContract):
    @pytest.fixture
    def spark(self) -> Spark:
        return MemorySpark()


class _PromptHosting(MemoryHosting):
    """Has its containers up at once."""

    def create(self, host: Host) -> None:
        super().create(host)
        self.set_state(host.name, HostStatus.READY)


class TestMemoryHosting(HostingContract):
    @pytest.fixture
    def hosting(self) -> Hosting:
        return _PromptHosting(lambda _host, body, kind: HostAnswer(status=200, content_type=kind, content=body))

    @pytest.fixture
    def host(self) -> Host:
        name = to_host_name(new_id("ws"), new_id("ep"), new_id("host"))
        return Host(name=name, prefix="models/1/", instance_type="ml.c5.large", instances=1)


class TestMemoryIdentity(IdentityContract):
    @pytest.fixture
    def identity(self) -> Identity:
        return MemoryIdentity()

    def make_temporary(self, identity: Identity, subject: str, password: str) -> None:
        assert isinstance(identity, MemoryIdentity)
        account = identity.accounts[subject]
        account.password, account.is_temporary = password, True


class TestMemorySecrets(SecretsContract):
    @pytest.fixture
    def secrets(self) -> Secrets:
        return MemorySecrets()


class TestMemoryCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self) -> Catalog:
        return MemoryCatalog()


class TestMemoryTrials(TrialsContract):
    @pytest.fixture
    def trials(self) -> Trials:
        return MemoryTrials()

    @pytest.fixture
    def leave(self, trials: Trials) -> Leave:
        assert isinstance(trials, MemoryTrials)
        stored = trials.trials

        def add(workspace_id: str, study_id: str, left: list[Trial]) -> None:
            stored.setdefault((workspace_id, study_id), []).extend(left)

        return add


class TestMemoryBlobStore(BlobStoreContract):
    @pytest.fixture
    def blobs(self) -> BlobStore:
        return MemoryBlobStore("bucket")

    def send(self, blobs: BlobStore, signed: SignedUrl, body: bytes) -> int:
        assert isinstance(blobs, MemoryBlobStore)
        return blobs.redeem(signed, body)
