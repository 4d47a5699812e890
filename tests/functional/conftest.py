"""Fixtures: the API over the real authorizer and the real handlers, on memory ports."""

import pytest

from tests.functional.gateway import Api, Gateway, open_api
from tests.functional.transport import InProcessTransport


@pytest.fixture
def gateway() -> Gateway:
    """A deployment without a workspace."""
    return Gateway()


@pytest.fixture
def api(gateway: Gateway) -> Api:
    """The admin of the first workspace. `api.as_role("viewer")`, `api.as_stranger()` and `api.as_nobody()` are others."""
    return open_api(gateway)


@pytest.fixture
def transport(gateway: Gateway) -> InProcessTransport:
    """For `aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test")`."""
    return InProcessTransport(gateway)
