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
    """The admin of the first workspace; others are `api.as_role("viewer")`, `as_stranger()`, `as_nobody()`."""
    return open_api(gateway)


@pytest.fixture
def transport(gateway: Gateway) -> InProcessTransport:
    """For `aimass.Client(transport=transport, api_key=api.token, base_url="http://aimass.test")`."""
    return InProcessTransport(gateway)
