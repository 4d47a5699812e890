"""A deployed model on a local cloud, which clients in several languages ask."""

from pathlib import Path

import httpx2
import pytest

import aimass
from tests.sockets import allow_hosts
from tests.stack import Stack, client, loans, stack

__all__ = ["client", "loans", "stack"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    allow_hosts(items, Path(__file__).parent, ["127.0.0.1", "localhost"])


@pytest.fixture(scope="session")
def deployed(client: aimass.Client, loans: tuple[Path, Path]) -> str:
    """The endpoint's name."""
    dataset = client.datasets.upload(loans[0], name="loans", target="repaid")
    version = client.jobs.train(dataset, algorithm="linear").wait().model_version
    assert version is not None
    return version.deploy().name


@pytest.fixture(scope="session")
def document(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document, as anybody gets it."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_bytes(httpx2.get(f"{stack.url}/v1/openapi.json", timeout=60).raise_for_status().content)
    return path
