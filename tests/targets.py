"""What integration and end-to-end tests run against, by the variable TEST_TARGET.

`local` (the default): local clouds and emulators that the tests start. `localstack`: one that answers where
localstack-client's variables say (LOCALSTACK_HOST or AWS_ENDPOINT_URL). `aws`: the account of the credentials.
Of the latter two the platform is deployed already: AIMASS_TEST_URL and AIMASS_TEST_API_KEY lead to it. What needs the
local cloud's own processes and files is skipped there, with the reason; `make test-target` lists all of that.
"""

import os
from enum import StrEnum
from typing import Any

import boto3
import pytest
from localstack_client import config as localstack
from localstack_client.session import Session


class Target(StrEnum):
    """One of them."""

    LOCAL = "local"
    LOCALSTACK = "localstack"
    AWS = "aws"


def target() -> Target:
    """Raises pytest.UsageError that names the ones there are."""
    name = os.environ.get("TEST_TARGET", Target.LOCAL)
    if name not in list(Target):
        raise pytest.UsageError(f"TEST_TARGET is {name!r}: use one of {', '.join(Target)}, or leave it out")
    return Target(name)


def skip_unless_local(what: str) -> None:
    """Skips the test, or all tests that use the fixture, where nothing of ours may be started or killed."""
    if target() is not Target.LOCAL:
        pytest.skip(f"{what}: of TEST_TARGET=local alone")


def variables_of_target() -> dict[str, str]:
    """Of this process and of those that it starts: they lead clients of AWS to a target that runs already."""
    if target() is Target.AWS:
        return {}
    session = Session()
    return {
        "AWS_ACCESS_KEY_ID": session.aws_access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.aws_secret_access_key,
        "AWS_DEFAULT_REGION": session.region_name,
        "AWS_ENDPOINT_URL": str(localstack.get_service_endpoint("s3")),
    }


def client_of_target(service: str) -> Any:
    """Of a target that runs already."""
    if target() is Target.AWS:
        return boto3.client(service)
    return Session().client(service)


def required(name: str) -> str:
    """A variable that leads to the platform. Raises pytest.UsageError where it is not set."""
    try:
        return os.environ[name]
    except KeyError:
        raise pytest.UsageError(
            f"TEST_TARGET={target()} needs {name}: the platform's address is AIMASS_TEST_URL (the output ApiUrl), and "
            "AIMASS_TEST_API_KEY an admin's key"
        ) from None
