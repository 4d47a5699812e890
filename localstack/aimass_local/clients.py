"""AWS clients of the local cloud, which never see the developer's own AWS configuration."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from aimass_local.environment import client_environment


def build_client(service: str, *, port: int) -> Any:
    """A boto3 client of `service` on the local cloud."""
    environment = client_environment(port)
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    return session.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        config=Config(
            signature_version="s3v4" if service == "s3" else None,
            retries={"mode": "standard"},
            s3={"addressing_style": "path"},
            inject_host_prefix=False,
            # NOTE: None would take the proxies of the developer's shell.
            proxies={},
        ),
    )
