"""Brings data from S3 into a container's folders, as File mode does. FastFile mode shows the same files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from aimass_local.documents import Document
from aimass_local.environment import REGION
from aimass_local.objects import S3Object, TransferError, download_objects, list_prefix, split_uri


def download_channel(
    s3: Any, channel: Document, folder: Path, *, host: int, num_hosts: int, is_stopped: Callable[[], bool]
) -> None:
    """Fills one channel's folder. Blocks.

    Args:
        s3: a boto3 client.
        channel: of InputDataConfig.
        folder: is made.
        host: index of the host; ShardedByS3Key gives each its share of the objects, in the order of their keys.
        num_hosts: of the job.
        is_stopped: asked before each object.

    Raises:
        TransferError: there is no such data.
        StoppedError: `is_stopped` said so.
    """
    source = channel["DataSource"]["S3DataSource"]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        objects = list(_list_objects(s3, source))
        if not objects:
            raise TransferError(_nothing_found(source["S3Uri"]))
        if source.get("S3DataDistributionType") == "ShardedByS3Key":
            objects = objects[host::num_hosts]
        download_objects(s3, objects, folder, is_stopped=is_stopped)
    except (ClientError, BotoCoreError) as error:
        raise TransferError(f"ClientError: Data download failed:{error}") from error


def _list_objects(s3: Any, source: Document) -> Iterator[S3Object]:
    if source["S3DataType"] == "ManifestFile":
        return _list_manifest(s3, source["S3Uri"])
    return list_prefix(s3, source["S3Uri"])


def _list_manifest(s3: Any, uri: str) -> Iterator[S3Object]:
    bucket, key = split_uri(uri)
    try:
        first, *names = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        bucket, prefix = split_uri(first["prefix"])
    except (ValueError, KeyError, TypeError) as error:
        raise TransferError(f"ClientError: Data download failed:{uri} is not a manifest file: {error!r}") from error
    yield from (S3Object(bucket, f"{prefix}{name}", str(name)) for name in names)


def _nothing_found(uri: str) -> str:
    return (
        f'ClientError: Data download failed:No S3 objects found under S3 URL "{uri}" given in input data source. '
        f"Please ensure that the bucket exists in the selected region ({REGION}) and that objects exist under that "
        "S3 prefix."
    )
