"""A client of AWS that answers as it is told, and is asked for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    """Of the test's own `client`; all that it was told to expect has to come."""
    with Stubber(client) as active:
        yield active
        active.assert_no_pending_responses()
