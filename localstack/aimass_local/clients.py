"""AWS clients of the local cloud, which never see the developer's own AWS configuration."""

from __future__ import annotations

import os
import threading
from typing import Any

import boto3
from botocore.config import Config

from aimass_local.environment import applied, client_environment, without_foreign_variables

_building = threading.Lock()


def build_client(service: str, *, port: int) -> Any:
    """A boto3 client of `service` on the local cloud."""
    variables = client_environment(port)
    # NOTE: arguments are not enough, since botocore reads the profile and the proxies from the environment; and the
    # environment is not enough, since it belongs to all threads.
    with _building, applied({**without_foreign_variables(os.environ), **variables}):
        return boto3.Session().client(
            service,
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name=variables["AWS_DEFAULT_REGION"],
            config=build_config(service),
        )


def build_config(service: str) -> Config:
    """Of a client of an emulator."""
    return Config(
        signature_version="s3v4" if service == "s3" else None,
        retries={"mode": "standard"},
        s3={"addressing_style": "path"},
    )
