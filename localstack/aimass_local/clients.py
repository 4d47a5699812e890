"""AWS clients of the local cloud, which never see the developer's own AWS configuration."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from aimass_local.environment import applied, client_environment, without_foreign_variables


def build_client(service: str, *, port: int) -> Any:
    """A boto3 client of `service` on the local cloud."""
    config = Config(
        signature_version="s3v4" if service == "s3" else None,
        retries={"mode": "standard"},
        s3={"addressing_style": "path"},
    )
    # NOTE: a session's arguments are not enough, botocore reads profile, endpoints and proxies from the environment.
    with applied({**without_foreign_variables(os.environ), **client_environment(port)}):
        return boto3.Session().client(service, config=config)
